"""The log of a process: to stderr, without secrets."""

from __future__ import annotations

import logging

from commons.process.masking import NONE, Secrets
from commons.process.telemetry import TraceInLog

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s  %(message)s%(trace)s"
_OURS = ("headgate", "engineconn", "services", "protocol", "commons")

_known = NONE


def set_up(level: str) -> None:
    """Log what is at least of `level`; of libraries nothing below INFO, for they write down what they are given."""
    handler = logging.StreamHandler()
    handler.addFilter(TraceInLog())
    handler.setFormatter(_Masked(_FORMAT))
    logging.basicConfig(level=max(logging.INFO, logging.getLevelNamesMapping()[level]), handlers=[handler])
    for name in _OURS:
        logging.getLogger(name).setLevel(level)


def keep_secret(secrets: Secrets) -> None:
    """Mask these from now on, instead of those named before, beside what a line itself tells to be a secret."""
    global _known
    _known = secrets


class _Masked(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _known.mask(super().format(record))
