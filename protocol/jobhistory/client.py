"""Calls to the jobhistory service; its methods and their guarantees are told in `v1/jobhistory.proto`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commons.calls import rpc
from protocol.jobhistory.v1 import jobhistory_pb2_grpc

if TYPE_CHECKING:
    from protocol.jobhistory.v1.jobhistory_pb2_grpc import JobHistoryAsyncStub as Stub
else:
    Stub = jobhistory_pb2_grpc.JobHistoryStub

__all__ = ["NAME", "Stub", "connect"]

NAME = "headgate.jobhistory.v1.JobHistory"


def connect(address: str) -> Stub:
    """A stub over a channel of its own, connected when first used; its errors are HeadgateErrors."""
    return rpc.connect(jobhistory_pb2_grpc.JobHistoryStub, address)
