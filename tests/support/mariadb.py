"""A real MariaDB for tests: its own data folder, socket and port on loopback, its binlog by rows; no system service."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql

PROGRAMS = ("mariadbd", "mariadb-install-db", "my_print_defaults")
START_SECONDS = 60
_SBIN = "/usr/sbin:/usr/local/sbin"
"""Where servers lie; it is not on everybody's PATH."""
_GRANTS = """\
CREATE USER {source.user} IDENTIFIED BY '{source.password}';
GRANT SELECT, RELOAD, SHOW DATABASES, LOCK TABLES, REPLICATION SLAVE, BINLOG MONITOR ON *.* TO {source.user};
CREATE USER {sink.user} IDENTIFIED BY '{sink.password}';
GRANT ALL ON *.* TO {sink.user};
"""
"""The server reads a statement from each line."""


@dataclass(frozen=True, slots=True)
class Account:
    user: str
    password: str


@dataclass(frozen=True, slots=True)
class MariaDB:
    """A running server. `source` may read tables and the binlog; `sink` may do everything."""

    host: str
    port: int
    process: subprocess.Popen[bytes]
    source: Account
    sink: Account

    def url(self, database: str = "") -> str:
        """As MySQL's JDBC driver takes it."""
        return f"jdbc:mysql://{self.host}:{self.port}/{database}?useSSL=false&allowPublicKeyRetrieval=true"

    @contextmanager
    def connected(
        self, account: Account | None = None, database: str | None = None
    ) -> Iterator[pymysql.Connection[Any]]:
        """A connection, by default the sink's, that commits each statement."""
        who = account or self.sink
        connection = pymysql.connect(
            host=self.host, port=self.port, user=who.user, password=who.password, database=database, autocommit=True
        )
        with closing(connection):
            yield connection

    def execute(self, *statements: str) -> None:
        with self.connected() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def rows(self, query: str) -> Sequence[tuple[Any, ...]]:
        with self.connected() as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """An empty database of this name, gone at the end."""
        self.execute(f"DROP DATABASE IF EXISTS `{name}`", f"CREATE DATABASE `{name}`")
        yield name
        self.execute(f"DROP DATABASE `{name}`")


@contextmanager
def running(folder: Path) -> Iterator[MariaDB]:
    """A server whose files lie in `folder`. It ends with the body, and with this process, however that ends."""
    path = f"{os.environ.get('PATH', '')}:{_SBIN}"
    server, install, _ = programs = [shutil.which(name, path=path) for name in PROGRAMS]
    if not server or not install or None in programs:
        lacking = ", ".join(name for name, found in zip(PROGRAMS, programs, strict=True) if not found)
        raise FileNotFoundError(
            f"these tests need a MariaDB server, and there is no {lacking}; install one: "
            "apt-get install mariadb-server-core mariadb-client-core"
        )
    data = folder / "data"
    owner = ["--user=root"] if os.getuid() == 0 else []
    subprocess.run(
        [install, "--no-defaults", f"--datadir={data}", *owner, "--auth-root-authentication-method=normal",
         "--skip-test-db", "--skip-name-resolve"],
        check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PATH": path},
    )  # fmt: skip
    source, sink = (Account(name, secrets.token_hex(8)) for name in ("reader", "writer"))
    (folder / "grants.sql").write_text(_GRANTS.format(source=source, sink=sink))
    port = _free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            # the kernel ends the server when this process is gone, also after kill -9
            ["setpriv", "--pdeathsig", "KILL", "--", server, "--no-defaults", *owner, *_options(folder, data, port)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    started = MariaDB("127.0.0.1", port, process, source, sink)
    try:
        _ready(started, folder / "log")
        yield started
    finally:
        process.terminate()
        try:
            process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _options(folder: Path, data: Path, port: int) -> list[str]:
    return [
        f"--datadir={data}",
        f"--socket={os.path.relpath(folder / 'sock', data)}",  # relative to the data: a socket's path ends at 107 bytes
        f"--pid-file={folder / 'pid'}",
        f"--init-file={folder / 'grants.sql'}",
        "--bind-address=127.0.0.1",
        f"--port={port}",
        "--skip-name-resolve",
        "--character-set-server=utf8mb4",
        "--server-id=1",
        "--log-bin=binlog",
        "--binlog-format=ROW",
        "--binlog-row-image=FULL",
        "--innodb-buffer-pool-size=64M",
        "--innodb-flush-log-at-trx-commit=0",  # nothing here needs to survive a crash
        "--sync-binlog=0",
    ]


def _ready(server: MariaDB, log: Path) -> None:
    """Return once the grants are there. Raises with the log's end for a server that ends, or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with server.connected(), server.connected(server.source):
                return
        except pymysql.err.OperationalError as error:
            if server.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"MariaDB did not start: {error}\n{log.read_text()[-2000:]}") from None
        time.sleep(0.05)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
