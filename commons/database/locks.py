"""The common lock: what must happen once in the cluster.

It spares work; it is not a guard (the epoch is). Acquiring is an insert on the unique `lock_object`; `time_out` is the
lease in milliseconds from `update_time` on, and nothing here holds a lock for so long that it would have to renew. A
lease that ran out is taken over by a delete guarded by id and update_time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from sqlalchemy import Column, DateTime, Integer, String, Table, Text, UniqueConstraint, delete, func, insert, select
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import IntegrityError

from commons.database.connections import METADATA, Database, Row, Transaction

LOCK = Table(
    "linkis_ps_common_lock",
    METADATA,
    Column("id", Integer().with_variant(mysql.INTEGER(11), "mysql", "mariadb"), primary_key=True, autoincrement=True),
    Column("lock_object", String(255).with_variant(mysql.VARCHAR(255, collation="utf8_bin"), "mysql", "mariadb")),
    Column(
        "locker",
        String(255).with_variant(mysql.VARCHAR(255, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"),
        comment="locker",
    ),
    Column("time_out", Text().with_variant(mysql.LONGTEXT(collation="utf8_bin"), "mysql", "mariadb")),
    Column("update_time", DateTime, server_default=func.current_timestamp()),
    Column("create_time", DateTime, server_default=func.current_timestamp()),
    UniqueConstraint("lock_object", name="uniq_lock_object"),
    sqlite_autoincrement=True,
)


async def delete_lapsed(tx: Transaction) -> None:
    """Drop locks whose lease has run out: their holders are gone."""
    now = (await tx.execute(select(func.current_timestamp(type_=DateTime)))).scalar_one()
    for row in (await tx.execute(select(LOCK))).all():
        if _ends(row) <= now:
            await _delete(tx, row)


@asynccontextmanager
async def held(db: Database, lock_object: str, locker: str, lease_seconds: int = 30) -> AsyncIterator[bool]:
    """Whether the lock was free (or its lease had run out) and is held for the block; given back afterwards."""
    taken = await _acquire(db, lock_object, locker, lease_seconds)
    try:
        yield taken is not None
    finally:
        if taken is not None:
            async with db.write() as tx:
                await tx.execute(delete(LOCK).where(LOCK.c.id == taken))


async def _acquire(db: Database, lock_object: str, locker: str, lease_seconds: int) -> int | None:
    async with db.write() as tx:
        # looked at first: a refused insert uses up an id
        row = (await tx.execute(select(LOCK).where(LOCK.c.lock_object == lock_object))).first()
        if row is not None:
            now = (await tx.execute(select(func.current_timestamp(type_=DateTime)))).scalar_one()
            if _ends(row) > now:
                return None
            await _delete(tx, row)
        try:
            new = insert(LOCK).values(lock_object=lock_object, locker=locker, time_out=str(lease_seconds * 1000))
            key = (await tx.execute(new)).inserted_primary_key
            return int(key[0]) if key is not None else None
        except IntegrityError:
            return None


def _ends(row: Row) -> datetime:
    ends: datetime = row.update_time + timedelta(milliseconds=int(row.time_out))
    return ends


async def _delete(tx: Transaction, row: Row) -> None:
    """Delete the lock unless it was renewed. Not `==`: SQLite keeps times as texts, its own without a fraction."""
    await tx.execute(delete(LOCK).where(LOCK.c.id == row.id, LOCK.c.update_time <= row.update_time))
