"""`engines`: the engine files of this node listed, fetched, verified; jars added and removed."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

from commons.process.errors import HeadgateError
from commons.process.settings import Settings
from services.engineconn import added, sums
from services.engineconn.provisioning import Package
from services.tools import engine_files, engine_jars, terminal
from services.tools.findings import megabytes

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_to(tools: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """`engines list`, `engines fetch`, `engines verify`, `engines add`, `engines remove`."""
    about = "List, download and verify the files of engines. They lie under HEADGATE_ENGINES_HOME, shared by all homes."
    parser = tools.add_parser("engines", help="engine files: list, fetch, verify, add, remove", description=about)
    actions = parser.add_subparsers(dest="action", metavar="action", required=True, title="actions")
    actions.add_parser(
        "list",
        help="what there is, where, how large, and its state",
        description="One line for each version, and one below it for each jar that was added.",
    ).set_defaults(run=terminal.with_settings(_list))
    fetch = actions.add_parser(
        "fetch",
        help="download what is absent or damaged",
        description="Download what is absent or damaged; without names, all that the settings ask for. Flink and Java "
        "come by pip, whose own settings (PIP_INDEX_URL, PIP_CERT, …) say from where; SeaTunnel comes from the Maven "
        "repository that HEADGATE_MAVEN_REPOSITORY or Maven's settings name, else by mvn. Engines that run keep the "
        "files they have.",
    )
    fetch.set_defaults(run=terminal.with_settings(_fetch))
    verify = actions.add_parser(
        "verify",
        help="compare every file with what was unpacked",
        description="Compare the SHA-256 of every file with what was unpacked or added; without names, of all.",
    )
    verify.set_defaults(run=terminal.with_settings(_verify))
    for each in (fetch, verify):
        each.add_argument(
            "names", nargs="*", metavar="version", help="as `engines list` names it, such as flink-1.20.5"
        )
    engine_jars.add_to(actions)


def _list(settings: Settings, _: argparse.Namespace) -> int:
    needed = {each.name for each in engine_files.wanted(settings)}
    for package in engine_files.packages(settings):
        there = engine_files.state(package)
        size = sums.size(package.target) if there != engine_files.ABSENT else package.size
        about = "" if there != engine_files.ABSENT else " to download"
        note = "" if package.name in needed else "  (the settings do not need it)"
        print(f"{package.name:<16} {there:<8} {megabytes(size):>9}{about}  {package.target}{note}")
        for each in added.read(package.target):
            file = added.folder(package.target) / each.file
            state, size = ("added", file.stat().st_size) if file.exists() else (engine_files.DAMAGED, 0)
            print(f"  {each.name:<14} {state:<8} {megabytes(size):>9}  {each.origin}")
    for name, folder in engine_files.own(settings).items():
        print(f"{name:<16} {'own':<8} {'':>9}  {folder}")
    return 0


def _fetch(settings: Settings, arguments: argparse.Namespace) -> int:
    failed = 0
    chosen = _chosen(settings, arguments.names) if arguments.names else engine_files.wanted(settings)
    if not chosen:
        print("nothing to fetch: the settings name no engine that needs files, or files of your own")
    for package in chosen:
        try:
            asyncio.run(package.provide(terminal.progress, engine_files.is_whole))
        except HeadgateError as error:
            failed += 1
            terminal.complain(f"headgate: {error.message}")
        else:
            terminal.clear()
            print(f"{package.name}: {engine_files.READY} in {package.target}")
    return 1 if failed else 0


def _verify(settings: Settings, arguments: argparse.Namespace) -> int:
    chosen = _chosen(settings, arguments.names)
    bad = 0
    for package in chosen if arguments.names else [each for each in chosen if each.target.is_dir()]:
        good, what = engine_files.told(package)
        bad += not good
        print(f"{package.name}: {what}")
    return 1 if bad else 0


def _chosen(settings: Settings, names: list[str]) -> list[Package]:
    known = {each.name: each for each in engine_files.packages(settings)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"there is no {unknown[0]!r}; there are: {', '.join(known)}")
    return [known[name] for name in names or known]
