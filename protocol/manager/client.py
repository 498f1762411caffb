"""Calls to the manager service; its methods and their guarantees are told in `v1/manager.proto`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commons.calls import rpc
from protocol.manager.v1 import manager_pb2_grpc

if TYPE_CHECKING:
    from protocol.manager.v1.manager_pb2_grpc import ManagerAsyncStub as Stub
else:
    Stub = manager_pb2_grpc.ManagerStub

__all__ = ["NAME", "Stub", "connect"]

NAME = "headgate.manager.v1.Manager"


def connect(address: str) -> Stub:
    """A stub over a channel of its own, connected when first used; its errors are HeadgateErrors."""
    return rpc.connect(manager_pb2_grpc.ManagerStub, address)
