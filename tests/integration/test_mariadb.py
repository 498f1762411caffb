"""The MariaDB that other tests use: rows as they were written, a binlog by rows, and no server left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pymysql
import pytest

from tests.support import mariadb
from tests.support.mariadb import MariaDB

HOLD = """
import sys, time
from pathlib import Path
from tests.support import mariadb

with mariadb.running(Path(sys.argv[1])) as server:
    print(server.process.pid, flush=True)
    time.sleep(600)
"""


def test_rows_are_written_and_read_and_the_database_goes(maria: MariaDB) -> None:
    with maria.database("shop") as name:
        maria.execute(
            f"CREATE TABLE {name}.orders (id INT PRIMARY KEY, what VARCHAR(20))",
            f"INSERT INTO {name}.orders VALUES (1, 'größer'), (2, NULL)",
        )
        assert maria.rows(f"SELECT * FROM {name}.orders ORDER BY id") == ((1, "größer"), (2, None))
    assert "shop" not in [row[0] for row in maria.rows("SHOW DATABASES")]


def test_its_binlog_has_whole_rows_and_the_source_may_read_it(maria: MariaDB) -> None:
    wanted = {"log_bin": "ON", "binlog_format": "ROW", "binlog_row_image": "FULL", "bind_address": "127.0.0.1"}
    names = ", ".join(f"'{name}'" for name in wanted)
    assert dict(maria.rows(f"SHOW VARIABLES WHERE Variable_name IN ({names})")) == wanted
    with maria.connected(maria.source) as connection, connection.cursor() as cursor:
        assert cursor.execute("SHOW MASTER STATUS") == 1


def test_the_source_may_not_write(maria: MariaDB) -> None:
    with (
        maria.database("kept") as name,
        maria.connected(maria.source) as connection,
        connection.cursor() as cursor,
        pytest.raises(pymysql.err.OperationalError, match="denied"),
    ):
        cursor.execute(f"CREATE TABLE {name}.t (id INT)")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_the_server_ends_with_the_process_that_started_it(tmp_path: Path, number: signal.Signals) -> None:
    holder = subprocess.Popen([sys.executable, "-P", "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    with holder.stdout:
        server = psutil.Process(int(holder.stdout.readline()))
    assert server.name() == "mariadbd"
    holder.send_signal(number)
    holder.wait(60)
    deadline = time.monotonic() + 20
    while server.is_running() and server.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_missing_server_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(mariadb, "_SBIN", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="apt-get install mariadb-server-core mariadb-client-core"):
        mariadb.running(tmp_path).__enter__()
