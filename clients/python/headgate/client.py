"""The SDK: a client, its jobs, their results. What they do is written in `headgate.asynchronous`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx2

from headgate import credentials, markup
from headgate.asynchronous import AsyncClient, AsyncJob, AsyncResultSet
from headgate.errors import HeadgateError
from headgate.http import PREFIX, Http
from headgate.values import Column, Progress, Savepoint, Update
from headgate.wire import Blocking, each, now

if TYPE_CHECKING:
    import pandas
    import pyarrow


class ResultSet:
    """One result set; its rows are fetched page by page while they are read."""

    def __init__(self, result: AsyncResultSet) -> None:
        self._result = result
        self.job_id = result.job_id
        self.number = result.number
        self.columns: tuple[Column, ...] = result.columns

    def rows(self, max_rows: int | None = None) -> Iterator[list[str | None]]:
        """Rows as texts, NULL as None; at most `max_rows`."""
        return each(self._result.rows(max_rows))

    def arrow(self, max_rows: int | None = None) -> Iterator[bytes]:
        """An Arrow IPC stream in chunks as they come; all rows, or at most `max_rows`. Needs no pyarrow."""
        return each(self._result.arrow(max_rows))

    def to_arrow(self) -> pyarrow.Table:
        """All rows with their exact types; needs pyarrow: pip install 'headgate[arrow]'."""
        return now(self._result.to_arrow())

    def to_pandas(self) -> pandas.DataFrame:
        """All rows as a data frame; needs pandas and pyarrow: pip install 'headgate[pandas]'."""
        return now(self._result.to_pandas())

    def __repr__(self) -> str:
        return repr(self._result)

    def _repr_html_(self) -> str:
        return self._result._repr_html_()


class Job:
    """A submitted job. Every method asks the service."""

    def __init__(self, job: AsyncJob) -> None:
        self._job = job
        self.id = job.id

    def status(self) -> str:
        """Inited, Scheduled, Running, or for good: Succeed, Failed, Cancelled, Timeout."""
        return now(self._job.status())

    def progress(self) -> Progress:
        """How far the job is."""
        return now(self._job.progress())

    def log(self, from_line: int = 0) -> list[str]:
        """Up to 1000 lines of the log from `from_line` (0 is the first)."""
        return now(self._job.log(from_line))

    def watch(self, from_line: int = 0) -> Iterator[Update]:
        """Each change and each log line from `from_line` on, as they come, until the job has ended.

        Goes on where it was when the connection breaks or the service is started again; no line comes twice.
        """
        return each(self._job.watch(from_line))

    def follow(self) -> Iterator[str]:
        """Every line of the log, as they come, until the job has ended."""
        return each(self._job.follow())

    def wait(self, timeout_seconds: float | None = None) -> str:
        """The final status. Raises TimeoutError when the job has not ended by then; it goes on."""
        return now(self._job.wait(timeout_seconds))

    def kill(self) -> None:
        """Ask the job to stop; harmless when it has ended."""
        now(self._job.kill())

    def savepoint(self) -> Savepoint:
        """Keep the state of a running job, which goes on; returns when it is kept."""
        return now(self._job.savepoint())

    def suspend(self) -> Savepoint:
        """Keep the state of a running job and end it, as Succeed. A later job goes on from it.

        With configuration={"headgate.resume": "<task id>"}, or "<task id>/<savepoint id>".
        """
        return now(self._job.suspend())

    def savepoints(self) -> list[Savepoint]:
        """All that the job has made, the oldest first."""
        return now(self._job.savepoints())

    def dispose(self, savepoint_id: int) -> None:
        """Remove a savepoint of the job for good."""
        now(self._job.dispose(savepoint_id))

    def diagnosis(self) -> dict[str, str]:
        """What the engine knows of the running job's health."""
        return now(self._job.diagnosis())

    def history(self) -> dict[str, Any]:
        """The job's row in the history. Needs the numeric task id, as `results` does."""
        return now(self._job.history())

    def results(self) -> Iterator[ResultSet]:
        """The result sets that are there, in the order of the statements."""
        return map(ResultSet, each(self._job.results()))

    def result(self, number: int | None = None) -> ResultSet:
        """Result set `number`, from 0; without a number the only one. Raises NoSuchResult when that is not one."""
        return ResultSet(now(self._job.result(number)))

    def __repr__(self) -> str:
        return repr(self._job)

    def _repr_html_(self) -> str:
        """The job as it is now, or what hinders asking: a notebook's cell is no place for a traceback of ours."""
        try:
            status, fraction = self.status(), self.progress().fraction
            error = self.history()["errDesc"] if str(self.id).isdigit() else ""
            return markup.job(self.id, status, fraction, error)
        except HeadgateError as error:
            return markup.job(self.id, error=str(error))


