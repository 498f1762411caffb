"""Who asks: users with passwords, tokens and log-ins, and who may change them."""

from __future__ import annotations

import asyncio
import hashlib
import math
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from commons.database.connections import Database, Transaction
from commons.process import telemetry
from commons.process.clock import Clock, to_datetime, to_ms
from commons.process.errors import AlreadyExists, Invalid, NotFound, NotLoggedIn, Refused
from protocol import codes
from services.entrance import store
from services.entrance.known import Known
from services.entrance.tries import Tries
from services.entrance.wire import exec_id

SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 200
LONGEST_TOKEN_DAYS = 3650
MOST_LEGAL_USERS = 100
DAY_MS = 86_400_000
WRONG = "wrong user name or password(用户名或密码错误)！"
_FAILURE_SECONDS = 0.5

_REFUSED = telemetry.counter("log_ins_refused", "Wrong passwords (or names) and tokens.", ("by",))


@dataclass(frozen=True, slots=True)
class Asker:
    """A user who has shown who he is."""

    user: str
    is_admin: bool


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """What may be told of a token: all but the token."""

    id: int
    legal_users: list[str]
    expires_ms: int | None


@dataclass(frozen=True, slots=True)
class Account:
    """A user as he is listed."""

    name: str
    is_admin: bool
    created_ms: int
    tokens: list[TokenInfo]


