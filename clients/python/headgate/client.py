"""The SDK: a client, its jobs, their results."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import httpx2

from headgate import credentials
from headgate.errors import HeadgateError, NotLoggedIn
from headgate.http import TICKET, Http

if TYPE_CHECKING:
    import pandas
    import pyarrow

ENDED = frozenset({"Succeed", "Failed", "Cancelled", "Timeout"})
POLL_SECONDS = 0.3
PAGE_ROWS = 5000
LOG_LINES = 1000
NULL = f"NULL-{token_hex(8)}"  # how NULL comes: a text that no cell holds


@dataclass(frozen=True)
class Column:
    """A result column's name and data type, such as `bigint`."""

    name: str
    type: str


@dataclass(frozen=True)
class Progress:
    """How far a job is, 0.0 to 1.0, and the steps of the statement that runs."""

    fraction: float
    steps: Sequence[Mapping[str, Any]]


class ResultSet:
    """One result set; its rows are fetched page by page while they are read."""

    def __init__(self, http: Http, path: str, job_id: str | int, number: int) -> None:
        self._http = http
        self._path = path
        self._route = f"/entrance/{job_id}/results/{number}"
        self._first = self._page(1)
        self.columns = tuple(Column(c["columnName"], c["dataType"]) for c in self._first["metadata"])

    def rows(self, max_rows: int | None = None) -> Iterator[list[str | None]]:
        """Rows as texts, NULL as None; at most `max_rows`."""
        number, page, left = 1, self._first, max_rows
        while True:
            for row in page["fileContent"]:
                if left == 0:
                    return
                left = None if left is None else left - 1
                yield [None if cell == NULL else cell for cell in row]
            if len(page["fileContent"]) < PAGE_ROWS:
                return
            number += 1
            page = self._page(number)

    def to_arrow(self) -> pyarrow.Table:
        """All rows with their exact types; needs pyarrow: pip install 'headgate[arrow]'."""
        import pyarrow

        with pyarrow.ipc.open_stream(self._http.read(self._route, format="arrow")) as reader:
            return reader.read_all()

    def to_pandas(self) -> pandas.DataFrame:
        """All rows as a data frame; needs pandas and pyarrow: pip install 'headgate[pandas]'."""
        return self.to_arrow().to_pandas()

    def _page(self, number: int) -> dict[str, Any]:
        return self._http.get("/filesystem/openFile", path=self._path, page=number, pageSize=PAGE_ROWS, nullValue=NULL)


class Job:
    """A submitted job. Every method asks the service."""

    def __init__(self, http: Http, id: str | int) -> None:
        self._http = http
        self.id = id

    def status(self) -> str:
        return str(self._http.get(f"/entrance/{self.id}/status")["status"])

    def progress(self) -> Progress:
        data = self._http.get(f"/entrance/{self.id}/progress")
        return Progress(float(data["progress"]), data["progressInfo"])

    def log(self, from_line: int = 0) -> list[str]:
        """Up to 1000 lines of the log from `from_line` (0 is the first)."""
        data = self._http.get(f"/entrance/{self.id}/log", fromLine=from_line, size=LOG_LINES, distinctLevel="false")
        return str(data["log"]).split("\n") if data["fromLine"] > from_line else []

    def follow_log(self) -> Iterator[str]:
        """Every line, as they come, until the job has ended."""
        line = 0
        while True:
            ended = self.status() in ENDED
            while lines := self.log(line):
                yield from lines
                line += len(lines)
            if ended:
                return
            time.sleep(POLL_SECONDS)

    def wait(self, timeout_seconds: float | None = None) -> str:
        """The final status. Raises TimeoutError when the job has not ended by then; it goes on."""
        until = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while (status := self.status()) not in ENDED:
            if until is not None and time.monotonic() > until:
                raise TimeoutError(f"job {self.id} is still {status}")
            time.sleep(POLL_SECONDS)
        return status

    def kill(self) -> None:
        """Ask the job to stop; harmless when it has ended."""
        self._http.get(f"/entrance/{self.id}/kill")

    def history(self) -> dict[str, Any]:
        """The job's row in the history. Needs the numeric task id, as `results` does."""
        if not str(self.id).isdigit():
            raise HeadgateError(f"history and results are kept by numeric task id, not by execID such as {self.id}")
        return dict(self._http.get(f"/jobhistory/{self.id}/get")["task"])

    def results(self) -> Iterator[ResultSet]:
        """The result sets, in the order of the statements."""
        tree = self._http.get("/filesystem/getDirFileTrees", path=self.history()["resultLocation"])["dirFileTrees"]
        for number, child in enumerate(tree["children"]):
            yield ResultSet(self._http, child["path"], self.id, number)


