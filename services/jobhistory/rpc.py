"""The gRPC door of the job history: each method is one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from commons.database.batches import Batch, each
from commons.database.connections import Database, Transaction
from commons.process import telemetry
from commons.process.clock import Clock
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.jobhistory.v1 import jobhistory_pb2_grpc
from services.jobhistory import details, savepoints, store
from services.jobhistory.instances import Instances
from services.jobhistory.jobs import Jobs, check_length, find, story, to_job

Change = Callable[[Transaction], Awaitable[pb.JobChange]]


class JobHistoryServicer(jobhistory_pb2_grpc.JobHistoryServicer):
    """Opens the transactions; what happens in them is in `jobs` and `details`."""

    def __init__(self, db: Database, jobs: Jobs, instances: Instances, clock: Clock) -> None:
        self._db = db
        self._jobs = jobs
        self._instances = instances
        self._clock = clock
        self.saving: Batch[pb.SaveJobHistoryRequest, pb.Job] = Batch(db, jobs.save_many)
        self.changing: Batch[Change, pb.JobChange] = Batch(db, each)

    async def SaveJobHistory(self, request: pb.SaveJobHistoryRequest, context: Any) -> pb.Job:
        with telemetry.step("save job"):
            return await self.saving.add(request)

    async def QueryJobHistory(self, request: pb.JobHistoryQuery, context: Any) -> pb.JobHistoryPage:
        async with self._db.read() as tx:
            rows, total = await store.query(tx, request)
        return pb.JobHistoryPage(jobs=[to_job(row) for row in rows], total=total)

    async def CountJobs(self, request: pb.JobHistoryQuery, context: Any) -> pb.JobCounts:
        async with self._db.read() as tx:
            return pb.JobCounts(by_status=await store.counts(tx, request))

    async def GetJobDetails(self, request: pb.JobDetailsRequest, context: Any) -> pb.JobDetails:
        async with self._db.read() as tx:
            return pb.JobDetails(details=[store.to_detail(row) for row in await store.detail_rows(tx, request.job_id)])

    async def UpdateJobStatus(self, request: pb.UpdateJobStatusRequest, context: Any) -> pb.JobChange:
        return await self.changing.add(lambda tx: self._jobs.move(tx, request))

    async def FindJob(self, request: pb.FindJobRequest, context: Any) -> pb.Job:
        async with self._db.read() as tx:
            return await find(tx, job_id=request.job_id, short_id=request.short_id)

    async def AddStory(self, request: pb.AddStoryRequest, context: Any) -> pb.JobChange:
        return await self.changing.add(lambda tx: self._jobs.tell(tx, request))

    async def GetStory(self, request: pb.GetStoryRequest, context: Any) -> pb.Story:
        async with self._db.read() as tx:
            job = await find(tx, job_id=request.job_id)
            return pb.Story(lines=story(job, await store.events(tx, request.job_id)))

    async def Record(self, request: pb.RecordRequest, context: Any) -> pb.JobChange:
        return await self.changing.add(lambda tx: details.record(tx, self._jobs, self._clock, request))

    async def WishCancel(self, request: pb.WishCancelRequest, context: Any) -> pb.WishCancelReply:
        async with self._db.write() as tx:
            wanted = "timeout" if request.timeout else "cancel"
            return pb.WishCancelReply(ended=not await store.wish(tx, request.job_id, wanted, request.by))

    async def ListSavepoints(self, request: pb.ListSavepointsRequest, context: Any) -> pb.Savepoints:
        async with self._db.read() as tx:
            return pb.Savepoints(savepoints=await savepoints.of_job(tx, request.job_id))

    async def DisposeSavepoint(self, request: pb.DisposeSavepointRequest, context: Any) -> pb.Savepoint:
        async with self._db.write() as tx:
            return await savepoints.dispose(tx, self._clock, request.savepoint_id)

    async def SetObserveInfo(self, request: pb.SetObserveInfoRequest, context: Any) -> pb.SetObserveInfoReply:
        check_length("observe_info", request.observe_info)
        async with self._db.write() as tx:
            await store.set_observe_info(tx, request.job_id, request.observe_info or None)
        return pb.SetObserveInfoReply()

    async def RegisterInstance(self, request: pb.RegisterInstanceRequest, context: Any) -> pb.JobIds:
        async with self._db.write() as tx:
            return await self._instances.register(tx, request)

    async def RenewInstance(self, request: pb.RenewInstanceRequest, context: Any) -> pb.RenewInstanceReply:
        async with self._db.write() as tx:
            return await self._instances.renew(tx, request)

    async def WhichEnded(self, request: pb.WhichEndedRequest, context: Any) -> pb.WhichEndedReply:
        async with self._db.read() as tx:
            live = await store.live_among(tx, request.job_ids)
        return pb.WhichEndedReply(job_ids=[job for job in request.job_ids if job not in live])
