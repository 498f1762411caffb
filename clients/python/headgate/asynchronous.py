"""The SDK's logic: a client, its jobs, their results, asynchronously. `headgate.client` is the same, blocking."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Self

import httpx2

from headgate import artifacts, credentials, markup
from headgate.errors import HeadgateError, NoSuchResult
from headgate.http import PREFIX, Http
from headgate.values import ENDED, Column, Progress, Savepoint, Update
from headgate.wire import Waiting

if TYPE_CHECKING:
    import pandas
    import pyarrow

POLL_SECONDS = 0.3
LONGEST_WAIT_SECONDS = 30
PAGE_ROWS = 5000
LOG_LINES = 1000
RUN_TYPES = {"shell": "shell", "seatunnel": "szeta"}
"""The run types that engines have when none is given, but for sql."""
NULL = f"NULL-{token_hex(8)}"  # how NULL comes: a text that no cell holds


class AsyncResultSet:
    """One result set; its rows are fetched page by page while they are read."""

    def __init__(self, http: Http, job_id: str | int, number: int, path: str, first: dict[str, Any]) -> None:
        self._http = http
        self._path = path
        self._route = f"/entrance/{job_id}/results/{number}"
        self._first = first
        self.job_id = job_id
        self.number = number
        self.columns = tuple(Column(c["columnName"], c["dataType"]) for c in first["metadata"])

    async def rows(self, max_rows: int | None = None) -> AsyncGenerator[list[str | None], None]:
        """Rows as texts, NULL as None; at most `max_rows`."""
        number, page, left = 1, self._first, max_rows
        while True:
            for row in page["fileContent"]:
                if left == 0:
                    return
                left = None if left is None else left - 1
                yield _cells(row)
            if len(page["fileContent"]) < PAGE_ROWS:
                return
            number += 1
            page = await read_page(self._http, self._path, number)

    async def arrow(self, max_rows: int | None = None) -> AsyncGenerator[bytes, None]:
        """An Arrow IPC stream in chunks as they come; all rows, or at most `max_rows`. Needs no pyarrow."""
        query: dict[str, str | int] = {"format": "arrow"} | ({} if max_rows is None else {"rows": max_rows})
        async with aclosing(self._http.chunks(self._route, **query)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def to_arrow(self) -> pyarrow.Table:
        """All rows with their exact types; needs pyarrow: pip install 'headgate[arrow]'."""
        import pyarrow

        content = b"".join([chunk async for chunk in self.arrow()])
        with pyarrow.ipc.open_stream(content) as reader:
            return reader.read_all()

    async def to_pandas(self) -> pandas.DataFrame:
        """All rows as a data frame; needs pandas and pyarrow: pip install 'headgate[pandas]'."""
        return (await self.to_arrow()).to_pandas()

    def __repr__(self) -> str:
        columns = ", ".join(f"{column.name} {column.type}" for column in self.columns)
        return f"<result {self.number} of job {self.job_id}: {columns}>"

    def _repr_html_(self) -> str:
        return markup.table(self.number, self.columns, [_cells(row) for row in self._first["fileContent"]])


class AsyncJob:
    """A submitted job. Every method asks the service."""

    def __init__(self, http: Http, id: str | int) -> None:
        self._http = http
        self._status = ""
        self._progress = Progress(0.0, ())
        self.id = id

    async def status(self) -> str:
        """Inited, Scheduled, Running, or for good: Succeed, Failed, Cancelled, Timeout."""
        return await self._ask_status()

    async def progress(self) -> Progress:
        """How far the job is."""
        self._progress = _progress(await self._http.get(f"/entrance/{self.id}/progress"))
        return self._progress

    async def log(self, from_line: int = 0) -> list[str]:
        """Up to 1000 lines of the log from `from_line` (0 is the first)."""
        route = f"/entrance/{self.id}/log"
        data = await self._http.get(route, fromLine=from_line, size=LOG_LINES, distinctLevel="false")
        return str(data["log"]).split("\n") if data["fromLine"] > from_line else []

    async def watch(self, from_line: int = 0) -> AsyncGenerator[Update, None]:
        """Each change and each log line from `from_line` on, as they come, until the job has ended.

        Goes on where it was when the connection breaks or the service is started again; no line comes twice.
        """
        line = from_line
        async with aclosing(self._http.events(f"/entrance/{self.id}/events", from_line)) as events:
            async for event in events:
                data, line = json.loads(event.data), int(event.id)
                lines: list[str] = []
                if event.event in ("status", "end"):
                    self._status = data["status"]
                    if event.event == "status" and self._status in ENDED:
                        continue  # the last progress and the last lines are on their way
                elif event.event == "progress":
                    self._progress = _progress(data)
                elif event.event == "log":
                    lines = data["log"][-1].split("\n")
                yield Update(self._status, self._progress, lines, line, event.event == "end")

    async def follow(self) -> AsyncGenerator[str, None]:
        """Every line of the log, as they come, until the job has ended."""
        async with aclosing(self.watch()) as updates:
            async for update in updates:
                for line in update.lines:
                    yield line

    async def wait(self, timeout_seconds: float | None = None) -> str:
        """The final status. Raises TimeoutError when the job has not ended by then; it goes on."""
        until = float("inf") if timeout_seconds is None else time.monotonic() + timeout_seconds
        while True:
            left = max(0.0, until - time.monotonic())
            seconds = int(min(left, LONGEST_WAIT_SECONDS, self._http.timeout_seconds / 2))
            if (status := await self._ask_status(wait=seconds)) in ENDED:
                return status
            if left == 0:
                raise TimeoutError(f"job {self.id} is still {status}")
            if seconds == 0:
                await self._http.sleep(min(left, POLL_SECONDS))

    async def kill(self) -> None:
        """Ask the job to stop; harmless when it has ended."""
        await self._http.get(f"/entrance/{self.id}/kill")

    async def savepoint(self) -> Savepoint:
        """Keep the state of a running job, which goes on; returns when it is kept."""
        return _savepoint((await self._http.post(f"/entrance/{self.id}/savepoint", {}))["savepoint"])

    async def suspend(self) -> Savepoint:
        """Keep the state of a running job and end it, as Succeed. A later job goes on from it.

        With configuration={"headgate.resume": "<task id>"}, or "<task id>/<savepoint id>".
        """
        return _savepoint((await self._http.post(f"/entrance/{self.id}/suspend", {}))["savepoint"])

    async def savepoints(self) -> list[Savepoint]:
        """All that the job has made, the oldest first."""
        found = (await self._http.get(f"/entrance/{self.id}/savepoints"))["savepoints"]
        return [_savepoint(each) for each in found]

    async def dispose(self, savepoint_id: int) -> None:
        """Remove a savepoint of the job for good."""
        await self._http.delete(f"/entrance/{self.id}/savepoints/{savepoint_id}")

    async def diagnosis(self) -> dict[str, str]:
        """What the engine knows of the running job's health."""
        return dict((await self._http.get(f"/entrance/{self.id}/diagnosis"))["diagnosis"])

    async def history(self) -> dict[str, Any]:
        """The job's row in the history. Needs the numeric task id, as `results` does."""
        if not str(self.id).isdigit():
            raise HeadgateError(f"history and results are kept by numeric task id, not by execID such as {self.id}")
        return dict((await self._http.get(f"/jobhistory/{self.id}/get"))["task"])

    async def results(self) -> AsyncGenerator[AsyncResultSet, None]:
        """The result sets that are there, in the order of the statements."""
        for number, path in enumerate(await self._result_paths()):
            yield await self._open(number, path)

    async def result(self, number: int | None = None) -> AsyncResultSet:
        """Result set `number`, from 0; without a number the only one. Raises NoSuchResult when that is not one."""
        paths = await self._result_paths()
        if number is None and len(paths) == 1:
            number = 0
        if number is None or not 0 <= number < len(paths):
            raise NoSuchResult(self.id, len(paths), number)
        return await self._open(number, paths[number])

    def __repr__(self) -> str:
        return f"<job {self.id}>"

    def _repr_html_(self) -> str:
        return markup.job(self.id, self._status, self._progress.fraction)

    async def _ask_status(self, **query: int) -> str:
        self._status = str((await self._http.get(f"/entrance/{self.id}/status", **query))["status"])
        return self._status

    async def _result_paths(self) -> list[str]:
        location = (await self.history())["resultLocation"]
        tree = (await self._http.get("/filesystem/getDirFileTrees", path=location))["dirFileTrees"]
        return [child["path"] for child in tree["children"]]

    async def _open(self, number: int, path: str) -> AsyncResultSet:
        return AsyncResultSet(self._http, self.id, number, path, await read_page(self._http, path, 1))


