"""What tools share: settings read or complained of, and lines of progress."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from commons.process.settings import STOPPING, Settings, complaint


def with_settings(action: Callable[[Settings, argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """The action as a command: with the settings, and with a line for what stops it."""

    def run(arguments: argparse.Namespace) -> int:
        try:
            return action(Settings(), arguments)
        except STOPPING as error:
            clear()
            print(complaint(error), file=sys.stderr)
            return 1

    return run


def progress(line: str) -> None:
    """On a terminal each line takes the place of the one before."""
    _say(line if sys.stderr.isatty() else f"{line}\n")


def complain(line: str) -> None:
    """A line to stderr that stays, in the place of the last one of progress."""
    _say(f"{line}\n")


def clear() -> None:
    """Remove the last line of progress."""
    _say("")


def _say(text: str) -> None:
    before = "\r\x1b[K" if sys.stderr.isatty() else ""
    print(f"{before}{text}", end="", file=sys.stderr, flush=True)
