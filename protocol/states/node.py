"""The states of a node: a machine with an ECM."""

from __future__ import annotations

from enum import StrEnum

from commons.statemachine import Transitions


class NodeStatus(StrEnum):
    ALIVE = "Alive"
    """Reports in time."""
    LOST = "Lost"
    """Has been silent for too long; a report brings it back."""


NODE = Transitions({NodeStatus.ALIVE: frozenset({NodeStatus.LOST}), NodeStatus.LOST: frozenset({NodeStatus.ALIVE})})
