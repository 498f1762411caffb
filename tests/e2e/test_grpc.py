"""The doors between services, on their unix sockets: entrance and manager, health and reflection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from headgate import Job

from commons.process.errors import Invalid, NotFound, Refused
from protocol.ecm import client as ecm_client
from protocol.entrance import client as entrance_client
from protocol.entrance.v1 import entrance_pb2 as pb
from protocol.jobhistory import client as jobhistory_client
from protocol.manager import client as manager_client
from protocol.manager.v1 import manager_pb2
from protocol.values import Labels, Tenant
from services.ecm.workdir import run_folder
from tests.conftest import Service
from tests.support.jobs import eventually

ADMIN = Tenant("admin", "IDE").message()
CLIENTS = {"entrance": entrance_client, "manager": manager_client, "ecm": ecm_client, "jobhistory": jobhistory_client}


def at(service: Service, name: str) -> str:
    return f"unix:{run_folder(service.home)}/service-{name}.sock"


@pytest.fixture
async def entrance(service: Service) -> AsyncIterator[entrance_client.Stub]:
    stub = entrance_client.connect(at(service, "entrance"))
    yield stub
    await stub.channel.close()


@pytest.fixture
async def manager(service: Service) -> AsyncIterator[manager_client.Stub]:
    stub = manager_client.connect(at(service, "manager"))
    yield stub
    await stub.channel.close()


def task(**changes: object) -> pb.TaskRequest:
    """A query of Flink's, asked by the administrator."""
    code = "SELECT * FROM (VALUES (${n}, 'a'), (2, CAST(NULL AS STRING)), (3, '')) AS t(id, name) ORDER BY id"
    usual = {
        "tenant": ADMIN, "engine": "flink", "run_type": "sql", "code": code, "variables": {"n": "1"},
        "configuration": {"execution.runtime-mode": "batch"},
    }  # fmt: skip
    return pb.TaskRequest(**{**usual, **changes})


async def ended(entrance: entrance_client.Stub, task_id: int) -> pb.TaskStatus:
    until = time.monotonic() + 60
    while (status := await entrance.GetTaskStatus(pb.TaskStatusRequest(task_id=task_id, user="admin"))).progress < 1.0:
        assert time.monotonic() < until, status
        await asyncio.sleep(0.1)
    return status


async def test_a_task_from_submit_to_result(entrance: entrance_client.Stub) -> None:
    taken = await entrance.SubmitTask(task())
    assert taken.exec_id.startswith("exec_id018")
    assert await ended(entrance, taken.task_id) == pb.TaskStatus(status="Succeed", progress=1.0)
    request = pb.TaskResultRequest(task_id=taken.task_id, user="admin")
    whole = await entrance.GetTaskResult(request)
    assert [(column.name, column.type) for column in whole.columns] == [("id", "int"), ("name", "string")]
    rows = [[cell.text if cell.HasField("text") else None for cell in row.cells] for row in whole.rows]
    assert rows == [["1", "a"], ["2", None], ["3", ""]]
    request.from_row, request.max_rows = 1, 1
    assert list((await entrance.GetTaskResult(request)).rows) == [whole.rows[1]]
    with pytest.raises(NotFound):
        await entrance.GetTaskResult(pb.TaskResultRequest(task_id=taken.task_id, user="admin", result_set=7))


async def test_a_task_is_cancelled(entrance: entrance_client.Stub, service: Service) -> None:
    job = service.client().submit("sleep 600", engine="shell-1")
    cancel = pb.CancelTaskRequest(task_id=int(job.id), user="admin")
    assert await entrance.CancelTask(cancel) == pb.CancelTaskReply()
    status = await ended(entrance, int(job.id))
    assert (status.status, status.error_code) == ("Cancelled", 31001)
    assert await entrance.CancelTask(cancel) == pb.CancelTaskReply()


async def test_a_failed_task_says_why(entrance: entrance_client.Stub, service: Service) -> None:
    job = service.client().submit("exit 3", engine="shell-1")
    failed = await ended(entrance, int(job.id))
    assert (failed.status, failed.error_code, failed.error_desc) == (
        "Failed",
        102002,
        "The shell ended with exit code 3",
    )


