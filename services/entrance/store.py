"""All SQL of the entrance. Functions take the transaction and never commit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.entrance.tables import SESSION, SUBMIT_KEY, TOKEN, USER


async def user(tx: AsyncConnection, name: str) -> Row[Any] | None:
    row: Row[Any] | None = (await tx.execute(select(USER).where(USER.c.name == name))).first()
    return row


async def users(tx: AsyncConnection) -> int:
    return int((await tx.execute(select(func.count()).select_from(USER))).scalar_one())


async def insert_user(tx: AsyncConnection, **values: object) -> None:
    await tx.execute(insert(USER).values(**values))


async def token(tx: AsyncConnection, token_hash: str) -> Row[Any] | None:
    row: Row[Any] | None = (await tx.execute(select(TOKEN).where(TOKEN.c.token_hash == token_hash))).first()
    return row


async def insert_token(tx: AsyncConnection, **values: object) -> None:
    await tx.execute(insert(TOKEN).values(**values))


async def all_users(tx: AsyncConnection) -> Sequence[Row[Any]]:
    return (await tx.execute(select(USER).order_by(USER.c.name))).all()


async def update_user(tx: AsyncConnection, name: str, **values: object) -> None:
    await tx.execute(update(USER).where(USER.c.name == name).values(**values))


async def tokens(tx: AsyncConnection) -> Sequence[Row[Any]]:
    return (await tx.execute(select(TOKEN).order_by(TOKEN.c.id))).all()


async def delete_token(tx: AsyncConnection, token_id: int) -> None:
    await tx.execute(delete(TOKEN).where(TOKEN.c.id == token_id))


async def session(tx: AsyncConnection, ticket_hash: str) -> Row[Any] | None:
    row: Row[Any] | None = (await tx.execute(select(SESSION).where(SESSION.c.ticket_hash == ticket_hash))).first()
    return row


async def insert_session(tx: AsyncConnection, ticket_hash: str, user: str, expires_at: datetime) -> None:
    await tx.execute(insert(SESSION).values(ticket_hash=ticket_hash, user=user, expires_at=expires_at))


async def extend_session(tx: AsyncConnection, ticket_hash: str, expires_at: datetime) -> None:
    await tx.execute(update(SESSION).where(SESSION.c.ticket_hash == ticket_hash).values(expires_at=expires_at))


async def delete_session(tx: AsyncConnection, ticket_hash: str) -> None:
    await tx.execute(delete(SESSION).where(SESSION.c.ticket_hash == ticket_hash))


async def delete_sessions_of(tx: AsyncConnection, user: str) -> None:
    await tx.execute(delete(SESSION).where(SESSION.c.user == user))


async def delete_old_sessions(tx: AsyncConnection, before: datetime, most: int) -> int:
    """Those that have expired, at most so many; how many they were."""
    return await _delete_some(tx, SESSION.c.ticket_hash, SESSION.c.expires_at < before, most)


async def delete_old_tokens(tx: AsyncConnection, before: datetime, most: int) -> int:
    return await _delete_some(tx, TOKEN.c.id, TOKEN.c.expires_at < before, most)


async def submit_key(tx: AsyncConnection, user: str, key_hash: str) -> Row[Any] | None:
    where = (SUBMIT_KEY.c.user == user, SUBMIT_KEY.c.key_hash == key_hash)
    row: Row[Any] | None = (await tx.execute(select(SUBMIT_KEY).where(*where))).first()
    return row


async def insert_submit_key(tx: AsyncConnection, **values: object) -> None:
    await tx.execute(insert(SUBMIT_KEY).values(**values))


async def delete_submit_key(tx: AsyncConnection, user: str, key_hash: str) -> None:
    await tx.execute(delete(SUBMIT_KEY).where(SUBMIT_KEY.c.user == user, SUBMIT_KEY.c.key_hash == key_hash))


async def delete_old_submit_keys(tx: AsyncConnection, before: datetime, most: int) -> int:
    return await _delete_some(tx, SUBMIT_KEY.c.short_id, SUBMIT_KEY.c.created_at < before, most)


async def _delete_some(tx: AsyncConnection, key: Column[Any], old: ColumnElement[bool], most: int) -> int:
    """Rows that are old, by a key: a LIMIT within DELETE is not for both databases."""
    keys = list((await tx.execute(select(key).where(old).limit(most))).scalars())
    if keys:
        await tx.execute(delete(key.table).where(key.in_(keys), old))
    return len(keys)
