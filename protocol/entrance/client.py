"""Calls to the entrance service; its methods and their guarantees are told in `v1/entrance.proto`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commons.calls import rpc
from protocol.entrance.v1 import entrance_pb2_grpc

if TYPE_CHECKING:
    from protocol.entrance.v1.entrance_pb2_grpc import EntranceAsyncStub as Stub
else:
    Stub = entrance_pb2_grpc.EntranceStub

__all__ = ["NAME", "Stub", "connect"]

NAME = "headgate.entrance.v1.Entrance"


def connect(address: str) -> Stub:
    """A stub over a channel of its own, connected when first used; its errors are HeadgateErrors."""
    return rpc.connect(entrance_pb2_grpc.EntranceStub, address)
