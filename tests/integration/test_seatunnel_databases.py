"""SeaTunnel between databases, on a real MariaDB: tables, whole databases, changes as they happen; and what refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from commons.process.masking import MASK
from protocol import codes
from services.engineconn.engine import Outcome
from tests.support.mariadb import Account, MariaDB
from tests.support.seatunnel import Zeta, opened

pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSWORD = "zebra-Crossing-71"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def zeta(tmp_path_factory: pytest.TempPathFactory, seatunnel_home: Path) -> AsyncIterator[Zeta]:
    async with opened(tmp_path_factory.mktemp("databases")) as running:
        yield running


@pytest.fixture
def databases(maria: MariaDB) -> Iterator[MariaDB]:
    """`shop`, with customers and orders, and `copy`, empty."""
    with maria.database("shop"), maria.database("copy"):
        maria.execute(
            "CREATE TABLE shop.customers (id INT PRIMARY KEY, name VARCHAR(50), since DATE)",
            "CREATE TABLE shop.orders (id BIGINT PRIMARY KEY, customer INT, amount DECIMAL(10,2), note VARCHAR(50))",
            "INSERT INTO shop.customers VALUES (1, 'Ada', '1815-12-10'), (2, 'Bäb', NULL), (3, 'Cy', '2000-01-01')",
            "INSERT INTO shop.orders SELECT seq, 1 + seq % 3, seq / 4, CONCAT('n', seq) FROM shop.seq_1_to_500",
        )
        yield maria


def access(database: MariaDB, who: Account, name: str, password: str = "") -> str:
    return (
        f'url = "{database.url(name)}", driver = com.mysql.cj.jdbc.Driver, '
        f'user = {who.user}, password = "{password or who.password}"'
    )


def sink(database: MariaDB, table: str) -> str:
    return (
        f"Jdbc {{ {access(database, database.sink, 'copy')}, generate_sink_sql = true, database = copy, "
        f'table = "{table}", schema_save_mode = CREATE_SCHEMA_WHEN_NOT_EXIST }}'
    )


def job(source: str, into: str, env: str = "job.mode = BATCH, job.retry.times = 0") -> str:
    return f"env {{ {env} }}\nsource {{ {source} }}\nsink {{ {into} }}\n"


def content(database: MariaDB, table: str) -> Sequence[tuple[Any, ...]]:
    return database.rows(f"SELECT * FROM {table} ORDER BY id")


async def test_a_table_is_copied(zeta: Zeta, databases: MariaDB) -> None:
    source = f'Jdbc {{ {access(databases, databases.source, "shop")}, query = "select * from shop.orders" }}'
    ran = await zeta.succeeds(job(source, sink(databases, "orders_copy")))
    assert content(databases, "copy.orders_copy") == content(databases, "shop.orders")
    assert ran.metrics["rows_read"] == ran.metrics["rows_written"] == 500


async def test_a_whole_database_is_copied(zeta: Zeta, databases: MariaDB) -> None:
    tables = 'table_list = [{ table_path = "shop.customers" }, { table_path = "shop.orders" }]'
    source = f"Jdbc {{ {access(databases, databases.source, 'shop')}, {tables} }}"
    ran = await zeta.succeeds(job(source, sink(databases, "c_${table_name}")))
    for table in ("customers", "orders"):
        assert content(databases, f"copy.c_{table}") == content(databases, f"shop.{table}")
    assert {row["table"]: row["rows_written"] for row in ran.rows} == {"shop.customers": 3, "shop.orders": 500}


def changes(database: MariaDB) -> str:
    source = (
        f'MySQL-CDC {{ base-url = "{database.url("shop")}", username = {database.source.user}, '
        f'password = "{database.source.password}", table-names = ["shop.customers", "shop.orders"], '
        'server-id = "5701-5710", server-time-zone = UTC }'
    )
    env = "job.mode = STREAMING, checkpoint.interval = 1000, parallelism = 1, job.retry.times = 0"
    return job(source, sink(database, "cdc_${table_name}"), env)


def equal(database: MariaDB) -> bool:
    """Whether both tables are, by now, the same on both sides."""
    there = {row[0] for row in database.rows("SHOW TABLES IN copy")}
    return {"cdc_customers", "cdc_orders"} <= there and all(
        content(database, f"copy.cdc_{table}") == content(database, f"shop.{table}")
        for table in ("customers", "orders")
    )


async def same(database: MariaDB) -> None:
    async with asyncio.timeout(90):
        while not await asyncio.to_thread(equal, database):
            await asyncio.sleep(0.2)


async def test_changes_are_followed_also_over_a_suspension(zeta: Zeta, databases: MariaDB) -> None:
    async with zeta.running(changes(databases)) as (ran, working):
        await same(databases)
        databases.execute(
            "INSERT INTO shop.customers VALUES (4, 'Dee', '1999-09-09')",
            "UPDATE shop.orders SET amount = amount + 1, note = 'changed' WHERE id <= 20",
            "DELETE FROM shop.orders WHERE id > 490",
        )
        await same(databases)
        await zeta.engine.operate(ran.task, "suspend", {})
        await asyncio.wait_for(working, 60)
    assert ran.ended.outcome is Outcome.SUCCEED and ran.metrics["rows_written"] >= 503 + 1 + 40 + 10
    databases.execute(
        "UPDATE shop.customers SET name = 'Bob' WHERE id = 2",
        "DELETE FROM shop.customers WHERE id = 1",
        "INSERT INTO shop.orders VALUES (1000, 4, 0.01, 'while it slept')",
    )
    assert not equal(databases)
    async with zeta.running(changes(databases), ran.savepoints[0].path) as (again, _):
        await same(databases)
        databases.execute(
            "UPDATE shop.orders SET note = 'awake' WHERE id = 1000", "DELETE FROM shop.orders WHERE id = 7"
        )
        await same(databases)
    assert again.ended.outcome is Outcome.CANCELLED and again.engine_job_id == ran.engine_job_id
    for said in (ran, again):
        assert databases.source.password not in said.log and databases.sink.password not in said.log


async def test_a_wrong_password_is_told_and_shown_nowhere(zeta: Zeta, databases: MariaDB) -> None:
    source = f'Jdbc {{ {access(databases, databases.source, "shop", PASSWORD)}, query = "select 1" }}'.replace(
        "?useSSL", f"?password={PASSWORD}&useSSL"
    )
    ran = await zeta.run(job(source, "Console {}"))
    assert (ran.ended.outcome, ran.ended.code) == (Outcome.FAILED, codes.STATEMENT_FAILED)
    assert "Access denied for user 'reader'" in ran.ended.message and PASSWORD not in ran.ended.message
    assert PASSWORD not in ran.log and MASK in ran.log
    command = " ".join([*zeta.process().cmdline(), *zeta.process().environ().values()])
    assert PASSWORD not in command
    files = [file for file in zeta.folder.rglob("*") if file.is_file()]
    assert [file.name for file in files if PASSWORD.encode() in file.read_bytes()] == []


async def test_an_unreachable_database_is_told(zeta: Zeta, databases: MariaDB) -> None:
    source = f'Jdbc {{ {access(databases, databases.source, "shop")}, query = "select 1" }}'
    ran = await zeta.run(job(source.replace(f":{databases.port}/", ":1/"), "Console {}"))
    assert (ran.ended.outcome, ran.ended.code) == (Outcome.FAILED, codes.STATEMENT_FAILED)
    assert ran.ended.message.endswith("the database does not answer: Connection refused")


async def test_a_table_that_is_not_there_is_told(zeta: Zeta, databases: MariaDB) -> None:
    source = f'Jdbc {{ {access(databases, databases.source, "shop")}, table_path = "shop.nothing" }}'
    ran = await zeta.run(job(source, "Console {}"))
    assert ran.ended.outcome is Outcome.FAILED and "shop.nothing" in ran.ended.message