class AsyncClient:
    """Where and as whom: arguments, environment, saved log-in, the service's home (see `headgate login --help`).

    With a password it logs in with its first request. One client serves any number of jobs at once.
    """

    def __init__(
        self,
        url: str | None = None,
        user: str | None = None,
        token: str | None = None,
        password: str | None = None,
        *,
        timeout_seconds: float = 60,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        found = credentials.choose(url, user, token, password)
        self._http = Http(found, Waiting(found.url + PREFIX, timeout_seconds, transport), password)

    @classmethod
    def over(cls, http: Http) -> AsyncClient:
        """A client whose requests go through `http`."""
        client = cls.__new__(cls)
        client._http = http
        return client

    @property
    def credentials(self) -> credentials.Credentials:
        """Where and as whom."""
        return self._http.credentials

    async def submit(
        self,
        code: str,
        *,
        engine: str = "flink",
        run_type: str | None = None,
        creator: str = "IDE",
        variables: Mapping[str, str] | None = None,
        configuration: Mapping[str, str] | None = None,
        source: Mapping[str, str] | None = None,
    ) -> AsyncJob:
        """Submit code; it is kept for good when this returns. `configuration` entries are applied as SET."""
        kind = engine.partition("-")[0]
        data = await self._http.post(
            "/entrance/submit",
            {
                "executionContent": {"code": code, "runType": run_type or RUN_TYPES.get(kind, "sql")},
                "labels": {"engineType": engine, "userCreator": f"{self.credentials.user}-{creator}"},
                "params": {
                    "variable": dict(variables or {}),
                    "configuration": {"runtime": dict(configuration or {})},
                },
                "source": dict(source or {}),
            },
            once_key=uuid.uuid4().hex,
        )
        return AsyncJob(self._http, data["taskID"])

    def job(self, id: str | int) -> AsyncJob:
        """A job by task id or execID."""
        return AsyncJob(self._http, id)

    async def jobs(self, page: int = 1, page_size: int = 20, status: str = "") -> list[dict[str, Any]]:
        """One page of your jobs, newest first."""
        return list(
            (await self._http.get("/jobhistory/list", pageNow=page, pageSize=page_size, status=status))["tasks"]
        )

    async def create_user(self, name: str, password: str, *, is_admin: bool = False) -> None:
        """A new user; for administrators."""
        await self._http.post("/user/create", {"userName": name, "password": password, "isAdmin": is_admin})

    async def users(self) -> list[dict[str, Any]]:
        """Users and their tokens' numbers; who is no administrator sees himself."""
        return list((await self._http.get("/user/list"))["users"])

    async def change_password(self, password: str, *, old: str = "", name: str | None = None) -> None:
        """Your own password, with the `old` one; as an administrator also that of `name`. Log-ins with it end."""
        body = {"password": password, "oldPassword": old} | ({"userName": name} if name else {})
        await self._http.post("/user/update", body)

    async def set_administrator(self, name: str, is_admin: bool) -> None:
        """Make another user an administrator, or no longer one; then his tokens are void."""
        await self._http.post("/user/update", {"userName": name, "isAdmin": is_admin})

    async def create_token(self, legal_users: list[str] | None = None, days: float | None = None) -> dict[str, Any]:
        """{id, legalUsers, expireTime (ms, or None), token}: by default your own; told only here."""
        body = {"expireDays": days} | ({"legalUsers": legal_users} if legal_users else {})
        return dict(await self._http.post("/user/token-create", body))

    async def revoke_token(self, id: int) -> None:
        """The token is void at once, and the log-ins of its users end."""
        await self._http.post("/user/token-revoke", {"id": id})

    async def push_artifact(self, path: str | Path, name: str | None = None) -> dict[str, Any]:
        """A file becomes your artifact `name` (by default that of the file, without .jar), or its next version.

        {resourceId, name, version, sha256, size, warnings, unchanged}: nothing is sent when the newest version is this
        file already. A job has it by `configuration={"headgate.jars": "<name>"}`.
        """
        return await artifacts.push(self._http, Path(path), name)

    async def artifacts(self) -> list[dict[str, Any]]:
        """Your artifacts and those shared with you, each by its newest version."""
        return await artifacts.every(self._http)

    async def artifact(self, reference: str) -> dict[str, Any]:
        """What is known of one: by name, <owner>/<name> or id, with @v000001 of that version."""
        return await artifacts.about(self._http, reference)

    async def pull_artifact(self, reference: str, path: str | Path = ".") -> Path:
        """Its file, as `path` or into that folder; it appears there whole, with the sum it was pushed with."""
        return await artifacts.pull(self._http, reference, Path(path))

    async def remove_artifact(self, reference: str) -> None:
        """It goes, or with @v000001 that version. Refused while a job that has not ended uses it."""
        await artifacts.remove(self._http, reference)

    async def share_artifact(self, reference: str, users: Sequence[str]) -> list[str]:
        """These users may read and use it from now on, and no others; ["*"] is everybody."""
        return await artifacts.share(self._http, reference, users)

    async def close(self) -> None:
        """End its connections; also at the end of `async with`."""
        await self._http.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def read_page(http: Http, path: str, number: int) -> dict[str, Any]:
    """Page `number`, from 1, of the result set at `path`."""
    return await http.get("/filesystem/openFile", path=path, page=number, pageSize=PAGE_ROWS, nullValue=NULL)


def _cells(row: list[str]) -> list[str | None]:
    return [None if cell == NULL else cell for cell in row]


def _savepoint(data: Mapping[str, Any]) -> Savepoint:
    return Savepoint(data["id"], data["kind"], data["path"], data["madeAt"], data["resumedBy"], data["disposedAt"])


def _progress(data: Mapping[str, Any]) -> Progress:
    return Progress(float(data["progress"]), data["progressInfo"])
