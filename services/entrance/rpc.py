"""The gRPC door of the entrance, for internal services."""

from __future__ import annotations

import asyncio
from typing import Any

from commons.process.errors import NotFound
from commons.storage import Storage
from protocol import codes
from protocol.entrance.v1 import entrance_pb2 as pb
from protocol.entrance.v1 import entrance_pb2_grpc
from services.entrance.jobs import Jobs
from services.entrance.results import Results, virtual_name
from services.entrance.users import Asker, check_user
from services.entrance.wire.exec_id import JobId
from services.entrance.wire.jobs import exec_id_of, parse_submit
from services.entrance.wire.results import DEFAULT_PAGE, path_missing


class EntranceServicer(entrance_pb2_grpc.EntranceServicer):
    """Callers are services of ours, which say for which user they call."""

    def __init__(self, jobs: Jobs, storage: Storage) -> None:
        self._jobs = jobs
        self._storage = storage
        self._results = Results(storage)

    async def SubmitTask(self, request: pb.TaskRequest, context: Any) -> pb.TaskReply:
        body = {
            "executionContent": {"code": request.code, "runType": request.run_type},
            "labels": {"engineType": request.engine, "userCreator": f"{request.tenant.user}-{request.tenant.creator}"},
            "params": {
                "variable": dict(request.variables),
                "configuration": {"runtime": dict(request.configuration)},
            },
        }
        submit = parse_submit(body, check_user(request.tenant.user), "")
        job = await self._jobs.submit(submit, Asker(request.tenant.user, is_admin=False))
        return pb.TaskReply(task_id=job.job_id, exec_id=exec_id_of(job))

    async def GetTaskStatus(self, request: pb.TaskStatusRequest, context: Any) -> pb.TaskStatus:
        job = await self._jobs.find(JobId(request.task_id), Asker(request.user, is_admin=False))
        return pb.TaskStatus(
            status=job.status, progress=job.progress, error_code=job.error_code, error_desc=job.error_desc
        )

    async def CancelTask(self, request: pb.CancelTaskRequest, context: Any) -> pb.CancelTaskReply:
        asker = Asker(request.user, is_admin=False)
        await self._jobs.kill(await self._jobs.find(JobId(request.task_id), asker), asker)
        return pb.CancelTaskReply()

    async def GetTaskResult(self, request: pb.TaskResultRequest, context: Any) -> pb.TaskResult:
        job = await self._jobs.find(JobId(request.task_id), Asker(request.user, is_admin=False))
        location = self._storage.relative(job.result_location)
        if location is None:
            raise NotFound(codes.PATH_MISSING, "the job's results lie elsewhere")
        if job.HasField("removed"):
            raise path_missing(job.result_location, job.removed.why)
        count = min(request.max_rows or DEFAULT_PAGE, DEFAULT_PAGE)
        name = virtual_name(request.result_set)
        page = await asyncio.to_thread(self._results.page, location, name, request.from_row, count)
        return pb.TaskResult(
            columns=[pb.Column(name=column.name, type=column.type) for column in page.columns],
            rows=[pb.Row(cells=[pb.Cell(text=cell) for cell in row]) for row in page.rows],
        )
