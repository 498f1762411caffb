"""What /health answers; no envelope."""

from __future__ import annotations

from services.entrance.wire.shapes.envelopes import Shape


class Live(Shape):
    live: bool


class Ready(Shape):
    ready: bool
    """Whether the service takes jobs."""