class Client:
    """Where and as whom: arguments, environment, saved log-in, the service's home (see `headgate login --help`).

    With a password it logs in at once. Threads need a client each.
    """

    def __init__(
        self,
        url: str | None = None,
        user: str | None = None,
        token: str | None = None,
        password: str | None = None,
        *,
        timeout_seconds: float = 60,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        found = credentials.choose(url, user, token, password)
        http = Http(found, Blocking(found.url + PREFIX, timeout_seconds, transport), password)
        self._client = AsyncClient.over(http)
        now(http.log_in())

    @property
    def credentials(self) -> credentials.Credentials:
        """Where and as whom."""
        return self._client.credentials

    def submit(
        self,
        code: str,
        *,
        engine: str = "flink",
        run_type: str | None = None,
        creator: str = "IDE",
        variables: Mapping[str, str] | None = None,
        configuration: Mapping[str, str] | None = None,
        source: Mapping[str, str] | None = None,
    ) -> Job:
        """Submit code; it is kept for good when this returns. `configuration` entries are applied as SET."""
        job = self._client.submit(
            code,
            engine=engine,
            run_type=run_type,
            creator=creator,
            variables=variables,
            configuration=configuration,
            source=source,
        )
        return Job(now(job))

    def job(self, id: str | int) -> Job:
        """A job by task id or execID."""
        return Job(self._client.job(id))

    def jobs(self, page: int = 1, page_size: int = 20, status: str = "") -> list[dict[str, Any]]:
        """One page of your jobs, newest first."""
        return now(self._client.jobs(page, page_size, status))

    def create_user(self, name: str, password: str, *, is_admin: bool = False) -> None:
        """A new user; for administrators."""
        now(self._client.create_user(name, password, is_admin=is_admin))

    def users(self) -> list[dict[str, Any]]:
        """Users and their tokens' numbers; who is no administrator sees himself."""
        return now(self._client.users())

    def change_password(self, password: str, *, old: str = "", name: str | None = None) -> None:
        """Your own password, with the `old` one; as an administrator also that of `name`. Log-ins with it end."""
        now(self._client.change_password(password, old=old, name=name))

    def set_administrator(self, name: str, is_admin: bool) -> None:
        """Make another user an administrator, or no longer one; then his tokens are void."""
        now(self._client.set_administrator(name, is_admin))

    def create_token(self, legal_users: list[str] | None = None, days: float | None = None) -> dict[str, Any]:
        """{id, legalUsers, expireTime (ms, or None), token}: by default your own; told only here."""
        return now(self._client.create_token(legal_users, days))

    def revoke_token(self, id: int) -> None:
        """The token is void at once, and the log-ins of its users end."""
        now(self._client.revoke_token(id))

    def push_artifact(self, path: str | Path, name: str | None = None) -> dict[str, Any]:
        """A file becomes your artifact `name` (by default that of the file, without .jar), or its next version.

        {resourceId, name, version, sha256, size, warnings, unchanged}: nothing is sent when the newest version is this
        file already. A job has it by `configuration={"headgate.jars": "<name>"}`.
        """
        return now(self._client.push_artifact(path, name))

    def artifacts(self) -> list[dict[str, Any]]:
        """Your artifacts and those shared with you, each by its newest version."""
        return now(self._client.artifacts())

    def artifact(self, reference: str) -> dict[str, Any]:
        """What is known of one: by name, <owner>/<name> or id, with @v000001 of that version."""
        return now(self._client.artifact(reference))

    def pull_artifact(self, reference: str, path: str | Path = ".") -> Path:
        """Its file, as `path` or into that folder; it appears there whole, with the sum it was pushed with."""
        return now(self._client.pull_artifact(reference, path))

    def remove_artifact(self, reference: str) -> None:
        """It goes, or with @v000001 that version. Refused while a job that has not ended uses it."""
        now(self._client.remove_artifact(reference))

    def share_artifact(self, reference: str, users: Sequence[str]) -> list[str]:
        """These users may read and use it from now on, and no others; ["*"] is everybody."""
        return now(self._client.share_artifact(reference, users))

    def close(self) -> None:
        """End its connections; also at the end of `with`."""
        now(self._client.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
