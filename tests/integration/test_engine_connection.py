"""An engine connection as a node's daemon sees it: real processes, a real socket, the fake engine."""

from __future__ import annotations

import asyncio
import errno
import os
import signal

import pyarrow as pa
import pytest

from commons.process.errors import Conflict, NotFound, Unavailable
from protocol import codes, layout
from protocol.ecm.v1 import ecm_pb2 as pb
from protocol.engineconn.v1 import engineconn_pb2
from services.ecm.ledger import EngineEntry, Ledger, Stage
from services.engineconn import usage
from tests.support.node import LINE, READY, STORY, Node, connection, processes, until


async def test_a_task_is_run_and_its_results_and_log_are_published(node: Node) -> None:
    await node.ready()
    await node.run("log INFO begin\nprogress 0.5\nrows 2500\nstatement\nempty")
    ended = (await node.events())[-1].ended
    assert (ended.status, ended.result_sets) == ("Succeed", 2)
    parts = sorted(node.published("results/0").glob("part-*.arrow"))
    assert [row["id"] for part in parts for row in pa.ipc.open_file(str(part)).read_all().to_pylist()] == [*range(2500)]
    assert [path.name for path in node.published("results/1").iterdir()] == [layout.SCHEMA]
    log = node.published(layout.LOG).read_text().splitlines()
    assert log[0] == STORY and log[1].endswith(" INFO begin") and all(LINE.match(line) for line in log)
    assert await node.stopped() == "stopped"
    await until(lambda: not processes(node.home))


async def test_a_task_asked_for_again_is_not_run_again(node: Node) -> None:
    await node.ready()
    code = "log INFO begin\nsleep 0.5\nlog INFO done"
    await asyncio.gather(node.run(code), node.run(code))
    await node.said("begin")
    await node.run(code, epoch=2)
    await node.events()
    await node.run(code, epoch=2)
    await asyncio.sleep(0.2)
    assert [line.endswith(" begin") for line in node.engines.tasks.folder(1, 1).read_log(0, 100)].count(True) == 1


