"""The job history on a real SQLite file: saved once, moved by its owner alone, recorded once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from commons.database.connections import Database
from commons.process.clock import SystemClock
from commons.process.errors import AlreadyExists, Conflict, Exhausted, Invalid, NotFound
from protocol import codes
from protocol.engineconn.v1 import engineconn_pb2 as engine
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.values import Tenant
from services import schema
from services.jobhistory.instances import Instances
from services.jobhistory.jobs import Jobs
from services.jobhistory.rpc import JobHistoryServicer
from tests.support.managing import HandClock

LOST = engine.Ended(status="Failed", code=codes.ENGINE_LOST, message="why")


@pytest.fixture
async def history(tmp_path: Path) -> AsyncIterator[JobHistoryServicer]:
    db = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/test.db")
    await schema.create(db, "test")
    yield JobHistoryServicer(
        db, Jobs(SystemClock(), tenant_queued_jobs=3), Instances(db, SystemClock(), 15_000), SystemClock()
    )
    await db.close()


def request(short_id: str, user: str = "alice", instance: str = "h:1") -> pb.SaveJobHistoryRequest:
    labels = json.dumps({"userCreator": f"{user}-IDE", "engineType": "flink-1.20.5", "codeType": "sql"})
    return pb.SaveJobHistoryRequest(
        short_id=short_id, instance=instance, tenant=Tenant(user, "IDE").message(), execute_user=user,
        engine_type="flink", run_type="sql", execution_code="SELECT 1", source="{}", labels=labels, params="{}",
        result_location="file:///r", log_path="file:///l", request="{}",
    )  # fmt: skip


async def test_a_repeated_submit_returns_the_first_job(history: JobHistoryServicer) -> None:
    first = await history.SaveJobHistory(request("s1"), None)
    again = await history.SaveJobHistory(request("s1"), None)
    assert (first.job_id, first.status, first.creator, first.run_type) == (again.job_id, "Inited", "IDE", "sql")
    with pytest.raises(AlreadyExists):
        await history.SaveJobHistory(request("s1", instance="other:1"), None)


async def test_concurrent_saves_each_get_their_own_row(history: JobHistoryServicer) -> None:
    saved = await asyncio.gather(*(history.SaveJobHistory(request(f"s{n}", user=f"u{n}"), None) for n in range(50)))
    assert len({job.job_id for job in saved}) == 50
    assert [job.submit_user for job in saved] == [f"u{n}" for n in range(50)]


async def test_the_queue_limit_holds_within_a_batch(history: JobHistoryServicer) -> None:
    saves = [history.SaveJobHistory(request(f"s{n}"), None) for n in range(5)]
    answers = await asyncio.gather(*saves, return_exceptions=True)
    assert sum(isinstance(answer, Exhausted) for answer in answers) == 2


async def test_a_value_longer_than_its_column_is_refused_by_name(history: JobHistoryServicer) -> None:
    long = request("s1")
    long.log_path = "x" * 201
    with pytest.raises(Invalid, match="log_path"):
        await history.SaveJobHistory(long, None)


async def test_a_write_that_fails_does_not_fail_those_that_share_its_transaction(history: JobHistoryServicer) -> None:
    jobs = [await history.SaveJobHistory(request(f"s{n}", user=f"u{n}"), None) for n in range(3)]
    moves = [move(jobs[0], "Scheduled"), move(jobs[1], "Scheduled", epoch=7), move(jobs[2], "Scheduled", "Running")]
    answers = await asyncio.gather(*(history.UpdateJobStatus(each, None) for each in moves), return_exceptions=True)
    assert isinstance(answers[1], Conflict)
    found = [await history.FindJob(pb.FindJobRequest(job_id=job.job_id), None) for job in jobs]
    assert [job.status for job in found] == ["Scheduled", "Inited", "Running"]


async def test_steps_taken_at_once_are_told_one_by_one(history: JobHistoryServicer) -> None:
    job = await history.SaveJobHistory(request("s1"), None)
    change = await history.UpdateJobStatus(move(job, "Scheduled", "Running"), None)
    assert [(getattr(line, "from"), line.to) for line in change.added] == [
        ("Inited", "Scheduled"),
        ("Scheduled", "Running"),
    ]
    story = await history.GetStory(pb.GetStoryRequest(job_id=job.job_id), None)
    assert story.lines[1:] == change.added and story.lines[:1] == job.story
    with pytest.raises(Conflict, match="is not Inited"):
        await history.UpdateJobStatus(move(job, "Scheduled"), None)
    with pytest.raises(Conflict, match="Scheduled and cannot become Succeed"):
        await history.UpdateJobStatus(move(job, "Scheduled", "Succeed"), None)


def move(job: pb.Job, *to: str, source: str = "", epoch: int = 1) -> pb.UpdateJobStatusRequest:
    """From `source`, or from where the first step most often comes from."""
    source = source or {"Running": "Scheduled", "Succeed": "Running", "WaitForRetry": "Running"}.get(to[0], "Inited")
    steps = [pb.StatusStep(to=each, why=each) for each in to]
    return pb.UpdateJobStatusRequest(job_id=job.job_id, epoch=epoch, source=source, steps=steps, by="test")


async def test_ended_is_final_and_the_epoch_fences(history: JobHistoryServicer) -> None:
    job = await history.SaveJobHistory(request("s1"), None)
    with pytest.raises(Conflict):
        await history.UpdateJobStatus(move(job, "Scheduled", epoch=7), None)
    with pytest.raises(Conflict):
        await history.UpdateJobStatus(move(job, "Succeed"), None)
    await history.UpdateJobStatus(move(job, "Failed"), None)
    with pytest.raises(Conflict):
        await history.UpdateJobStatus(move(job, "Cancelled"), None)
    found = await history.FindJob(pb.FindJobRequest(short_id="s1"), None)
    assert (found.status, found.progress, found.HasField("live")) == ("Failed", 1.0, False)


async def test_a_new_incarnation_takes_its_jobs_with_a_higher_epoch(history: JobHistoryServicer) -> None:
    job = await history.SaveJobHistory(request("s1"), None)
    register = pb.RegisterInstanceRequest(instance="h:1", incarnation="b")
    assert list((await history.RegisterInstance(register, None)).job_ids) == [job.job_id]
    assert (await history.FindJob(pb.FindJobRequest(job_id=job.job_id), None)).live.epoch == 2
    with pytest.raises(Conflict):
        await history.UpdateJobStatus(move(job, "Scheduled", epoch=1), None)
    with pytest.raises(Conflict):
        await history.RenewInstance(pb.RenewInstanceRequest(instance="h:1", incarnation="a"), None)
    await history.WishCancel(pb.WishCancelRequest(job_id=job.job_id, by="alice"), None)
    renewed = await history.RenewInstance(pb.RenewInstanceRequest(instance="h:1", incarnation="b"), None)
    assert list(renewed.cancelled) == [job.job_id]


async def test_jobs_of_an_instance_that_is_silent_are_taken_over(tmp_path: Path) -> None:
    db, clock = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/test.db"), HandClock()
    await schema.create(db, "test")
    history = JobHistoryServicer(db, Jobs(clock, 10), Instances(db, clock, 15_000), clock)
    for name in ("h:1", "h:2"):
        await history.RegisterInstance(pb.RegisterInstanceRequest(instance=name, incarnation=name), None)
    job = await history.SaveJobHistory(request("s1"), None)
    renew = pb.RenewInstanceRequest(instance="h:2", incarnation="h:2")
    clock.turn(14)
    assert list((await history.RenewInstance(renew, None)).taken) == []
    clock.turn(2)
    assert list((await history.RenewInstance(renew, None)).taken) == [job.job_id]
    found = (await history.FindJob(pb.FindJobRequest(job_id=job.job_id), None)).live
    assert (found.instance, found.epoch) == ("h:2", 2)
    assert list((await history.RenewInstance(renew, None)).taken) == []
    await db.close()


async def test_a_submit_that_is_known_takes_none_of_those_with_it(history: JobHistoryServicer) -> None:
    known = await history.SaveJobHistory(request("b", user="u0"), None)
    answers = await asyncio.gather(
        *(history.SaveJobHistory(request(s, user=f"u{s}"), None) for s in "acd"),
        history.SaveJobHistory(request("b", user="u0"), None),
    )
    assert answers[-1].job_id == known.job_id and len({job.job_id for job in answers}) == 4
    for job in answers:
        assert (await history.FindJob(pb.FindJobRequest(job_id=job.job_id), None)).HasField("live"), job.short_id


async def test_the_same_submit_twice_at_once_is_one_job(history: JobHistoryServicer) -> None:
    first, again, other = await asyncio.gather(*(history.SaveJobHistory(request(s), None) for s in ("s1", "s1", "s2")))
    assert first.job_id == again.job_id != other.job_id


async def test_events_are_recorded_once_and_the_end_ends_the_job(history: JobHistoryServicer) -> None:
    job = await history.SaveJobHistory(request("s1"), None)
    for status in ("Scheduled", "Running"):
        await history.UpdateJobStatus(move(job, status), None)
    started = engine.TaskEvent(number=1, statement_started=engine.StatementStarted(statement=0, text="SELECT 1"))
    progress = engine.TaskEvent(number=2, progress=engine.Progress(fraction=1.0))
    news = pb.RecordRequest(job_id=job.job_id, epoch=1, after=0, up_to=2, events=[started, progress])
    await history.Record(news, None)
    assert (await history.Record(news, None)).progress == 0.99, "the answer was lost: it is not recorded twice"
    with pytest.raises(Conflict, match="events after 1 are not yours to tell"):
        await history.Record(pb.RecordRequest(job_id=job.job_id, epoch=1, after=1, up_to=3, events=[progress]), None)
    running = await history.FindJob(pb.FindJobRequest(job_id=job.job_id), None)
    assert running.progress == 0.99
    done = [
        engine.TaskEvent(number=3, statement_ended=engine.StatementEnded(statement=0, status="Succeed", result_sets=1)),
        engine.TaskEvent(number=4, ended=engine.Ended(status="Succeed")),
    ]
    await history.Record(pb.RecordRequest(job_id=job.job_id, epoch=1, after=2, up_to=4, events=done), None)
    (detail,) = (await history.GetJobDetails(pb.JobDetailsRequest(job_id=job.job_id), None)).details
    assert (detail.status, detail.result_sets, detail.execution_content) == ("Succeed", 1, "SELECT 1")
    ended = await history.FindJob(pb.FindJobRequest(job_id=job.job_id), None)
    assert (ended.status, ended.progress) == ("Succeed", 1.0)
    story = await history.GetStory(pb.GetStoryRequest(job_id=job.job_id), None)
    assert [line.to for line in story.lines] == ["Inited", "Scheduled", "Running", "Succeed"]


@pytest.mark.parametrize(
    ("ended", "by", "status", "words"),
    [
        (engine.Ended(status="Cancelled", code=codes.KILLED), "", "Timeout", "the job ran for too long: {}"),
        (LOST, "", "Timeout", "the job ran for too long: {}; why"),
        (LOST, "bob", "Cancelled", "the job was killed; why"),
        (engine.Ended(status="Failed", code=codes.STATEMENT_FAILED, message="why"), "", "Failed", "why"),
    ],
)  # fmt: skip
async def test_a_task_whose_engine_ended_before_it_could_stop_ends_as_it_was_wished(
    history: JobHistoryServicer, ended: engine.Ended, by: str, status: str, words: str
) -> None:
    job = await history.SaveJobHistory(request("s1"), None)
    await history.UpdateJobStatus(move(job, "Scheduled", "Running"), None)
    limit = "jobRunningTimeout=2"
    await history.WishCancel(pb.WishCancelRequest(job_id=job.job_id, by=by or limit, timeout=not by), None)
    news = pb.RecordRequest(
        job_id=job.job_id, epoch=1, after=0, up_to=1, events=[engine.TaskEvent(number=1, ended=ended)], retry=True
    )
    change = await history.Record(news, None)
    assert (change.status, change.error_desc) == (status, words.format(limit))


async def test_jobs_are_counted_by_status_and_by_who_holds_them(history: JobHistoryServicer) -> None:
    jobs = [await history.SaveJobHistory(request(f"s{n}", user="ab"[n % 2], instance=f"h:{n}"), None) for n in range(4)]
    await history.UpdateJobStatus(move(jobs[0], "Failed"), None)
    await history.UpdateJobStatus(move(jobs[1], "Scheduled"), None)

    async def count(**wanted: object) -> dict[str, int]:
        return dict((await history.CountJobs(pb.JobHistoryQuery(**wanted), None)).by_status)  # type: ignore[arg-type]

    assert await count() == {"Failed": 1, "Scheduled": 1, "Inited": 2}
    assert await count(submit_user="a") == {"Failed": 1, "Inited": 1}
    assert await count(unended=True) == {"Scheduled": 1, "Inited": 2}
    assert await count(owner="h:0") == {} and await count(owner="h:1") == {"Scheduled": 1}
    assert await count(from_job_id=jobs[2].job_id) == {"Inited": 2}
    assert await count(job_ids=[jobs[0].job_id, 999]) == {"Failed": 1}


async def test_an_engine_is_remembered_when_the_job_has_ended(history: JobHistoryServicer) -> None:
    job, other = [await history.SaveJobHistory(request(short), None) for short in ("s1", "s2")]
    scheduled = move(job, "Scheduled")
    scheduled.engine_id = "e1"
    await history.UpdateJobStatus(scheduled, None)
    await history.UpdateJobStatus(move(job, "Failed", source="Scheduled"), None)
    found = await history.QueryJobHistory(pb.JobHistoryQuery(engine_instance="e1"), None)
    assert [each.job_id for each in found.jobs] == [job.job_id]
    assert not (await history.QueryJobHistory(pb.JobHistoryQuery(engine_instance="e"), None)).jobs
    assert json.loads(found.jobs[0].metrics) == {"engineInstance": "e1"} and other.metrics == "{}"


async def test_the_longest_jobs_are_first(tmp_path: Path) -> None:
    db, clock = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/test.db"), HandClock()
    await schema.create(db, "test")
    history = JobHistoryServicer(db, Jobs(clock, 10), Instances(db, clock, 15_000), clock)
    for name, ms in (("short", 1), ("long", 90_000), ("middle", 1500)):
        job = await history.SaveJobHistory(request(name), None)
        clock.turn(ms / 1000)
        await history.UpdateJobStatus(move(job, "Failed"), None)
    page = await history.QueryJobHistory(pb.JobHistoryQuery(longest_first=True, page_size=2), None)
    assert [job.short_id for job in page.jobs] == ["long", "middle"] and page.total == 3
    await db.close()


async def test_whom_to_notify_is_kept_within_its_column(history: JobHistoryServicer) -> None:
    job = await history.SaveJobHistory(request("s1"), None)
    for info in ('{"receiver": "alice"}', ""):
        await history.SetObserveInfo(pb.SetObserveInfoRequest(job_id=job.job_id, observe_info=info), None)
        assert (await history.FindJob(pb.FindJobRequest(job_id=job.job_id), None)).observe_info == info
    with pytest.raises(Invalid, match="observe_info is longer than 500 bytes"):
        await history.SetObserveInfo(pb.SetObserveInfoRequest(job_id=job.job_id, observe_info="x" * 501), None)


def kept(number: int, path: str = "/state/1", kind: str = "suspend") -> engine.TaskEvent:
    return engine.TaskEvent(number=number, at_ms=1_700_000_000_000, savepoint=engine.Savepoint(kind=kind, path=path))


async def test_savepoints_are_recorded_once_and_one_job_at_a_time_goes_on_from_one(
    history: JobHistoryServicer,
) -> None:
    first = await history.SaveJobHistory(request("s1"), None)
    for _ in range(2):  # the answer was lost
        news = pb.RecordRequest(job_id=first.job_id, epoch=1, after=0, up_to=2, events=[kept(1), kept(2, "/state/2")])
        await history.Record(news, None)
    listed = await history.ListSavepoints(pb.ListSavepointsRequest(job_id=first.job_id), None)
    assert [(each.path, each.kind, each.resumed_by) for each in listed.savepoints] == [
        ("/state/1", "suspend", 0), ("/state/2", "suspend", 0)
    ]  # fmt: skip
    one = listed.savepoints[0].savepoint_id
    again = request("s2")
    again.resumes = one
    second = await history.SaveJobHistory(again, None)
    assert (await history.SaveJobHistory(again, None)).job_id == second.job_id, "a repeated submit is the same job"
    third = request("s3")
    third.resumes = one
    with pytest.raises(Conflict) as refused:
        await history.SaveJobHistory(third, None)
    assert refused.value.code == codes.SAVEPOINT_UNUSABLE and f"job {second.job_id} goes on" in refused.value.message
    with pytest.raises(Conflict):
        await history.DisposeSavepoint(pb.DisposeSavepointRequest(savepoint_id=one), None)
    await history.UpdateJobStatus(move(second, "Failed"), None)
    assert (await history.SaveJobHistory(third, None)).job_id != second.job_id, "its job has ended"
    gone = await history.DisposeSavepoint(pb.DisposeSavepointRequest(savepoint_id=one + 1), None)
    assert gone.path == "/state/2" and gone.disposed_at_ms
    last = request("s4")
    last.resumes = one + 1
    with pytest.raises(Conflict, match="disposed"):
        await history.SaveJobHistory(last, None)
    with pytest.raises(NotFound):
        await history.DisposeSavepoint(pb.DisposeSavepointRequest(savepoint_id=99), None)
