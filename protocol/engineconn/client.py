"""Calls to the engineconn service; its methods and their guarantees are told in `v1/engineconn.proto`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commons.calls import rpc
from protocol.engineconn.v1 import engineconn_pb2_grpc

if TYPE_CHECKING:
    from protocol.engineconn.v1.engineconn_pb2_grpc import EngineConnAsyncStub as Stub
else:
    Stub = engineconn_pb2_grpc.EngineConnStub

__all__ = ["NAME", "Stub", "connect"]

NAME = "headgate.engineconn.v1.EngineConn"


def connect(address: str) -> Stub:
    """A stub over a channel of its own, connected when first used; its errors are HeadgateErrors."""
    return rpc.connect(engineconn_pb2_grpc.EngineConnStub, address)
