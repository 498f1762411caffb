"""Who asks: users with passwords, tokens and log-ins."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from commons.database.connections import Database
from commons.process.clock import Clock, to_datetime, to_ms
from commons.process.errors import AlreadyExists, Invalid, NotLoggedIn
from protocol import codes
from services.entrance import store
from services.entrance.wire import exec_id

SHORTEST_PASSWORD = 8
WRONG = "wrong user name or password(用户名或密码错误)！"
_FAILURE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Asker:
    """A user who has shown who he is."""

    user: str
    is_admin: bool


class Users:
    """Passwords are verified in a thread, at most two at once: each takes 64 MiB and a tenth of a second."""

    def __init__(self, db: Database, clock: Clock, session_seconds: float) -> None:
        self._db = db
        self._clock = clock
        self.session_ms = int(session_seconds * 1000)
        self._hasher = PasswordHasher()
        self._turns = asyncio.Semaphore(2)
        self._dummy = self._hasher.hash(secrets.token_hex())

    async def log_in(self, name: str, password: str) -> tuple[Asker, str]:
        """The asker and a new ticket. A wrong name takes as long as a wrong password."""
        async with self._db.read() as tx:
            row = await store.user(tx, name)
        async with self._turns:
            ok = await asyncio.to_thread(self._verify, row.password_hash if row is not None else self._dummy, password)
        if row is None or not ok:
            await asyncio.sleep(_FAILURE_SECONDS)
            raise Invalid(codes.LOGIN_FAILED, WRONG)
        return Asker(name, bool(row.is_admin)), await self.new_ticket(name)

    async def new_ticket(self, name: str) -> str:
        """A ticket for a user who has shown who he is."""
        ticket = secrets.token_urlsafe(32)
        now = self._clock.now_ms()
        async with self._db.write() as tx:
            await store.delete_old_sessions(tx, to_datetime(now))
            await store.insert_session(tx, _digest(ticket), name, to_datetime(now + self.session_ms))
        return ticket

    async def log_out(self, ticket: str) -> None:
        async with self._db.write() as tx:
            await store.delete_session(tx, _digest(ticket))

    async def by_ticket(self, ticket: str) -> Asker | None:
        """Who holds the ticket; half-way through its time it is extended."""
        now = self._clock.now_ms()
        async with self._db.read() as tx:
            session = await store.session(tx, _digest(ticket))
            row = await store.user(tx, session.user) if session is not None else None
        if session is None or row is None or to_ms(session.expires_at) < now:
            return None
        if to_ms(session.expires_at) - now < self.session_ms / 2:
            async with self._db.write() as tx:
                await store.extend_session(tx, _digest(ticket), to_datetime(now + self.session_ms))
        return Asker(row.name, bool(row.is_admin))

    async def by_token(self, token: str, name: str) -> Asker:
        """The user a token is used for. Raises NotLoggedIn without saying which of the two is wrong."""
        async with self._db.read() as tx:
            row = await store.token(tx, _digest(token))
            user = await store.user(tx, name)
        legal = row is not None and (row.legal_users == "*" or name in row.legal_users.split(","))
        expired = row is not None and row.expires_at is not None and to_ms(row.expires_at) < self._clock.now_ms()
        if not legal or expired or user is None:
            raise NotLoggedIn(
                codes.TOKEN_INVALID, "Token Authentication Failed: Invalid Token for this Token-User(无效令牌)"
            )
        return Asker(user.name, bool(user.is_admin))

    async def create(self, name: str, password: str, *, is_admin: bool) -> None:
        """A new user. Raises Invalid naming the field, or AlreadyExists."""
        check_user(name)
        if not SHORTEST_PASSWORD <= len(password) <= 200:
            what = f"password must have {SHORTEST_PASSWORD} to 200 characters"
            raise Invalid(codes.FIELD_INVALID, what, field="password")
        async with self._turns:
            hashed = await asyncio.to_thread(self._hasher.hash, password)
        async with self._db.write() as tx:
            if await store.user(tx, name) is not None:
                raise AlreadyExists(codes.NAME_TAKEN, f"there is a user {name} already", field="userName")
            now = to_datetime(self._clock.now_ms())
            await store.insert_user(tx, name=name, password_hash=hashed, is_admin=is_admin, created_at=now)

    async def first_administrator(self, keep: Callable[[str, str], None]) -> None:
        """Make the administrator `admin`, unless there is a user already.

        `keep(password, token)` is called before they are valid: a crash in between leaves secrets that are good for
        nothing, and the next start makes new ones.
        """
        password, token = secrets.token_urlsafe(15), secrets.token_urlsafe(32)
        hashed = await asyncio.to_thread(self._hasher.hash, password)
        async with self._db.write() as tx:
            if await store.users(tx):
                return
            now = to_datetime(self._clock.now_ms())
            await store.insert_user(tx, name="admin", password_hash=hashed, is_admin=True, created_at=now)
            await store.insert_token(tx, token_hash=_digest(token), owner="admin", legal_users="admin")
            keep(password, token)

    def _verify(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except VerificationError:
            return False


def check_user(name: str) -> str:
    """The name, if a user may have it. Raises Invalid."""
    if not exec_id.NAME.match(name):
        what = f"userName must be 1 to {exec_id.LONGEST_NAME} of letters, digits, _ and ."
        raise Invalid(codes.FIELD_INVALID, what, field="userName")
    return name


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