class Client:
    """Where and as whom: arguments, environment, saved log-in, the service's home (see `headgate login --help`)."""

    def __init__(
        self,
        url: str | None = None,
        user: str | None = None,
        token: str | None = None,
        password: str | None = None,
        *,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        if password is None:
            self.credentials = credentials.find(url, user, token)
        elif url and user:
            self.credentials = _log_in(credentials.with_scheme(url), user, password, transport)
        else:
            raise NotLoggedIn("a password is for one user at one URL: give both")
        self._http = Http(self.credentials, transport)

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
        kind = engine.partition("-")[0]
        data = self._http.post(
            "/entrance/submit",
            {
                "executionContent": {"code": code, "runType": run_type or {"shell": "shell"}.get(kind, "sql")},
                "labels": {"engineType": engine, "userCreator": f"{self.credentials.user}-{creator}"},
                "params": {
                    "variable": dict(variables or {}),
                    "configuration": {"runtime": dict(configuration or {})},
                },
                "source": dict(source or {}),
            },
            once_key=uuid.uuid4().hex,
        )
        return Job(self._http, data["taskID"])

    def job(self, id: str | int) -> Job:
        """A job by task id or execID."""
        return Job(self._http, id)

    def jobs(self, page: int = 1, page_size: int = 20, status: str = "") -> list[dict[str, Any]]:
        """One page of your jobs, newest first."""
        return list(self._http.get("/jobhistory/list", pageNow=page, pageSize=page_size, status=status)["tasks"])

    def create_user(self, name: str, password: str, *, is_admin: bool = False) -> None:
        """A new user; for administrators."""
        self._http.post("/user/create", {"userName": name, "password": password, "isAdmin": is_admin})

    def users(self) -> list[dict[str, Any]]:
        """Users and their tokens' numbers; who is no administrator sees himself."""
        return list(self._http.get("/user/list")["users"])

    def change_password(self, password: str, *, old: str = "", name: str | None = None) -> None:
        """Your own password, with the `old` one; as an administrator also that of `name`. Log-ins with it end."""
        body = {"password": password, "oldPassword": old} | ({"userName": name} if name else {})
        self._http.post("/user/update", body)

    def set_administrator(self, name: str, is_admin: bool) -> None:
        """Make another user an administrator, or no longer one; then his tokens are void."""
        self._http.post("/user/update", {"userName": name, "isAdmin": is_admin})

    def create_token(self, legal_users: list[str] | None = None, days: float | None = None) -> dict[str, Any]:
        """{id, legalUsers, expireTime (ms, or None), token}: by default your own; told only here."""
        body = {"expireDays": days} | ({"legalUsers": legal_users} if legal_users else {})
        return dict(self._http.post("/user/token-create", body))

    def revoke_token(self, id: int) -> None:
        """The token is void at once, and the log-ins of its users end."""
        self._http.post("/user/token-revoke", {"id": id})

    def close(self) -> None:
        self._http.close()


def _log_in(url: str, user: str, password: str, transport: httpx2.BaseTransport | None) -> credentials.Credentials:
    http = Http(credentials.Credentials(url, user), transport)
    http.post("/user/login", {"userName": user, "password": password})
    ticket = http.cookie(TICKET)
    http.close()
    return credentials.Credentials(url, user, ticket=ticket)
