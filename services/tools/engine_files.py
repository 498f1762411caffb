"""`engines`: the engine files of this node listed, fetched, verified."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from commons.process.errors import HeadgateError
from commons.process.settings import STOPPING, Settings, complaint
from services.engineconn import java, kinds, sums
from services.engineconn.provisioning import Package
from services.tools.findings import megabytes

if TYPE_CHECKING:
    from argparse import _SubParsersAction

READY, ABSENT, DAMAGED, UNKNOWN = "ready", "absent", "damaged", "cannot be verified"
FETCH = "python -P -m services engines fetch"
_SHOWN = 5


def add_to(tools: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """`engines list`, `engines fetch`, `engines verify`."""
    about = "List, download and verify the files of engines. They lie under HEADGATE_ENGINES_HOME, shared by all homes."
    parser = tools.add_parser("engines", help="engine files: list, fetch, verify", description=about)
    actions = parser.add_subparsers(dest="action", metavar="action", required=True, title="actions")
    actions.add_parser(
        "list", help="what there is, where, how large, and its state", description="One line for each version."
    ).set_defaults(run=_with_settings(_list))
    fetch = actions.add_parser(
        "fetch",
        help="download what is absent or damaged",
        description="Download what is absent or damaged; without names, all that the settings ask for. pip does it, "
        "and its own settings (PIP_INDEX_URL, PIP_CERT, …) say from where. Engines that run keep the files they have.",
    )
    fetch.set_defaults(run=_with_settings(_fetch))
    verify = actions.add_parser(
        "verify",
        help="compare every file with what was unpacked",
        description="Compare the SHA-256 of every file with what was unpacked; without names, of all that is there.",
    )
    verify.set_defaults(run=_with_settings(_verify))
    for each in (fetch, verify):
        each.add_argument(
            "names", nargs="*", metavar="version", help="as `engines list` names it, such as flink-1.20.5"
        )


def wanted(settings: Settings) -> list[Package]:
    """What the engines that are offered need, but for what the settings name instead of a download."""
    offered = [kind for kind in kinds.with_files() if kind in settings.offered_kinds]
    needed = ["java", *offered] if offered else []
    skipped = own(settings)
    return [each for kind in needed if kind not in skipped for each in _of(kind, settings)]


def packages(settings: Settings) -> list[Package]:
    """Everything that can be fetched: Java, and each version of each kind."""
    return [each for kind in ("java", *kinds.with_files()) for each in _of(kind, settings)]


def own(settings: Settings) -> dict[str, str]:
    """What the settings name instead of a download: folders, by `java` or the kind."""
    named = {kind: str(getattr(settings, f"{kind}_home")) for kind in kinds.with_files()}
    named["java"] = java.own(settings.java_home)
    return {kind: folder for kind, folder in named.items() if folder}


def _of(kind: str, settings: Settings) -> list[Package]:
    folder = settings.engines_folder
    return [java.package(folder)] if kind == "java" else kinds.with_files()[kind].packages(folder)


def state(package: Package) -> str:
    """Quickly: without a look into the files."""
    if not package.target.is_dir():
        return ABSENT
    return DAMAGED if sums.lost(package.target) else READY


def told(package: Package) -> tuple[bool, str]:
    """Whether every file is what was unpacked, and what to say of it."""
    if not package.target.is_dir():
        return False, f"absent; fetch it: {FETCH} {package.name}"
    differing = sums.differences(package.target)
    if differing is None:
        return False, f"{UNKNOWN} (there is no {sums.NAME} to compare with); fetch it again: {FETCH} {package.name}"
    if not differing:
        return True, f"every file is what was unpacked ({package.target})"
    more = f" and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
    return False, f"{DAMAGED}: {', '.join(differing[:_SHOWN])}{more}; fetch it again: {FETCH} {package.name}"


def _list(settings: Settings, _: list[str]) -> int:
    needed = {each.name for each in wanted(settings)}
    for package in packages(settings):
        there = state(package)
        size = sums.size(package.target) if there != ABSENT else package.size
        about = "" if there != ABSENT else " to download"
        note = "" if package.name in needed else "  (the settings do not need it)"
        print(f"{package.name:<16} {there:<8} {megabytes(size):>9}{about}  {package.target}{note}")
    for name, folder in own(settings).items():
        print(f"{name:<16} {'own':<8} {'':>9}  {folder}")
    return 0


def _fetch(settings: Settings, names: list[str]) -> int:
    failed = 0
    chosen = _chosen(settings, names) if names else wanted(settings)
    if not chosen:
        print("nothing to fetch: the settings name no engine that needs files, or files of your own")
    for package in chosen:
        try:
            asyncio.run(package.provide(_progress, _is_whole))
        except HeadgateError as error:
            failed += 1
            _say(f"headgate: {error.message}\n")
        else:
            _say("")
            print(f"{package.name}: {READY} in {package.target}")
    return 1 if failed else 0


def _verify(settings: Settings, names: list[str]) -> int:
    chosen = _chosen(settings, names)
    bad = 0
    for package in chosen if names else [each for each in chosen if each.target.is_dir()]:
        good, what = told(package)
        bad += not good
        print(f"{package.name}: {what}")
    return 1 if bad else 0


def _is_whole(folder: Path) -> bool:
    return folder.is_dir() and sums.differences(folder) == []


def _chosen(settings: Settings, names: list[str]) -> list[Package]:
    known = {each.name: each for each in packages(settings)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"there is no {unknown[0]!r}; there are: {', '.join(known)}")
    return [known[name] for name in names or known]


def _with_settings(action: Callable[[Settings, list[str]], int]) -> Callable[[argparse.Namespace], int]:
    def run(arguments: argparse.Namespace) -> int:
        try:
            return action(Settings(), getattr(arguments, "names", []))
        except STOPPING as error:
            print(complaint(error), file=sys.stderr)
            return 1

    return run


def _progress(line: str) -> None:
    _say(line if sys.stderr.isatty() else f"{line}\n")


def _say(text: str) -> None:
    """On a terminal each line takes the place of the one before."""
    clear = "\r\x1b[K" if sys.stderr.isatty() else ""
    print(f"{clear}{text}", end="", file=sys.stderr, flush=True)
