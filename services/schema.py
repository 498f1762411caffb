"""Every owner's tables: created where they are missing, and written out as a DBA reads them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from commons.database import locks
from commons.database.connections import METADATA, Database
from services.entrance import tables as _entrance
from services.jobhistory import tables as _jobhistory
from services.manager import tables as _manager

OWNERS = (_entrance, _jobhistory, _manager, locks)
_LEASE_SECONDS = 60


async def create(db: Database, who: str) -> None:
    """Create what is missing; of several that start at once, one does it and the others wait."""
    async with db.write() as tx:
        await tx.run_sync(lambda connection: locks.LOCK.create(connection, checkfirst=True))
    while True:
        async with locks.held(db, "schema", who, _LEASE_SECONDS) as mine:
            if mine:
                async with db.write() as tx:
                    await tx.run_sync(lambda connection: METADATA.create_all(connection, checkfirst=True))
                return
        await asyncio.sleep(0.5)


def ddl(name: str) -> str:
    """The whole schema as SQL for `sqlite` or `mysql`."""
    dialect: Dialect = mysql.dialect() if name == "mysql" else sqlite.dialect()
    statements = []
    for table in METADATA.sorted_tables:
        statements.append(str(CreateTable(table).compile(dialect=dialect)).strip())
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        statements += [str(CreateIndex(index).compile(dialect=dialect)).strip() for index in indexes]
    return "\n".join(f"{_tidy(statement)};\n" for statement in statements)


def _tidy(statement: str) -> str:
    return "\n".join(line.rstrip().replace("\t", "  ") for line in statement.splitlines())


if __name__ == "__main__":
    for name in ("mysql", "sqlite"):
        (Path(__file__).parent.parent / "sql" / name / "schema.sql").write_text(ddl(name))