async def test_another_users_task_is_unknown(entrance: entrance_client.Stub, service: Service) -> None:
    job = service.client().submit("echo secret", engine="shell-1")
    for task_id, user in ((int(job.id), "mallory"), (10**9, "admin")):
        with pytest.raises(NotFound):
            await entrance.GetTaskStatus(pb.TaskStatusRequest(task_id=task_id, user=user))
        with pytest.raises(NotFound):
            await entrance.CancelTask(pb.CancelTaskRequest(task_id=task_id, user=user))
        with pytest.raises(NotFound):
            await entrance.GetTaskResult(pb.TaskResultRequest(task_id=task_id, user=user))
    assert job.wait(60) == "Succeed"


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"engine": "nope-9"}, 31002, "labels.engineType"),
        ({"run_type": "py"}, 31002, "executionContent.runType"),
        ({"code": " "}, 20007, "executionContent.code"),
        ({"tenant": Tenant("admin", "a/b").message()}, 50079, "labels.userCreator"),
        ({"tenant": Tenant("admin", "x" * 21).message()}, 50079, "labels.userCreator"),
    ],
)
async def test_both_doors_refuse_the_same(
    entrance: entrance_client.Stub, changes: dict[str, object], code: int, field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await entrance.SubmitTask(task(**changes))
    assert (caught.value.code, caught.value.field) == (code, field)


async def test_policy_holds_at_this_door_too(entrance: entrance_client.Stub) -> None:
    with pytest.raises(Refused) as caught:
        await entrance.SubmitTask(task(engine="shell", run_type="shell", tenant=Tenant("mallory", "IDE").message()))
    assert caught.value.code == 100005


async def test_the_manager_tells_of_an_engine_and_its_node(manager: manager_client.Stub, endless: Job) -> None:
    await asyncio.to_thread(eventually, lambda: endless.status() == "Running", "it runs")
    engine_id = str(endless.history()["engineInstance"])
    engine = await manager.GetEngineStatus(manager_pb2.EngineStatusRequest(engine_id=engine_id))
    assert (engine.engine_id, engine.status, engine.job_id) == (engine_id, "Ready", endless.id)
    assert Tenant.of(engine.tenant) == Tenant("admin", "IDE")
    assert Labels.of(engine.labels) == Labels.make({"kind": "shell", "version": "1"})
    node = await manager.GetNodeMetrics(manager_pb2.NodeMetricsRequest(node=engine.node))
    assert (node.node, node.status) == (engine.node, "Alive")
    assert engine.resource.memory <= node.used.memory <= node.capacity.memory
    assert node.used.instances >= 1 and 0 < node.used.cores <= node.capacity.cores
    assert abs(time.time() * 1000 - node.heartbeat_at_ms) < 30_000


async def test_the_manager_knows_no_other(manager: manager_client.Stub) -> None:
    with pytest.raises(NotFound) as caught:
        await manager.GetEngineStatus(manager_pb2.EngineStatusRequest(engine_id="nope"))
    assert (caught.value.code, caught.value.field) == (101003, "engine_id")
    with pytest.raises(NotFound) as caught:
        await manager.GetNodeMetrics(manager_pb2.NodeMetricsRequest(node="nope"))
    assert caught.value.field == "node"


@pytest.mark.parametrize("name", CLIENTS)
async def test_every_service_tells_its_health_and_its_methods(service: Service, name: str) -> None:
    client = CLIENTS[name]
    channel = client.connect(at(service, name)).channel
    health = health_pb2_grpc.HealthStub(channel)
    for asked in ("", client.NAME):
        reply = await health.Check(health_pb2.HealthCheckRequest(service=asked))
        assert reply.status == health_pb2.HealthCheckResponse.SERVING
    reflection = reflection_pb2_grpc.ServerReflectionStub(channel)

    async def reflected(**question: str) -> Message:
        asking = reflection.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(**question)]))
        (answer,) = [answer async for answer in asking]
        return answer

    services = (await reflected(list_services="")).list_services_response.service
    assert client.NAME in [told.name for told in services]
    assert (await reflected(file_containing_symbol=client.NAME)).file_descriptor_response.file_descriptor_proto
    await channel.close()


async def test_a_secret_in_an_errors_text_is_masked(entrance: entrance_client.Stub) -> None:
    with pytest.raises(Invalid, match=r"there is no engine 'token=\*\*\*'"):
        await entrance.SubmitTask(task(engine="token=a1b2c3"))
