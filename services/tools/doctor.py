"""`doctor`: what is missing or wrong on this machine, and how to mend it. It changes nothing and needs no service."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from pydantic import ValidationError

from commons.process.settings import Settings, explained
from services.tools import installation, machine
from services.tools.findings import Finding, State, fail

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_to(tools: _SubParsersAction[argparse.ArgumentParser]) -> None:
    about = (
        "Look at what Headgate needs on this machine: a line for each thing, with what was found and how to mend it. "
    )
    more = "Nothing is changed, and no service needs to run. The exit code is 1 when something fails, otherwise 0."
    parser = tools.add_parser(
        "doctor", help="what is missing or wrong here, and how to mend it", description=about + more
    )
    parser.add_argument("--json", action="store_true", help="a JSON list of {check, state, found, fix}")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """0 when nothing fails."""
    found = []
    for finding in examine():
        found.append(finding)
        if not arguments.json:
            print(_line(finding), flush=True)
    if arguments.json:
        print(json.dumps([asdict(finding) for finding in found], indent=2))
    return 1 if any(finding.state is State.FAIL for finding in found) else 0


def examine() -> Iterator[Finding]:
    """Every finding, as it is made."""
    yield installation.python()
    yield installation.packages()
    yield machine.open_files()
    try:
        settings = Settings()
    except ValidationError as error:
        yield fail("settings", explained(error), "change it; the other checks need valid settings")
        return
    yield installation.settings(settings, os.environ)
    home = settings.home_folder
    yield from installation.java(settings)
    yield from installation.engines(settings)
    yield installation.home_folder(home)
    yield installation.running(home)
    yield installation.sockets(home)
    yield from machine.disks(settings)
    yield machine.memory(settings, *machine.memory_bytes())
    yield machine.port(settings)
    yield machine.clock(home, time.time())


def _line(finding: Finding) -> str:
    fix = f" -> {finding.fix}" if finding.fix else ""
    return f"{finding.state:<5} {finding.check:<14} {finding.found}{fix}"
