"""Artifacts on a real database, a real storage root and a real job history; time is turned by hand."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from commons.process.clock import to_datetime
from commons.process.errors import AlreadyExists, Conflict, HeadgateError, Invalid, NotFound, Refused, TooLarge
from commons.storage import Storage
from protocol import codes
from protocol.flink.jar import JARS
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from services.entrance import artifact_uses, retention, store
from services.entrance.artifact_uses import ArtifactUses
from services.entrance.artifacts import Artifact, Artifacts
from services.entrance.intake import JobRequest
from services.entrance.job_artifacts import with_artifacts
from services.entrance.users import Asker
from tests.support.aging import History, aging
from tests.support.java import jar, pom

ADMIN, ALICE, BOB, EVE = (Asker(name, name == "admin") for name in ("admin", "alice", "bob", "eve"))
LARGEST = 100_000
HOUR = 3600


class Kept:
    """Artifacts, and what lies under the storage root of them."""

    def __init__(self, history: History, folder: Path) -> None:
        self.history, self.db, self.clock = history, history.db, history.clock
        self.storage = Storage(f"file://{folder}")
        self.folder = folder / "artifacts"
        self.uses = ArtifactUses(self.db, self.clock, Door(history))  # type: ignore[arg-type]
        self.artifacts = Artifacts(self.db, self.clock, self.storage, self.uses, LARGEST)

    async def push(
        self, asker: Asker, content: bytes, file_name: str, *, name: str = "", to: str = "", version: str = ""
    ) -> Artifact:
        async with self.artifacts.receive() as file:
            for start in range(0, len(content), 1000):
                await file.write(content[start : start + 1000])
            await file.finish(hashlib.sha256(content).hexdigest())
            if to:
                return await self.artifacts.add_version(asker, file, file_name, to, version)
            return await self.artifacts.create(asker, file, file_name, name)

    def files(self) -> list[bytes]:
        return sorted(path.read_bytes() for path in self.folder.rglob("*") if path.is_file())

    async def content(self, artifact: Artifact) -> bytes:
        with await self.artifacts.open(artifact) as file:
            return file.read()

    async def sweep(self) -> None:
        await self.uses.sweep()
        await retention.remove_strays(self.db, self.clock, self.storage)

    def turn(self, seconds: float) -> None:
        """Files are as old as their time of writing says, so that goes back as the clock goes on."""
        self.clock.turn(seconds)

    def age_files(self) -> None:
        for path in self.folder.rglob("*"):
            os.utime(path, (self.clock.now_ms() / 1000 - 2 * HOUR,) * 2)


class Door:
    """The history as its clients see it."""

    def __init__(self, history: History) -> None:
        self._history = history

    async def FindJob(self, request: pb.FindJobRequest) -> pb.Job:
        return await self._history.door.FindJob(request, None)


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    async with aging(tmp_path) as history:
        now = to_datetime(history.clock.now_ms())
        async with history.db.write() as tx:
            for asker in (ADMIN, ALICE, BOB, EVE):
                await store.insert_user(tx, name=asker.user, password_hash="", is_admin=asker.is_admin, created_at=now)
        yield Kept(history, tmp_path / "kept")


async def fault(kind: type[HeadgateError], doing: object) -> HeadgateError:
    with pytest.raises(kind) as caught:
        await doing  # type: ignore[misc]
    return caught.value


async def test_a_file_becomes_an_artifact_once_it_is_whole(kept: Kept) -> None:
    made = await kept.push(ALICE, b"x" * 5000, "data.csv")
    assert (made.name, made.version, made.size, made.owner) == ("data.csv", "v000001", 5000, "alice")
    assert made.sha256 == hashlib.sha256(b"x" * 5000).hexdigest() and made.jar is None
    assert kept.storage.read(made.location) == b"x" * 5000 and made.address == kept.storage.address(made.location)
    assert await kept.artifacts.resolve(ALICE, "data.csv") == made


async def test_versions_count_up_and_never_change(kept: Kept) -> None:
    first = await kept.push(ALICE, b"one", "data.csv")
    second = await kept.push(ALICE, b"two", "other.csv", to="data.csv")
    assert (second.version, second.resource_id, second.name) == ("v000002", first.resource_id, "data.csv")
    assert await kept.content(await kept.artifacts.resolve(ALICE, "data.csv")) == b"two"
    assert await kept.content(await kept.artifacts.resolve(ALICE, "data.csv@v000001")) == b"one"
    await kept.artifacts.delete(ALICE, "data.csv@v000002")
    third = await kept.push(ALICE, b"three", "data.csv", to=first.resource_id)
    assert third.version == "v000003", "a number is not given again"
    newest, some = await kept.artifacts.versions(ALICE, "data.csv", 0, 10)
    assert (newest, [each.version for each in some]) == (third, ["v000003", "v000001"])


async def test_a_version_that_is_there_is_given_again_but_not_exchanged(kept: Kept) -> None:
    await kept.push(ALICE, b"one", "data.csv")
    second = await kept.push(ALICE, b"two", "data.csv", to="data.csv", version="v000002")
    assert await kept.push(ALICE, b"two", "data.csv", to="data.csv", version="v000002") == second
    error = await fault(AlreadyExists, kept.push(ALICE, b"three", "data.csv", to="data.csv", version="v000002"))
    assert (error.code, error.field) == (codes.NAME_TAKEN, "version") and "versions never change" in error.message
    error = await fault(Invalid, kept.push(ALICE, b"three", "data.csv", to="data.csv", version="v000007"))
    assert error.field == "version" and "the next version of data.csv is v000003" in error.message
    assert kept.files() == [b"one", b"two"]


async def test_two_versions_at_once_are_two_versions(kept: Kept) -> None:
    await kept.push(ALICE, b"one", "data.csv")
    pushed = await asyncio.gather(*(kept.push(ALICE, b"%d" % n, "data.csv", to="data.csv") for n in range(8)))
    assert sorted(each.number for each in pushed) == list(range(2, 10))
    assert [await kept.content(each) for each in pushed] == [b"%d" % n for n in range(8)]


async def test_a_name_is_unique_for_its_owner(kept: Kept) -> None:
    one = await kept.push(ALICE, b"a", "data.csv")
    error = await fault(AlreadyExists, kept.push(ALICE, b"b", "x", name="data.csv"))
    assert (error.code, error.field) == (codes.NAME_TAKEN, "name")
    other = await kept.push(BOB, b"c", "data.csv")
    unnamed = await kept.push(ALICE, b"d", "data.csv")
    assert (other.name, unnamed.name) == ("data.csv", unnamed.resource_id), "the file's name was taken by then"
    assert await kept.artifacts.resolve(ALICE, "data.csv") == one
    assert await kept.artifacts.resolve(ALICE, unnamed.resource_id) == unnamed
    assert await kept.artifacts.resolve(ADMIN, "bob/data.csv") == other
    error = await fault(Invalid, kept.push(ALICE, b"e", "x", name="no name"))
    assert error.field == "name" and len(kept.files()) == 3


async def test_a_jar_is_looked_into(kept: Kept) -> None:
    made = await kept.push(ALICE, jar(), "my-job.jar")
    assert made.name == "my-job" and made.jar is not None and made.jar.main_class == "a.Main"
    await kept.artifacts.check_entry(made, "a.Main", "entryClass")
    error = await fault(Invalid, kept.artifacts.check_entry(made, "a.Mein", "entryClass"))
    assert (error.code, error.field) == (codes.JAR_INVALID, "entryClass") and "a.Main" in error.message
    for content, name in ((b"no jar", "other.jar"), (jar({"../x": "x"}), "evil.jar")):
        error = await fault(Invalid, kept.push(ALICE, content, name))
        assert (error.code, error.field) == (codes.JAR_INVALID, "file")
    await fault(Invalid, kept.push(ALICE, b"no jar", "named otherwise", to="my-job"))
    assert kept.files() == [jar()], "of what is refused nothing stays"


async def test_a_file_over_the_limit_leaves_nothing(kept: Kept) -> None:
    await kept.push(ALICE, b"x" * LARGEST, "fits")
    error = await fault(TooLarge, kept.push(ALICE, b"x" * (LARGEST + 1), "too-large"))
    assert error.field == "file" and "HEADGATE_ARTIFACT_MB" in error.message
    assert kept.files() == [b"x" * LARGEST]


async def test_a_file_that_comes_otherwise_than_it_was_sent_leaves_nothing(kept: Kept) -> None:
    async with kept.artifacts.receive() as file:
        await file.write(b"damaged")
        error = await fault(Invalid, file.finish("0" * 64))
    assert error.field == "sha256" and kept.files() == []


async def test_an_upload_that_is_broken_off_leaves_nothing(kept: Kept) -> None:
    with pytest.raises(asyncio.CancelledError):
        async with kept.artifacts.receive() as file:
            await file.write(b"x" * LARGEST)
            raise asyncio.CancelledError
    assert kept.files() == []


async def test_what_a_crash_leaves_the_sweep_removes(kept: Kept) -> None:
    made = await kept.push(ALICE, b"kept", "data.csv")
    half, whole = (kept.storage.create(f"artifacts/2026-01-01/{name}") for name in ("half", "whole"))
    half.write(b"x" * 1000)
    whole.write(b"x")
    whole.close()
    whole.keep()
    for path in kept.folder.rglob("*"):  # as old as the clock says now
        os.utime(path, (kept.clock.now_ms() / 1000,) * 2)
    await kept.sweep()
    assert len(kept.files()) == 3, "an upload may still go on"
    kept.age_files()
    await kept.sweep()
    assert kept.files() == [b"kept"]
    await kept.sweep()
    assert [path.name for path in kept.folder.iterdir()] == [made.location.split("/")[-2]], "empty days go"


async def test_others_see_it_only_when_it_is_shared(kept: Kept) -> None:
    made = await kept.push(ALICE, b"x", "data.csv")
    unknown = await fault(NotFound, kept.artifacts.resolve(BOB, "alice/nothing"))
    for reference in ("alice/data.csv", made.resource_id, f"resource_036{made.resource_id}v000001"):
        hidden = await fault(NotFound, kept.artifacts.resolve(BOB, reference))
        assert (hidden.code, hidden.field) == (unknown.code, unknown.field) == (codes.ARTIFACT_UNKNOWN, "resourceId")
        assert hidden.message.replace(reference, "alice/nothing") == unknown.message
        assert await kept.artifacts.resolve(ADMIN, reference) == made
    assert await kept.artifacts.visible(BOB, "", 0, 10, all_users=True) == []
    await kept.artifacts.share(ALICE, "data.csv", ["bob", "alice"])
    assert await kept.artifacts.resolve(BOB, "alice/data.csv") == made
    assert await kept.artifacts.visible(BOB, "", 0, 10, all_users=False) == [made]
    await fault(NotFound, kept.artifacts.resolve(EVE, "alice/data.csv"))
    await kept.artifacts.share(ALICE, "data.csv", ["*"])
    assert await kept.artifacts.resolve(EVE, "alice/data.csv") == made
    await kept.artifacts.share(ALICE, "data.csv", [])
    await fault(NotFound, kept.artifacts.resolve(BOB, "alice/data.csv"))
    assert await kept.artifacts.visible(ADMIN, "", 0, 10, all_users=True) == [made]


async def test_only_the_owner_and_administrators_change_it(kept: Kept) -> None:
    made = await kept.push(ALICE, b"x", "data.csv")
    await kept.artifacts.share(ALICE, "data.csv", ["bob"])
    for doing in (
        kept.push(BOB, b"y", "data.csv", to="alice/data.csv"), kept.artifacts.delete(BOB, "alice/data.csv"),
        kept.artifacts.delete(BOB, "alice/data.csv", "v000001"), kept.artifacts.share(BOB, "alice/data.csv", ["eve"]),
    ):  # fmt: skip
        error = await fault(Refused, doing)
        assert (error.code, error.field) == (codes.ARTIFACT_FORBIDDEN, "resourceId")
    told = await kept.artifacts.basics(BOB, "alice/data.csv")
    assert (told.version, told.readers, told.users) == (made, None, None)
    assert (await kept.artifacts.basics(ALICE, "data.csv")).readers == ["bob"]
    second = await kept.push(ADMIN, b"z", "data.csv", to="alice/data.csv")
    assert (second.owner, second.version) == ("alice", "v000002")
    await kept.artifacts.delete(ADMIN, "alice/data.csv")
    await fault(NotFound, kept.artifacts.resolve(ALICE, "data.csv"))
    assert kept.files() == []


async def test_it_is_shared_with_users_that_there_are(kept: Kept) -> None:
    await kept.push(ALICE, b"x", "data.csv")
    error = await fault(NotFound, kept.artifacts.share(ALICE, "data.csv", ["bob", "nobody"]))
    assert error.field == "users" and "'nobody'" in error.message
    error = await fault(Invalid, kept.artifacts.share(ALICE, "data.csv", [f"u{n}" for n in range(101)]))
    assert error.field == "users"
    assert (await kept.artifacts.basics(ALICE, "data.csv")).readers == []


async def test_a_name_that_is_nearly_right_is_helped(kept: Kept) -> None:
    await kept.push(ALICE, b"x", "my-job.csv")
    await kept.push(BOB, b"x", "shared-job.csv")
    await kept.artifacts.share(BOB, "shared-job.csv", ["alice"])
    assert "near it are: my-job.csv" in (await fault(NotFound, kept.artifacts.resolve(ALICE, "my-jbo.csv"))).message
    assert "bob/shared-job.csv" in (await fault(NotFound, kept.artifacts.resolve(ALICE, "shared-job.csv"))).message
    assert "my-job" not in (await fault(NotFound, kept.artifacts.resolve(EVE, "alice/my-jbo.csv"))).message
    error = await fault(NotFound, kept.artifacts.resolve(ALICE, "my-job.csv@v000009", "the field"))
    assert error.field == "the field" and "has no version v000009; the newest are: v000001" in error.message


async def test_the_list_is_by_system_and_page(kept: Kept) -> None:
    for number in range(5):
        await kept.push(ALICE, b"%d" % number, f"f{number}")
        kept.turn(1)
    await kept.push(ALICE, b"new", "f0", to="f0")
    names = [(each.name, each.version) for each in await kept.artifacts.visible(ALICE, "", 0, 3, all_users=False)]
    assert names == [("f4", "v000001"), ("f3", "v000001"), ("f2", "v000001")]
    names = [(each.name, each.version) for each in await kept.artifacts.visible(ALICE, "", 3, 3, all_users=False)]
    assert names == [("f1", "v000001"), ("f0", "v000002")]
    assert await kept.artifacts.visible(ALICE, "nothing", 0, 3, all_users=False) == []


def request(jars: str, **more: str) -> JobRequest:
    return JobRequest("SELECT 1", more.get("run_type", "sql"), "flink", "1.20.5", {JARS: jars, "other": "1"})


async def test_a_job_names_its_jars(kept: Kept) -> None:
    mine = await kept.push(ALICE, jar(pom("1.20.1")), "mine.jar")
    theirs = await kept.push(BOB, jar(pom("1.17.2")), "theirs.jar")
    await kept.artifacts.share(BOB, "theirs", ["alice"])
    found, used = await with_artifacts(request("mine, bob/theirs@v000001,mine@v000001,"), ALICE, kept.artifacts)
    assert used == [mine, theirs]
    assert found.configuration == {"other": "1"}, "the session does not see the key"
    assert [dict(each) for each in found.artifacts] == [
        {"name": "mine", "location": mine.location, "sha256": mine.sha256, "size": mine.size},
        {"name": "theirs", "location": theirs.location, "sha256": theirs.sha256, "size": theirs.size},
    ]
    why = "theirs: the jar was built for Flink 1.17.2, not for 1.20.5; it may not run there"
    assert list(found.warnings) == [why]
    assert JobRequest.from_json(found.to_json()) == replace(found, secrets=[])
    plain = JobRequest("SELECT 1", "sql", "flink", "1.20.5", {"other": "1"})
    assert await with_artifacts(plain, ALICE, kept.artifacts) == (plain, [])


async def test_jars_that_a_job_cannot_have_are_refused(kept: Kept) -> None:
    for owner in (ALICE, BOB):
        await kept.push(owner, jar(), "same.jar")
    await kept.artifacts.share(BOB, "same", ["alice"])
    await kept.push(ALICE, b"x", "data.csv")
    for jars, why in (
        ("same,bob/same", "2 of the artifacts are called same"), ("data.csv", "is no jar, but data.csv"),
        ("nothing", "there is no artifact 'nothing'"), ("a b", "names no artifact"),
        (",".join(["same"] * 51), "at most 50"),
    ):  # fmt: skip
        error = await fault(HeadgateError, with_artifacts(request(jars), ALICE, kept.artifacts))
        assert error.field == f"params.configuration.runtime.{JARS}" and why in error.message
    error = await fault(Invalid, with_artifacts(request("same", run_type="sh"), ALICE, kept.artifacts))
    assert "is for Flink SQL" in error.message
    assert (await with_artifacts(request(" , "), ALICE, kept.artifacts))[0].artifacts == []


async def use(kept: Kept, short_id: str, reference: str = "job") -> None:
    _, used = await with_artifacts(request(reference), ALICE, kept.artifacts)
    await kept.uses.add(short_id, [(each.resource_id, each.number) for each in used])


async def test_what_a_job_uses_is_not_deleted_until_it_has_ended(kept: Kept) -> None:
    await kept.push(ALICE, jar(), "job.jar")
    await kept.push(ALICE, jar(), "job.jar", to="job")
    await use(kept, "s1", "job@v000001")
    job = await kept.history.job("s1", end="")
    for doing in (kept.artifacts.delete(ALICE, "job"), kept.artifacts.delete(ADMIN, "alice/job", "v000001")):
        error = await fault(Conflict, doing)
        assert (error.code, error.field) == (codes.ARTIFACT_USED, "resourceId")
        assert f"is used by jobs that have not ended: {job.job_id} (" in error.message
    (user,) = (await kept.artifacts.basics(ALICE, "job")).users or ()
    assert (user.job_id, user.number) == (job.job_id, 1)
    await kept.artifacts.delete(ALICE, "job@v000002")
    await kept.sweep()
    await fault(Conflict, kept.artifacts.delete(ALICE, "job"))
    await kept.history.end(job)
    assert (await kept.artifacts.basics(ALICE, "job")).users == []
    await kept.artifacts.delete(ALICE, "job")
    assert kept.files() == []


async def test_a_job_that_is_being_submitted_uses_it_too(kept: Kept) -> None:
    await kept.push(ALICE, jar(), "job.jar")
    await use(kept, "s1")
    error = await fault(Conflict, kept.artifacts.delete(ALICE, "job"))
    assert "one being submitted" in error.message
    await kept.sweep()
    await fault(Conflict, kept.artifacts.delete(ALICE, "job"))
    kept.turn(HOUR + 1)
    await kept.artifacts.delete(ALICE, "job")


async def test_what_was_deleted_in_between_is_not_used(kept: Kept) -> None:
    await kept.push(ALICE, jar(), "job.jar")
    made = await kept.artifacts.resolve(ALICE, "job")
    await kept.artifacts.delete(ALICE, "job")
    error = await fault(NotFound, kept.uses.add("s1", [(made.resource_id, made.number)]))
    assert "has just been deleted" in error.message


async def test_a_use_may_be_noted_again_and_dropped(kept: Kept) -> None:
    await kept.push(ALICE, jar(), "job.jar")
    for _ in range(2):
        await use(kept, "s1")
    await kept.uses.drop("s1")
    await kept.artifacts.delete(ALICE, "job")


async def test_uses_of_ended_jobs_are_forgotten(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifact_uses, "AT_ONCE", 2)
    made = await kept.push(ALICE, jar(), "job.jar")
    for number in range(5):
        await use(kept, f"s{number}")
        await kept.history.job(f"s{number}", end="" if number == 3 else "Failed")
    assert [user.status for user in await kept.uses.of(made.resource_id, most=2)] != []
    await kept.sweep()
    async with kept.db.read() as tx:
        left = await artifact_uses.store.using_jobs(tx, "", 10)
    assert [short_id for short_id, _ in left] == ["s3"]
