"""Every public error code: never changed, never reused. Up to 99999 they are Linkis' own, from 100000 on ours.

Below each stands where it is met, and what it means: an HTTP status; `job`, when it is how a job ended (`errCode` of
the history); `start`, when the service does not start; `inside`, between services only.
"""

from __future__ import annotations

from typing import Final

# entrance: what is wrong with a request
CODE_EMPTY: Final = 20007
"""400: the submit has no code, or only comments."""
LABELS_MISSING: Final = 20008
"""400: the submit has no labels."""
LABEL_INVALID: Final = 20009
"""400: a label lacks or has a value that it cannot have; or the run type lacks."""
REQUEST_INVALID: Final = 20010
"""400, 408, 413, 415: the body is no JSON object, comes too slowly, is too large, or is of another type; or one of its
fields is."""
VARIABLE_NAME: Final = 20041
"""400: a line that sets a variable cannot be read."""
VARIABLE_DATE: Final = 20042
"""400: the variable run_date is no date, or a date pattern leads to none."""
VARIABLE_ARITHMETIC: Final = 20044
"""400: a variable cannot be reckoned with."""
USER_CREATOR_INVALID: Final = 50079
"""400: labels.userCreator is not <user>-<creator>."""
USER_CREATOR_OTHER: Final = 50080
"""400: labels.userCreator names another user."""
ENGINE_UNKNOWN: Final = 31002
"""400: there is no such engine, version or run type here."""
QUEUE_FULL: Final = 12001
"""429: the tenant has as many jobs waiting as it may."""
JOB_UNKNOWN: Final = 20011
"""400: there is no such job, or it is not the caller's to see."""

# once jobs: Linkis' own, told within a good answer whose isError is true
OPERATOR_UNKNOWN: Final = 20030
"""400: there is no such operator for a once job; told by `isError` in a good answer."""
OPERATOR_KEY_MISSING: Final = 20031
"""400: an operator lacks a parameter; told by `isError` in a good answer."""

# how jobs end
KILLED: Final = 31001
"""job: somebody killed it."""
TIMED_OUT: Final = 103000
"""job: it waited or ran longer than its labels allow."""

# log-in
NOT_LOGGED_IN: Final = 11002
"""401: nobody is logged in."""
TOKEN_INVALID: Final = 15206
"""401: the token is not valid for this user."""
LOGIN_FAILED: Final = 11003
"""400: the user name or the password is wrong."""

# history queries
QUERY_INVALID: Final = 21304
"""400: a parameter has a value that it cannot have."""

# files
ROOT_MISSING: Final = 80003
"""400: there are only local workspaces."""
PATH_EMPTY: Final = 80004
"""400: the path is empty."""
FOLDER_EXISTS: Final = 80005
"""400: there is something of that name already."""
PATH_FORBIDDEN: Final = 80010
"""400: the path leads out of the caller's workspace and results."""
PATH_MISSING: Final = 80013
"""400: there is nothing at the path."""
PATH_RELATIVE: Final = 80026
"""400: the path has `..` in it."""
FILE_TOO_LARGE: Final = 80032
"""400: the file is too large to be shown."""
PAGE_TOO_LARGE: Final = 80034
"""400: a page holds fewer rows."""
COLUMN_PAGE_TOO_LARGE: Final = 80036
"""400: a page holds fewer columns."""

# our own: the service
INTERNAL: Final = 100000
"""500, job: something that should work did not; the service's log has more."""
UNREACHABLE: Final = 100001
"""503, start: a part of the service does not answer; or an address cannot be listened on."""
NO_LONGER_YOURS: Final = 100002
"""inside: the job has ended or belongs to a later owner."""
TRANSITION_REFUSED: Final = 100003
"""inside: a job cannot go from the one status to the other."""
SETTINGS_INVALID: Final = 100004
"""start, job: a setting has a value that it cannot have."""
ADMINISTRATORS_ONLY: Final = 100005
"""403: only administrators may do this."""
NAME_TAKEN: Final = 100006
"""409: the name is taken, or the Idempotency-Key was used for another submit."""
FIELD_INVALID: Final = 100007
"""400: a field or header lacks or has a value that it cannot have."""
ROUTE_UNKNOWN: Final = 100008
"""404, 405: there is no such route, or not for this method."""
NOT_WRITTEN: Final = 100009
"""500, 503, job: something could not be written; 503 when there is no room on the disk."""
TOO_BUSY: Final = 100020
"""503: too much is being sent at once."""
TOO_MANY_TRIES: Final = 100021
"""429: too many wrong passwords came from there."""

# our own: engines
ENGINE_START_FAILED: Final = 101000
"""job: its engine did not start."""
ENGINE_LOST: Final = 101001
"""job: its engine ended while it ran."""
ENGINE_FILES: Final = 101002
"""job: the engine's files could not be fetched."""
ENGINE_GONE: Final = 101003
"""inside: the engine has ended."""
ENGINE_BUSY: Final = 101004
"""inside: the engine runs another task."""
TASK_UNKNOWN: Final = 101005
"""inside: the task is not on this node."""
TASK_CLOSED: Final = 101006
"""inside: the task was ended before it came. 409: the job does not run (any more)."""
OPERATION_UNKNOWN: Final = 101007
"""400: the job's engine has no such operation."""
OPERATION_FAILED: Final = 101008
"""409, 503: the engine cannot do it now, or could not; the message tells why."""
ARTIFACT_UNUSABLE: Final = 101009
"""job: an artifact that it uses is not there any more, or not what it was."""
SAVEPOINT_UNKNOWN: Final = 101010
"""400, 404: there is no such savepoint, or it is not the caller's."""
SAVEPOINT_UNUSABLE: Final = 101011
"""409, job: the savepoint is gone, or another job goes on from it."""

# our own: what users' code does wrong
STATEMENT_INVALID: Final = 102000
"""400, job: a statement, or what a job says of itself, cannot run as it is written."""
STATEMENT_FAILED: Final = 102001
"""job: a statement failed while it ran."""
EXIT_CODE: Final = 102002
"""job: the shell ended with an exit code other than 0."""
TIME_LIMIT: Final = 102020
"""job: its program ran longer than its own limit of time allows."""

# artifacts: Linkis' own, then ours
ARTIFACT_FORBIDDEN: Final = 75569
"""403: only its owner and administrators change an artifact."""
ARTIFACT_UNKNOWN: Final = 104000
"""400: there is no such artifact or version, or it is not shared with the caller."""
ARTIFACT_USED: Final = 104001
"""409: jobs that have not ended use it."""
JAR_INVALID: Final = 104002
"""400: the file is no jar, or one that is not taken; or it has no such class to start."""
