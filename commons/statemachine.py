"""Transition tables: which state may follow which."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Generic, TypeVar

S = TypeVar("S", bound=StrEnum)


class Transitions(Generic[S]):
    """`table` maps each state to the states that may follow it; one that maps to nothing is final."""

    def __init__(self, table: Mapping[S, frozenset[S]]) -> None:
        self.table = table

    def allowed(self, source: S, target: S) -> bool:
        """Whether `target` may follow `source`."""
        return target in self.table[source]

    def sources(self, target: S) -> frozenset[S]:
        """The states that `target` may follow."""
        return frozenset(state for state, following in self.table.items() if target in following)

    def final(self, state: S) -> bool:
        """Whether nothing may follow `state`."""
        return not self.table[state]
