"""Artifacts: files that users keep here for their jobs, in versions that never change.

A file is first stored whole, then its row is inserted: before that nobody sees it, and what a crash leaves between the
two the sweep removes. A version goes only when no job uses it, row first, then file.
"""

from __future__ import annotations

import asyncio
import difflib
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from commons.database.connections import Database, Row, Transaction
from commons.process.clock import Clock, to_datetime, to_ms
from commons.process.errors import AlreadyExists, Conflict, Invalid, NotFound, Refused
from commons.process.ids import random_hex
from commons.storage import Storage
from protocol import codes, layout
from services.entrance import jars, store
from services.entrance import store_artifacts as rows
from services.entrance.artifact_uses import ArtifactUses, User
from services.entrance.jars import Jar
from services.entrance.receiving import Incoming
from services.entrance.references import (
    Reference,
    checked_name,
    default_name,
    is_jar_name,
    parse_reference,
    version_name,
    version_number,
)
from services.entrance.users import Asker

ID = "resourceId"
MOST_READERS = 100
CHECKS_AT_ONCE = 2
"""Jars that are looked into; each takes up to some hundred megabytes for its directory."""
_MOST_NAMES = 1000


@dataclass(frozen=True, slots=True)
class Artifact:
    """One version of an artifact."""

    resource_id: str
    name: str
    """Unique among its owner's; the id of one that was given none."""
    number: int
    location: str
    """Its path under the storage root; `address` is the whole URI, as users see it."""
    sha256: str
    size: int
    owner: str
    file_name: str
    jar: Jar | None
    """What it says of itself; None when it is no jar."""
    created_ms: int
    row_id: int
    address: str

    @property
    def version(self) -> str:
        """Such as v000001."""
        return version_name(self.number)


@dataclass(frozen=True, slots=True)
class Basics:
    """What is told of an artifact as a whole."""

    version: Artifact
    """The one that was asked for."""
    system: str | None
    versions: int
    created_ms: int
    readers: Sequence[str] | None
    """Whom it is shared with, and `users`, which jobs use it: None when the asker may not know."""
    users: Sequence[User] | None