async def test_a_start_that_cannot_be_written_down_leaves_nothing(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    save = Ledger.save

    def full(ledger: Ledger, entry: EngineEntry) -> None:
        if entry.stage is Stage.SPAWNED:
            raise Unavailable(codes.NOT_WRITTEN, "no room")
        save(ledger, entry)

    with monkeypatch.context() as patched, pytest.raises(Unavailable):
        patched.setattr(Ledger, "save", full)
        node.create("e1")
    await until(lambda: not processes(node.home))
    assert node.engines.report() == [] and list((node.home / "node" / "engines").iterdir()) == []
    await node.ready()


async def test_a_last_word_for_which_there_was_no_room_is_said_once(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    await node.ready()
    await node.run("log INFO begin\nsleep 600")
    await node.said("begin")
    for process in processes(node.home):
        process.kill()
    await node.ended()

    def full(*_: object, **__: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(Unavailable):
        patched.setattr("services.ecm.tasks.MessageToJson", full)
        await node.events()
    assert (await node.events())[-1].ended.status == "Failed"
    texts = [line.split(" ", 2)[2] for line in node.engines.tasks.folder(1, 1).read_log(0, 100)]
    assert [text.partition(" ")[0] for text in texts] == ["INFO", "INFO", "ERROR", "INFO"], texts


async def test_an_engine_runs_one_task_at_a_time_and_any_number_in_turn(node: Node) -> None:
    await node.ready()
    await node.run("log INFO begin\nsleep 600", job=1)
    with pytest.raises(Conflict) as caught:
        await node.run("rows 1", job=2)
    assert caught.value.code == codes.ENGINE_BUSY
    await node.said("begin", job=1)
    await node.engines.tasks.cancel(pb.CancelTaskRequest(job_id=1, attempt=1, epoch=1))
    assert (await node.events(job=1))[-1].ended.status == "Cancelled"
    await node.run("fail no", job=3)
    assert (await node.events(job=3))[-1].ended.message == "no"
    await node.run("rows 1", job=4)
    assert (await node.events(job=4))[-1].ended.status == "Succeed"


async def test_a_former_owner_is_refused(node: Node) -> None:
    await node.ready()
    await node.run("log INFO begin\nsleep 600", epoch=2)
    for call in (
        node.run("rows 1", epoch=1),
        node.engines.tasks.cancel(pb.CancelTaskRequest(job_id=1, attempt=1, epoch=1)),
        node.restarted().engines.tasks.cancel(pb.CancelTaskRequest(job_id=1, attempt=1, epoch=1)),
    ):
        with pytest.raises(Conflict) as caught:
            await call
        assert caught.value.code == codes.NO_LONGER_YOURS


async def test_an_engine_terminated_before_it_was_created_is_never_created(node: Node) -> None:
    node.engines.terminate("e1")
    for daemon in (node, node.restarted()):
        with pytest.raises(Conflict) as caught:
            daemon.create("e1")
        assert caught.value.code == codes.ENGINE_GONE
    assert processes(node.home) == []


async def test_opening_is_told_as_it_goes_on(node: Node) -> None:
    node.create(open="log INFO downloading 1 of 2\nsleep 1\nlog INFO downloading 2 of 2\nsleep 1")
    for part in ("downloading 1 of 2", "downloading 2 of 2", "ready"):
        await until(lambda part=part: node.report("e1").why == part)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("opening", "reason"),
    [
        ("fail no licence", "the fake engine did not open: no licence"),
        ("die", "the fake engine did not open: its process ended"),
        ("crash", "its process ended with exit code 137"),
    ],
)
async def test_an_engine_that_does_not_open_ends_with_its_reason(node: Node, opening: str, reason: str) -> None:
    node.create(open=opening)
    assert (await node.ended()).startswith(reason)


async def test_a_connection_that_dies_at_birth_leaves_its_last_words(node: Node) -> None:
    node.create(kind="broken")
    why = await node.ended()
    assert why.startswith("its process ended with exit code 1: ") and "tests.support.no_such_engine" in why
    assert processes(node.home) == []


async def test_a_slow_opening_can_be_stopped(node: Node) -> None:
    node.create(open="log INFO slow\nsleep 600")
    await until(lambda: node.report("e1").why == "slow")
    await node.stopped()
    await until(lambda: not processes(node.home))


async def test_a_dead_engine_ends_its_task_and_its_connection(node: Node) -> None:
    await node.ready()
    await node.run("log INFO begin\ndie")
    ended = (await node.events())[-1].ended
    assert (ended.status, ended.code) == ("Failed", codes.ENGINE_LOST)
    assert ended.message == "the engine died: the fake engine's process ended with code -9"
    assert "the engine died" in await node.ended()
    await until(lambda: not processes(node.home))


async def test_a_killed_connection_fails_its_task_with_a_reason(node: Node) -> None:
    await node.ready()
    await node.run("log INFO begin\nrows 3\nsleep 600")
    await node.said("begin")
    connection(node.home).send_signal(signal.SIGKILL)
    ended = (await node.events())[-1].ended
    assert (ended.status, ended.code) == ("Failed", codes.ENGINE_LOST)
    assert ended.message.startswith("the engine ended while the job ran: its process ended with exit code 137")
    log = node.published(layout.LOG).read_text().splitlines()
    assert log[-2].endswith(f" ERROR {ended.message}") and "status Failed" in log[-1]


async def test_nothing_of_a_killed_connection_is_left(node: Node) -> None:
    await node.ready()
    await node.run("log INFO begin\nchild\nsleep 600")
    await node.said("begin")
    connection(node.home).send_signal(signal.SIGKILL)
    await node.ended()
    await until(lambda: not processes(node.home), 5.0)


async def test_the_log_of_a_killed_connection_has_whole_lines(node: Node) -> None:
    await node.ready()
    await node.run("log INFO begin\nsleep 600")
    await node.said("begin")
    connection(node.home).send_signal(signal.SIGKILL)
    await node.ended()
    with (node.engines.tasks.folder(1, 1).folder / layout.LOG).open("a") as file:
        file.write("2026-01-01 10:00:00.001 INFO a line of which only a part was writ")
    found = await node.events()
    log = node.published(layout.LOG).read_text().split("\n")
    assert log.pop() == "" and all(LINE.match(line) for line in log)
    assert [event.log_up_to.lines for event in found if event.HasField("log_up_to")][-1] == len(log)
    assert log[-2].split(" ", 2)[2].startswith("ERROR the engine ended")


async def test_terminate_leaves_no_process_of_one_that_ignores_sigterm(node: Node) -> None:
    await node.ready()
    await node.run("ignore-term\nchild\nlog INFO begin\nsleep 600")
    await node.said("begin")
    assert len(processes(node.home)) == 5  # the shim, the connection, the engine, its task, the child of that
    assert await node.stopped() == "stopped"
    await until(lambda: not processes(node.home), 5.0)
    assert (await node.events())[-1].ended.status == "Failed"


async def test_terminate_leaves_no_process_that_the_engine_forgot(node: Node) -> None:
    await node.ready()
    await node.run("child")
    await node.events()
    assert await node.stopped() == "stopped"
    await until(lambda: not processes(node.home), 5.0)


async def test_terminate_fails_the_task_that_nobody_killed(node: Node) -> None:
    await node.ready()
    await node.run("log INFO begin\nsleep 600")
    await node.said("begin")
    assert await node.stopped() == "stopped"
    ended = (await node.events())[-1].ended
    assert (ended.status, ended.code) == ("Failed", codes.ENGINE_LOST)
    assert ended.message == "the engine was stopped while the job ran"


async def test_the_next_daemon_goes_on_where_the_last_one_stopped(node: Node) -> None:
    await node.ready()
    await node.run("".join(f"log INFO step {n}\nprogress {n / 20}\nsleep 0.1\n" for n in range(20)) + "rows 1")
    before: list[engineconn_pb2.TaskEvent] = []
    async for batch in node.engines.tasks.folder(1, 1).watch(0):
        before.extend(batch)
        if len(before) >= 8:
            break
    later = node.restarted()
    assert later.report("e1").state == READY
    await later.run("rows 1")  # known: it is not run again
    after = await later.events(after=before[-1].number)
    assert [event.number for event in before] == list(range(1, len(before) + 1))
    fractions = [event.progress.fraction for event in before + after if event.HasField("progress")]
    assert fractions == [n / 20 for n in range(20)]
    assert after[-1].ended.status == "Succeed" and later.published(f"results/0/{layout.part_name(0)}").is_file()
    await later.run("rows 2", job=2)
    assert (await later.events(job=2))[-1].ended.status == "Succeed"


async def test_the_next_daemon_has_the_last_word_for_one_that_died_meanwhile(node: Node) -> None:
    await node.ready()
    await node.run("log INFO begin\nsleep 600")
    await node.said("begin")
    connection(node.home).send_signal(signal.SIGKILL)
    later = node.restarted()
    ended = (await later.events())[-1].ended
    assert ended.status == "Failed" and "the engine ended while the job ran" in ended.message


async def test_an_acknowledged_task_is_forgotten(node: Node) -> None:
    await node.ready()
    await node.run("rows 1")
    await node.events()
    folder = node.engines.tasks.folder(1, 1).folder
    assert folder.is_dir()
    await node.engines.tasks.ack(pb.AckTaskRequest(job_id=1, attempt=1, epoch=1))
    await node.engines.tasks.ack(pb.AckTaskRequest(job_id=1, attempt=1, epoch=1))
    assert not folder.exists() and node.published(layout.LOG).is_file()
    later = node.restarted()
    for daemon in (node, later):
        with pytest.raises(NotFound):
            daemon.engines.tasks.folder(1, 1)
    await later.stopped()
    later.engines.forget("e1")
    assert later.engines.report() == [] and not list((node.home / "node" / "engines").iterdir())


async def test_an_ended_engine_stays_until_its_task_is_acknowledged(node: Node) -> None:
    await node.ready()
    await node.run("rows 1")
    await node.events()
    await node.stopped()
    node.engines.forget("e1")
    later = node.restarted()
    assert (await later.events())[-1].ended.status == "Succeed"
    await later.engines.tasks.ack(pb.AckTaskRequest(job_id=1, attempt=1, epoch=1))
    later.engines.forget("e1")
    assert later.engines.report() == []


async def test_what_the_task_uses_is_counted(node: Node) -> None:
    await node.ready()
    idle = usage.of_session(os.getsid(connection(node.home).pid))
    await node.run("log INFO begin\nsleep 600")
    await node.said("begin")
    busy = usage.of_session(os.getsid(connection(node.home).pid))
    assert busy.memory > idle.memory > 0 and busy.cpu_seconds >= idle.cpu_seconds > 0
