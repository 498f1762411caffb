"""All SQL of artifacts and of the jobs that use them. Functions take the transaction and never commit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.entrance.tables import ARTIFACT, ARTIFACT_READER, ARTIFACT_USE, ARTIFACT_VERSION

EVERYBODY = "*"
_VERSION = (
    *(column for column in ARTIFACT_VERSION.c if column.name != "artifact_id"),
    ARTIFACT.c.id.label("artifact_id"),
    ARTIFACT.c.owner,
    ARTIFACT.c.name,
    ARTIFACT.c.system,
)
_OF = ARTIFACT.c.id == ARTIFACT_VERSION.c.artifact_id


async def artifact(
    tx: AsyncConnection, *, id: str = "", owner: str = "", name: str = "", lock: bool = False
) -> Row[Any] | None:
    """By id, or by owner and name. With `lock` nobody else changes it, or notes a use of it, until the end."""
    where = [ARTIFACT.c.id == id] if id else [ARTIFACT.c.owner == owner, ARTIFACT.c.name == name]
    wanted = select(ARTIFACT).where(*where)
    row: Row[Any] | None = (await tx.execute(wanted.with_for_update() if lock else wanted)).first()
    return row


async def insert_artifact(tx: AsyncConnection, **values: object) -> bool:
    """False, and nothing is inserted, when the owner has another of that name."""
    try:
        await tx.execute(insert(ARTIFACT).values(**values))
    except IntegrityError:
        return False
    return True


async def insert_version(tx: AsyncConnection, artifact_id: str, number: int, **values: object) -> int:
    """Its own id, which counts up; `number` is the artifact's last from now on."""
    await tx.execute(update(ARTIFACT).where(ARTIFACT.c.id == artifact_id).values(last_number=number))
    done = await tx.execute(insert(ARTIFACT_VERSION).values(artifact_id=artifact_id, number=number, **values))
    assert done.inserted_primary_key is not None
    return int(done.inserted_primary_key[0])


async def version(tx: AsyncConnection, artifact_id: str, number: int = 0) -> Row[Any] | None:
    """A version with its artifact's columns; the newest without a number."""
    rows = await versions(tx, artifact_id, 0, 1, number)
    return rows[0] if rows else None


async def versions(tx: AsyncConnection, artifact_id: str, skip: int, most: int, number: int = 0) -> Sequence[Row[Any]]:
    """The newest first."""
    wanted = select(*_VERSION).join(ARTIFACT, _OF).where(ARTIFACT.c.id == artifact_id)
    if number:
        wanted = wanted.where(ARTIFACT_VERSION.c.number == number)
    newest_first = wanted.order_by(ARTIFACT_VERSION.c.number.desc()).offset(skip).limit(most)
    rows: Sequence[Row[Any]] = (await tx.execute(newest_first)).all()
    return rows


async def count_versions(tx: AsyncConnection, artifact_id: str) -> int:
    wanted = select(func.count()).where(ARTIFACT_VERSION.c.artifact_id == artifact_id)
    return int((await tx.execute(wanted)).scalar_one())


async def visible(tx: AsyncConnection, user: str | None, system: str, skip: int, most: int) -> Sequence[Row[Any]]:
    """The newest versions of what a user may read (everything without one), the newest artifacts first."""
    newest = select(func.max(ARTIFACT_VERSION.c.number)).where(_OF).correlate(ARTIFACT).scalar_subquery()
    wanted = select(*_VERSION).join(ARTIFACT, _OF).where(ARTIFACT_VERSION.c.number == newest)
    if system:
        wanted = wanted.where(ARTIFACT.c.system == system)
    order = (ARTIFACT.c.created_at.desc(), ARTIFACT.c.id)
    rows: Sequence[Row[Any]] = (
        await tx.execute(_readable(wanted, user).order_by(*order).offset(skip).limit(most))
    ).all()
    return rows


async def names(tx: AsyncConnection, user: str | None, most: int) -> Sequence[Row[Any]]:
    """Owner and name of what a user may read; everything without one."""
    wanted = select(ARTIFACT.c.owner, ARTIFACT.c.name).where(ARTIFACT.c.name.is_not(None))
    rows: Sequence[Row[Any]] = (await tx.execute(_readable(wanted, user).order_by(ARTIFACT.c.name).limit(most))).all()
    return rows


