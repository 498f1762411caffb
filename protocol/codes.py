"""Every public error code: never changed, never reused. Up to 99999 they are Linkis' own, from 100000 on ours."""

from __future__ import annotations

from typing import Final

# entrance: what is wrong with a request
CODE_EMPTY: Final = 20007
LABELS_MISSING: Final = 20008
LABEL_INVALID: Final = 20009
REQUEST_INVALID: Final = 20010
VARIABLE_NAME: Final = 20041
VARIABLE_DATE: Final = 20042
VARIABLE_ARITHMETIC: Final = 20044
USER_CREATOR_INVALID: Final = 50079
USER_CREATOR_OTHER: Final = 50080
ENGINE_UNKNOWN: Final = 31002
QUEUE_FULL: Final = 12001
JOB_UNKNOWN: Final = 20011

# how jobs end
KILLED: Final = 31001
TIMED_OUT: Final = 103000

# log-in
NOT_LOGGED_IN: Final = 11002
TOKEN_INVALID: Final = 15206
LOGIN_FAILED: Final = 11003

# history queries
QUERY_INVALID: Final = 21304

# files
PATH_EMPTY: Final = 80004
PATH_FORBIDDEN: Final = 80010
PATH_MISSING: Final = 80013
PATH_RELATIVE: Final = 80026
PAGE_TOO_LARGE: Final = 80034

# our own: the service
INTERNAL: Final = 100000
UNREACHABLE: Final = 100001
NO_LONGER_YOURS: Final = 100002
TRANSITION_REFUSED: Final = 100003
SETTINGS_INVALID: Final = 100004
ADMINISTRATORS_ONLY: Final = 100005
NAME_TAKEN: Final = 100006
FIELD_INVALID: Final = 100007
ROUTE_UNKNOWN: Final = 100008

# our own: engines
ENGINE_START_FAILED: Final = 101000
ENGINE_LOST: Final = 101001
ENGINE_FILES: Final = 101002
ENGINE_GONE: Final = 101003
ENGINE_BUSY: Final = 101004
TASK_UNKNOWN: Final = 101005
TASK_CLOSED: Final = 101006

# our own: what users' code does wrong
STATEMENT_INVALID: Final = 102000
STATEMENT_FAILED: Final = 102001
EXIT_CODE: Final = 102002
