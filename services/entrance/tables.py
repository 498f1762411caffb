"""The entrance's tables: users, their tokens and log-ins. Secrets are kept as hashes only."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, String, Table, Text

from commons.database.connections import METADATA, MilliTime

USER = Table(
    "headgate_user",
    METADATA,
    Column("name", String(20), primary_key=True),
    Column("password_hash", String(200), nullable=False, comment="argon2"),
    Column("is_admin", Boolean, nullable=False),
    Column("created_at", MilliTime, nullable=False),
)

TOKEN = Table(
    "headgate_token",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("token_hash", String(64), nullable=False, unique=True, comment="SHA-256"),
    Column("owner", String(20), nullable=False),
    Column("legal_users", Text, nullable=False, comment="* or a list with commas"),
    Column("expires_at", MilliTime, comment="null: never"),
    sqlite_autoincrement=True,
)

SESSION = Table(
    "headgate_session",
    METADATA,
    Column("ticket_hash", String(64), primary_key=True, comment="SHA-256"),
    Column("user", String(20), nullable=False),
    Column("expires_at", MilliTime, nullable=False),
)

SUBMIT_KEY = Table(
    "headgate_submit_key",
    METADATA,
    Column("user", String(20), primary_key=True),
    Column("key_hash", String(64), primary_key=True, comment="SHA-256 of the Idempotency-Key"),
    Column("body_hash", String(64), nullable=False, comment="SHA-256 of what was submitted"),
    Column("short_id", String(64), nullable=False, comment="of the one job"),
    Column("created_at", MilliTime, nullable=False),
    comment="submits that may be repeated, for a day",
)