def _readable(wanted: Select[Any], user: str | None) -> Select[Any]:
    if user is None:
        return wanted
    shared = select(ARTIFACT_READER.c.artifact_id).where(ARTIFACT_READER.c.user.in_((user, EVERYBODY)))
    return wanted.where(or_(ARTIFACT.c.owner == user, ARTIFACT.c.id.in_(shared)))


async def readers(tx: AsyncConnection, artifact_id: str) -> list[str]:
    wanted = select(ARTIFACT_READER.c.user).where(ARTIFACT_READER.c.artifact_id == artifact_id)
    return sorted((await tx.execute(wanted)).scalars())


async def set_readers(tx: AsyncConnection, artifact_id: str, users: Collection[str]) -> None:
    await tx.execute(delete(ARTIFACT_READER).where(ARTIFACT_READER.c.artifact_id == artifact_id))
    if users:
        await tx.execute(insert(ARTIFACT_READER), [{"artifact_id": artifact_id, "user": user} for user in users])


async def delete_versions(tx: AsyncConnection, artifact_id: str, number: int) -> list[str]:
    """One version, or all with number 0; the artifact goes with its last one. The paths of their files."""
    where = [ARTIFACT_VERSION.c.artifact_id == artifact_id]
    if number:
        where.append(ARTIFACT_VERSION.c.number == number)
    paths = list((await tx.execute(select(ARTIFACT_VERSION.c.path).where(*where))).scalars())
    await tx.execute(delete(ARTIFACT_VERSION).where(*where))
    if not await count_versions(tx, artifact_id):
        await set_readers(tx, artifact_id, ())
        await tx.execute(delete(ARTIFACT).where(ARTIFACT.c.id == artifact_id))
    return paths


async def known_paths(tx: AsyncConnection, paths: Sequence[str]) -> set[str]:
    """Those of them that are a version's."""
    wanted = select(ARTIFACT_VERSION.c.path).where(ARTIFACT_VERSION.c.path.in_(paths))
    return set((await tx.execute(wanted)).scalars())


async def insert_use(tx: AsyncConnection, short_id: str, artifact_id: str, number: int, created_at: datetime) -> None:
    """That a job uses a version; harmless when it is noted already."""
    key = {"short_id": short_id, "artifact_id": artifact_id, "number": number}
    known = select(ARTIFACT_USE.c.number).where(*(ARTIFACT_USE.c[name] == value for name, value in key.items()))
    if (await tx.execute(known)).first() is None:
        await tx.execute(insert(ARTIFACT_USE).values(**key, created_at=created_at))


async def uses(tx: AsyncConnection, artifact_id: str, number: int, most: int) -> Sequence[Row[Any]]:
    """Uses of a version, or of all with number 0; the oldest first."""
    where = [ARTIFACT_USE.c.artifact_id == artifact_id]
    if number:
        where.append(ARTIFACT_USE.c.number == number)
    order = (ARTIFACT_USE.c.created_at, ARTIFACT_USE.c.short_id)
    rows: Sequence[Row[Any]] = (await tx.execute(select(ARTIFACT_USE).where(*where).order_by(*order).limit(most))).all()
    return rows


async def using_jobs(tx: AsyncConnection, after: str, most: int) -> list[tuple[str, datetime]]:
    """Short ids of jobs that use anything, from behind `after` on, each with the time of its first use."""
    wanted = select(ARTIFACT_USE.c.short_id, func.min(ARTIFACT_USE.c.created_at))
    of_jobs = wanted.where(ARTIFACT_USE.c.short_id > after).group_by(ARTIFACT_USE.c.short_id)
    rows = await tx.execute(of_jobs.order_by(ARTIFACT_USE.c.short_id).limit(most))
    return [(short_id, created_at) for short_id, created_at in rows]


async def delete_uses(tx: AsyncConnection, short_ids: Collection[str]) -> None:
    await tx.execute(delete(ARTIFACT_USE).where(ARTIFACT_USE.c.short_id.in_(short_ids)))