class Artifacts:
    """What the doors can do with them. A reference that leads to nothing, or to what is not shared with the asker,
    raises NotFound."""

    def __init__(self, db: Database, clock: Clock, storage: Storage, uses: ArtifactUses, largest: int) -> None:
        """`largest` is the size of a file, in bytes."""
        self._db = db
        self._clock = clock
        self._storage = storage
        self._looking = asyncio.Semaphore(CHECKS_AT_ONCE)
        self.uses = uses
        self.largest = largest

    @asynccontextmanager
    async def receive(self) -> AsyncIterator[Incoming]:
        """A file to write; nothing of it stays unless it has become an artifact when the block ends."""
        path = f"{layout.ARTIFACTS}/{layout.day_of(self._clock.now_ms())}/{random_hex()}"
        incoming = Incoming(await asyncio.to_thread(self._storage.create, path), path, self.largest)
        try:
            yield incoming
        finally:
            if not incoming.is_kept:
                await incoming.discard()

    async def create(self, asker: Asker, file: Incoming, file_name: str, name: str = "", system: str = "") -> Artifact:
        """A new artifact of the asker's. Without a `name` it is called after its file, unless another one is.

        Raises Invalid for a jar that is none, AlreadyExists when the name is taken.
        """
        if name:
            checked_name(name, "name")
        jar = await self._stored(file, file_name, is_jar_name(file_name))
        id, now = str(uuid.uuid4()), to_datetime(self._clock.now_ms())
        async with self._db.write() as tx:
            values = {"id": id, "owner": asker.user, "system": system or None, "last_number": 0, "created_at": now}
            wanted = name or default_name(file_name)
            if not wanted or not await rows.insert_artifact(tx, **values, name=wanted):
                if name:
                    raise _name_taken(name)
                await rows.insert_artifact(tx, **values, name=None)
            return await self._inserted(tx, id, 1, file, file_name, jar)

    async def add_version(
        self, asker: Asker, file: Incoming, file_name: str, reference: str, version: str = ""
    ) -> Artifact:
        """The next version of an artifact. One that is `version` already, with this content, is given as it is.

        Raises Invalid for a jar that is none, AlreadyExists for a version with another content, Refused.
        """
        found = await self.find(asker, parse_reference(reference, ID))
        _changes(asker, found)
        number = version_number(version, "version") if version else 0
        jar = await self._stored(file, file_name, found.jar is not None or is_jar_name(file_name))
        async with self._db.write() as tx:
            row = await rows.artifact(tx, id=found.resource_id, lock=True)
            if row is None:
                raise await self._unknown(tx, asker, parse_reference(reference, ID), ID)
            if number and (there := await rows.version(tx, row.id, number)) is not None:
                if there.sha256 == file.sha256:
                    return self._artifact(there)
                what = f"{found.name} has {version} already, with another content, and versions never change"
                raise AlreadyExists(codes.NAME_TAKEN, f"{what}; leave version out", field="version")
            if number and number != row.last_number + 1:
                what = f"the next version of {found.name} is {version_name(row.last_number + 1)}; leave version out"
                raise Invalid(codes.FIELD_INVALID, what, field="version")
            return await self._inserted(tx, row.id, row.last_number + 1, file, file_name, jar)

    async def resolve(self, asker: Asker, reference: str, field: str = ID) -> Artifact:
        """What a text names, see `parse_reference`; the newest version when it names none.

        Raises Invalid or NotFound naming the field and, of names, the nearest.
        """
        return await self.find(asker, parse_reference(reference, field), field)

    async def find(self, asker: Asker, reference: Reference, field: str = ID, version_field: str = "") -> Artifact:
        """The same of a reference that has been read."""
        async with self._db.read() as tx:
            row = await rows.artifact(tx, id=reference.id, owner=reference.owner or asker.user, name=reference.name)
            if row is None or not await self._may_read(tx, asker, row):
                raise await self._unknown(tx, asker, reference, field)
            version = await rows.version(tx, row.id, reference.number)
            if version is None:
                newest = await rows.versions(tx, row.id, 0, 5)
                there = ", ".join(version_name(each.number) for each in newest)
                what = f"{row.name or row.id} has no version {version_name(reference.number)}; the newest are: {there}"
                raise NotFound(codes.ARTIFACT_UNKNOWN, what, field=version_field or field)
        return self._artifact(version)

    async def basics(self, asker: Asker, reference: str) -> Basics:
        """All that is told of an artifact; who reads and uses it, to those who may change it."""
        found = await self.find(asker, parse_reference(reference, ID))
        all_of_it = _may_change(asker, found)
        async with self._db.read() as tx:
            row = await rows.artifact(tx, id=found.resource_id)
            versions = await rows.count_versions(tx, found.resource_id)
            readers = await rows.readers(tx, found.resource_id)
        users = await self.uses.of(found.resource_id) if all_of_it else None
        created_ms = found.created_ms if row is None else to_ms(row.created_at)
        system = None if row is None else row.system
        return Basics(found, system, versions, created_ms, readers if all_of_it else None, users)

    async def versions(self, asker: Asker, reference: str, skip: int, most: int) -> tuple[Artifact, list[Artifact]]:
        """The newest version, and some of all, the newest first."""
        newest = await self.find(asker, parse_reference(reference, ID))
        async with self._db.read() as tx:
            return newest, [self._artifact(row) for row in await rows.versions(tx, newest.resource_id, skip, most)]

    async def visible(self, asker: Asker, system: str, skip: int, most: int, *, all_users: bool) -> list[Artifact]:
        """Newest versions of the asker's artifacts and of those shared with him; of all, for administrators."""
        user = None if all_users and asker.is_admin else asker.user
        async with self._db.read() as tx:
            return [self._artifact(row) for row in await rows.visible(tx, user, system, skip, most)]

    async def open(self, artifact: Artifact) -> BinaryIO:
        """Its content. Raises NotFound when it has just been deleted."""
        try:
            return await asyncio.to_thread(self._storage.open, artifact.location)
        except FileNotFoundError:
            raise NotFound(codes.ARTIFACT_UNKNOWN, "the file is gone; it has just been deleted", field=ID) from None

    async def check_entry(self, artifact: Artifact, entry_class: str, field: str) -> None:
        """Whether a jar has this class, to be started. Raises Invalid naming those it has."""
        file = await self.open(artifact)
        try:
            async with self._looking:
                await asyncio.to_thread(jars.check_entry, file, artifact.file_name, entry_class, field)
        finally:
            file.close()

    async def share(self, asker: Asker, reference: str, users: Sequence[str]) -> tuple[Artifact, list[str]]:
        """These users may read it from now on, and no others; `*` is everybody. Raises Refused, NotFound, Invalid."""
        found = await self.find(asker, parse_reference(reference, ID))
        _changes(asker, found)
        wanted = sorted(set(users) - {found.owner})
        if len(wanted) > MOST_READERS:
            what = f'users takes at most {MOST_READERS} names; give ["*"] for everybody'
            raise Invalid(codes.FIELD_INVALID, what, field="users")
        async with self._db.write() as tx:
            for name in wanted:
                if name != rows.EVERYBODY and await store.user(tx, name) is None:
                    raise NotFound(codes.FIELD_INVALID, f"users: there is no user {name[:60]!r}", field="users")
            if await rows.artifact(tx, id=found.resource_id, lock=True) is not None:
                await rows.set_readers(tx, found.resource_id, wanted)
        return found, wanted

    async def delete(self, asker: Asker, reference: str, version: str | None = None) -> Artifact:
        """A version goes, or with None all of them unless the reference names one; the artifact with its last one.

        Raises Refused, and Conflict naming the jobs that use it.
        """
        wanted = parse_reference(reference, ID).with_version(version or "", "version")
        found = await self.find(asker, wanted, version_field="version" if version else "")
        _changes(asker, found)
        paths: list[str] | None = None
        while paths is None:
            if users := await self.uses.of(found.resource_id, wanted.number):
                raise _used(found, users)
            paths = await self._deleted(found.resource_id, wanted.number)
        for path in paths:
            await asyncio.to_thread(self._storage.delete, path)
        return found

    async def _deleted(self, artifact_id: str, number: int) -> list[str] | None:
        """Their files; None when a job has come to use one."""
        async with self._db.write() as tx:
            await rows.artifact(tx, id=artifact_id, lock=True)
            if await rows.uses(tx, artifact_id, number, 1):
                return None
            return await rows.delete_versions(tx, artifact_id, number)

    async def _stored(self, file: Incoming, file_name: str, is_jar: bool) -> Jar | None:
        """The file lies where it will be found; what it says of itself when it is a jar. Raises Invalid."""
        jar = None
        if is_jar:
            async with self._looking:
                jar = await asyncio.to_thread(_look, file, file_name)
        await file.keep()
        return jar

    async def _inserted(
        self, tx: Transaction, id: str, number: int, file: Incoming, file_name: str, jar: Jar | None
    ) -> Artifact:
        await rows.insert_version(
            tx, id, number, path=file.path, sha256=file.sha256, size=file.size, file_name=file_name,
            jar=None if jar is None else jar.to_json(), created_at=to_datetime(self._clock.now_ms()),
        )  # fmt: skip
        row = await rows.version(tx, id, number)
        assert row is not None
        file.is_kept = True  # also when the commit fails: whether it did, nobody can tell here; the sweep can
        return self._artifact(row)

    async def _may_read(self, tx: Transaction, asker: Asker, row: Row) -> bool:
        if asker.is_admin or row.owner == asker.user:
            return True
        return not {asker.user, rows.EVERYBODY}.isdisjoint(await rows.readers(tx, row.id))

    async def _unknown(self, tx: Transaction, asker: Asker, reference: Reference, field: str) -> NotFound:
        """The same for one that there is not and for one that is not shared with the asker."""
        found = await rows.names(tx, None if asker.is_admin else asker.user, _MOST_NAMES)
        names = [row.name if row.owner == asker.user else f"{row.owner}/{row.name}" for row in found]
        near = difflib.get_close_matches(reference.text.partition("@")[0], names, 3)
        near += [name for name in names if reference.name and name.endswith(f"/{reference.name}") and name not in near]
        what = f"there is no artifact {reference.text[:120]!r} among yours and those shared with you"
        said = f"; near it are: {', '.join(near[:5])}" if near else "; /bml/getResources lists them"
        return NotFound(codes.ARTIFACT_UNKNOWN, what + said, field=field)

    def _artifact(self, row: Any) -> Artifact:
        return Artifact(
            row.artifact_id, row.name or row.artifact_id, row.number, row.path, row.sha256,
            row.size, row.owner, row.file_name, None if row.jar is None else Jar.from_json(row.jar),
            to_ms(row.created_at), row.id, self._storage.address(row.path),
        )  # fmt: skip


def _look(file: Incoming, file_name: str) -> Jar:
    with file.open() as content:
        return jars.read(content, file_name, "file")


def _may_change(asker: Asker, artifact: Artifact) -> bool:
    return asker.is_admin or artifact.owner == asker.user


def _changes(asker: Asker, artifact: Artifact) -> None:
    if not _may_change(asker, artifact):
        what = f"{artifact.name} is {artifact.owner}'s; only he and administrators change it"
        raise Refused(codes.ARTIFACT_FORBIDDEN, what, field=ID)


def _name_taken(name: str) -> AlreadyExists:
    what = f"you have an artifact {name} already; give another name, or send this as its next version"
    return AlreadyExists(codes.NAME_TAKEN, what, field="name")


def _used(artifact: Artifact, users: Sequence[User]) -> Conflict:
    some = [f"{user.job_id or 'one being submitted'} ({user.user or 'yet unknown'})" for user in users[:10]]
    more = f" and {len(users) - 10} more" if len(users) > 10 else ""
    what = f"{artifact.name} is used by jobs that have not ended: {', '.join(some)}{more}; wait for them or kill them"
    return Conflict(codes.ARTIFACT_USED, what, field=ID)