class Users:
    """Passwords are verified in a thread, at most two at once: each takes 64 MiB and a tenth of a second."""

    def __init__(self, db: Database, clock: Clock, session_seconds: float) -> None:
        self._db = db
        self._clock = clock
        self.session_ms = int(session_seconds * 1000)
        self._hasher = PasswordHasher()
        self._turns = asyncio.Semaphore(2)
        self._tries = Tries(clock)
        self._dummy = self._hasher.hash(secrets.token_hex())
        self._known: Known[Asker] = Known()

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[Transaction]:
        """A transaction after which everybody has to show anew who he is."""
        async with self._db.write() as tx:
            yield tx
        self._known.forget()

    async def log_in(self, name: str, password: str, address: str) -> tuple[Asker, str]:
        """The asker and a new ticket. A wrong name takes as long as a wrong password.

        Raises Invalid, or Exhausted when too many wrong passwords came from `address`.
        """
        async with self._db.read() as tx:
            row = await store.user(tx, name)
        hashed = row.password_hash if row is not None else self._dummy
        if not await self._is_right(name, address, hashed, password) or row is None:
            _REFUSED.labels("password").inc()
            raise Invalid(codes.LOGIN_FAILED, WRONG)
        return Asker(name, bool(row.is_admin)), await self.new_ticket(name)

    async def new_ticket(self, name: str) -> str:
        """A ticket for a user who has shown who he is."""
        ticket = secrets.token_urlsafe(32)
        now = self._clock.now_ms()
        async with self._db.write() as tx:
            await store.insert_session(tx, _digest(ticket), name, to_datetime(now + self.session_ms))
        return ticket

    async def log_out(self, ticket: str) -> None:
        async with self._change() as tx:
            await store.delete_session(tx, _digest(ticket))

    async def by_ticket(self, ticket: str) -> Asker | None:
        """Who holds the ticket; half-way through its time it is extended."""
        shown = _digest(ticket)
        if (known := self._known.find(shown)) is not None:
            return known
        now, version = self._clock.now_ms(), self._known.version
        async with self._db.read() as tx:
            session = await store.session(tx, shown)
            row = await store.user(tx, session.user) if session is not None else None
        if session is None or row is None or to_ms(session.expires_at) < now:
            return None
        left_ms = to_ms(session.expires_at) - now
        if left_ms < self.session_ms / 2:
            async with self._db.write() as tx:
                await store.extend_session(tx, shown, to_datetime(now + self.session_ms))
        asker = Asker(row.name, bool(row.is_admin))
        self._known.learn(shown, asker, version, left_ms / 1000)
        return asker

    async def by_token(self, token: str, name: str) -> Asker:
        """The user a token is used for. Raises NotLoggedIn without saying which of the two is wrong."""
        shown = f"{_digest(token)} {name}"
        if (known := self._known.find(shown)) is not None:
            return known
        now, version = self._clock.now_ms(), self._known.version
        async with self._db.read() as tx:
            row = await store.token(tx, _digest(token))
            user = await store.user(tx, name)
        legal = row is not None and _is_for(row, name)
        left_ms = to_ms(row.expires_at) - now if row is not None and row.expires_at is not None else math.inf
        if not legal or left_ms <= 0 or user is None:
            _REFUSED.labels("token").inc()
            raise NotLoggedIn(
                codes.TOKEN_INVALID, "Token Authentication Failed: Invalid Token for this Token-User(无效令牌)"
            )
        asker = Asker(user.name, bool(user.is_admin))
        self._known.learn(shown, asker, version, left_ms / 1000)
        return asker

    async def create(self, name: str, password: str, *, is_admin: bool) -> None:
        """A new user. Raises Invalid naming the field, or AlreadyExists."""
        check_user(name)
        hashed = await self._hashed(password)
        async with self._change() as tx:
            if await store.user(tx, name) is not None:
                raise AlreadyExists(
                    codes.NAME_TAKEN, f"there is a user {name} already; choose another name", field="userName"
                )
            now = to_datetime(self._clock.now_ms())
            await store.insert_user(tx, name=name, password_hash=hashed, is_admin=is_admin, created_at=now)

    async def accounts(self, asker: Asker) -> list[Account]:
        """Every user for an administrator; for others only who asks."""
        async with self._db.read() as tx:
            rows, tokens = await store.all_users(tx), await store.tokens(tx)
        return [
            Account(
                row.name, bool(row.is_admin), to_ms(row.created_at), [_info(t) for t in tokens if t.owner == row.name]
            )
            for row in rows
            if asker.is_admin or row.name == asker.user
        ]

    async def change_password(self, asker: Asker, name: str, password: str, old: str, address: str) -> None:
        """A new password; every session of the user ends. To change his own he gives the old one.

        Raises Refused for somebody else's, Invalid naming the field, NotFound, Exhausted.
        """
        async with self._db.read() as tx:
            row = await self._account(tx, asker, name)
        if name == asker.user and not await self._is_right(name, address, row.password_hash, old):
            what = "oldPassword is not your password; give the present one"
            raise Invalid(codes.FIELD_INVALID, what, field="oldPassword")
        hashed = await self._hashed(password)
        async with self._change() as tx:
            await store.update_user(tx, name, password_hash=hashed)
            await store.delete_sessions_of(tx, name)

    async def set_administrator(self, asker: Asker, name: str, is_admin: bool) -> None:
        """Make a user an administrator, or take that away, and his tokens with it: they may be for other users.

        Nobody does this to himself, so there is always an administrator. Raises Refused, NotFound.
        """
        if not asker.is_admin or name == asker.user:
            raise Refused(codes.ADMINISTRATORS_ONLY, "isAdmin is changed by another administrator", field="isAdmin")
        async with self._change() as tx:
            if not (await self._account(tx, asker, asker.user)).is_admin:  # two may take it from each other at once
                raise Refused(codes.ADMINISTRATORS_ONLY, "you are no administrator any longer", field="isAdmin")
            await self._account(tx, asker, name)
            await store.update_user(tx, name, is_admin=is_admin)
            for token in [] if is_admin else await store.tokens(tx):
                if token.owner == name:
                    await self._void(tx, token)

    async def create_token(self, asker: Asker, legal_users: list[str], days: float | None) -> tuple[TokenInfo, str]:
        """A new token for `legal_users` (["*"]: every user), valid for `days`, or until it is revoked.

        Only its hash is kept. Raises Refused when it is for others and the asker no administrator; Invalid; NotFound.
        """
        if not asker.is_admin and legal_users != [asker.user]:
            what = "only administrators make tokens for other users; leave legalUsers out"
            raise Refused(codes.ADMINISTRATORS_ONLY, what, field="legalUsers")
        if days is not None and not 0 < days <= LONGEST_TOKEN_DAYS:
            what = f"expireDays must be above 0 and at most {LONGEST_TOKEN_DAYS}"
            raise Invalid(codes.FIELD_INVALID, what, field="expireDays")
        legal_users = list(dict.fromkeys(legal_users))
        if len(legal_users) > MOST_LEGAL_USERS:
            what = f'legalUsers takes at most {MOST_LEGAL_USERS} names; give ["*"] for every user'
            raise Invalid(codes.FIELD_INVALID, what, field="legalUsers")
        secret = secrets.token_urlsafe(32)
        ends = None if days is None else to_datetime(self._clock.now_ms() + int(days * DAY_MS))
        async with self._change() as tx:
            for name in legal_users:
                if name != "*" and await store.user(tx, name) is None:
                    raise NotFound(
                        codes.FIELD_INVALID, f"legalUsers: there is no user {name[:60]!r}", field="legalUsers"
                    )
            await store.insert_token(
                tx, token_hash=_digest(secret), owner=asker.user, legal_users=",".join(legal_users), expires_at=ends
            )
            row = await store.token(tx, _digest(secret))
        assert row is not None
        return _info(row), secret

    async def revoke_token(self, asker: Asker, token_id: int) -> None:
        """The token is void at once; its users' sessions end, for it may have opened them. Raises NotFound."""
        async with self._change() as tx:
            row = next((row for row in await store.tokens(tx) if row.id == token_id), None)
            if row is None or not (asker.is_admin or row.owner == asker.user):
                raise NotFound(codes.FIELD_INVALID, "you have no such token; /user/list tells yours", field="id")
            await self._void(tx, row)

    async def first_administrator(self, keep: Callable[[str, str], None]) -> None:
        """Make the administrator `admin`, unless there is a user already.

        `keep(password, token)` is called before they are valid: a crash in between leaves secrets that are good for
        nothing, and the next start makes new ones.
        """
        password, token = secrets.token_urlsafe(15), secrets.token_urlsafe(32)
        hashed = await asyncio.to_thread(self._hasher.hash, password)
        async with self._change() as tx:
            if await store.users(tx):
                return
            now = to_datetime(self._clock.now_ms())
            await store.insert_user(tx, name="admin", password_hash=hashed, is_admin=True, created_at=now)
            await store.insert_token(tx, token_hash=_digest(token), owner="admin", legal_users="admin")
            keep(password, token)

    async def _account(self, tx: Transaction, asker: Asker, name: str) -> Any:
        if not asker.is_admin and name != asker.user:
            raise Refused(codes.ADMINISTRATORS_ONLY, "only administrators change other users", field="userName")
        row = await store.user(tx, name)
        if row is None:
            raise NotFound(codes.FIELD_INVALID, f"there is no user {name[:60]!r}", field="userName")
        return row

    async def _void(self, tx: Transaction, token: Any) -> None:
        """The token goes, and with it every session it may have opened."""
        await store.delete_token(tx, token.id)
        for user in await store.all_users(tx):
            if _is_for(token, user.name):
                await store.delete_sessions_of(tx, user.name)

    async def _hashed(self, password: str) -> str:
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            what = f"password must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters"
            raise Invalid(codes.FIELD_INVALID, what, field="password")
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def _is_right(self, name: str, address: str, hashed: str, password: str) -> bool:
        async def verify() -> bool:
            async with self._turns:
                return await asyncio.to_thread(self._verify, hashed, password)

        right = await self._tries.is_right(name, address, verify)
        if not right:
            await asyncio.sleep(_FAILURE_SECONDS)
        return right

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


def _is_for(token: Any, name: str) -> bool:
    return not {"*", name}.isdisjoint(token.legal_users.split(","))


def _info(row: Any) -> TokenInfo:
    return TokenInfo(row.id, row.legal_users.split(","), None if row.expires_at is None else to_ms(row.expires_at))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
