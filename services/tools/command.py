"""The command line: the service, or one of the tools for the machine it runs on."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from services.tools import doctor, engines

_EXAMPLES = """\
examples:
  python -P -m services                              run the service until Ctrl-C
  python -P -m services doctor                       what is missing or wrong on this machine, and how to mend it
  python -P -m services engines list                 the engine files there are
  python -P -m services engines fetch                download what is not there yet, such as before going offline
  python -P -m services engines verify flink-1.20.5  whether the files are still what was downloaded
  python -P -m services engines add seatunnel-2.3.8 connector-kafka

Settings are environment variables HEADGATE_*, see docs/settings.md. The tools read the same settings as the service."""


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked for: `tool` is None for the service, otherwise `run` is what to call with all of it."""
    parser = argparse.ArgumentParser(
        prog="python -P -m services",
        description="Run Headgate in one process, or look after the machine it runs on.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--stop-engines", action="store_true", help="at the end, stop engines with running tasks too")
    levels = ("DEBUG", "INFO", "WARNING", "ERROR")
    parser.add_argument("--log-level", default="INFO", type=str.upper, choices=levels, help="default: INFO")
    tools = parser.add_subparsers(dest="tool", metavar="tool", title="tools")
    doctor.add_to(tools)
    engines.add_to(tools)
    return parser.parse_args(words)
