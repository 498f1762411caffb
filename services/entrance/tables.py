"""The entrance's tables: users, their tokens and log-ins; artifacts. Secrets are kept as hashes only."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text, UniqueConstraint
from sqlalchemy.dialects import mysql

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

_EXACT = String(100).with_variant(mysql.VARCHAR(100, collation="utf8mb4_bin"), "mysql", "mariadb")
"""Capital letters are other letters, as they are for SQLite."""

ARTIFACT = Table(
    "headgate_artifact",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("owner", String(20), nullable=False),
    Column("name", _EXACT, comment="null: only its id names it"),
    Column("system", String(64), comment="as the uploader said"),
    Column("last_number", Integer, nullable=False, comment="of the newest version there ever was"),
    Column("created_at", MilliTime, nullable=False),
    UniqueConstraint("owner", "name"),
)

ARTIFACT_VERSION = Table(
    "headgate_artifact_version",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("artifact_id", String(36), nullable=False),
    Column("number", Integer, nullable=False, comment="1 is v000001"),
    Column("path", String(100), nullable=False, unique=True, comment="under the storage root"),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False, comment="bytes"),
    Column("file_name", String(255), nullable=False, comment="as it was uploaded"),
    Column("jar", Text, comment="JSON: what a jar says of itself; null: it is none"),
    Column("created_at", MilliTime, nullable=False),
    UniqueConstraint("artifact_id", "number"),
    sqlite_autoincrement=True,
    comment="a version never changes",
)

ARTIFACT_READER = Table(
    "headgate_artifact_reader",
    METADATA,
    Column("artifact_id", String(36), primary_key=True),
    Column("user", String(20), primary_key=True, comment="* is everybody"),
)

ARTIFACT_USE = Table(
    "headgate_artifact_use",
    METADATA,
    Column("short_id", String(64), primary_key=True, comment="of the job; while it has not ended"),
    Column("artifact_id", String(36), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("created_at", MilliTime, nullable=False),
    Index("headgate_artifact_use_of", "artifact_id", "number"),
)
