"""Calls to the ecm service; its methods and their guarantees are told in `v1/ecm.proto`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commons.calls import rpc
from protocol.ecm.v1 import ecm_pb2_grpc

if TYPE_CHECKING:
    from protocol.ecm.v1.ecm_pb2_grpc import EcmAsyncStub as Stub
else:
    Stub = ecm_pb2_grpc.EcmStub

__all__ = ["NAME", "Stub", "connect"]

NAME = "headgate.ecm.v1.Ecm"


def connect(address: str) -> Stub:
    """A stub over a channel of its own, connected when first used; its errors are HeadgateErrors."""
    return rpc.connect(ecm_pb2_grpc.EcmStub, address)
