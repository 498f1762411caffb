"""The engine files of this node: which there are, which are needed, and whether they are what was fetched."""

from __future__ import annotations

from pathlib import Path

from commons.process.settings import Settings
from services.engineconn import added, java, kinds, sums
from services.engineconn.provisioning import Package

READY, ABSENT, DAMAGED, UNKNOWN = "ready", "absent", "damaged", "cannot be verified"
COMMAND = "python -P -m services engines"
FETCH = f"{COMMAND} fetch"
_SHOWN = 5


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


def state(package: Package) -> str:
    """Quickly: without a look into the files."""
    if not package.target.is_dir():
        return ABSENT
    return DAMAGED if sums.lost(package.target) or package.lacking() else READY


def told(package: Package) -> tuple[bool, str]:
    """Whether every file is what was unpacked or added, and what to say of it."""
    if not package.target.is_dir():
        return False, f"absent; fetch it: {FETCH} {package.name}"
    differing = sums.differences(package.target)
    if differing is None:
        return False, f"{UNKNOWN} (there is no {sums.NAME} to compare with); fetch it again: {FETCH} {package.name}"
    differing += [f"{file} is not there" for file in package.lacking() if f"{file} is gone" not in differing]
    if differing:
        more = f" and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
        return False, f"{DAMAGED}: {', '.join(differing[:_SHOWN])}{more}; fetch it again: {FETCH} {package.name}"
    if bad := added.damaged(package.target):
        names, origins = ", ".join(each.name for each in bad), " ".join(each.origin for each in bad)
        return False, f"{DAMAGED}: {names}, which was added; add it again: {COMMAND} add {package.name} {origins}"
    there = len(added.read(package.target))
    beside = f", and so are the {there} that were added" if there else ""
    return True, f"every file is what was unpacked ({package.target}){beside}"


def is_whole(folder: Path) -> bool:
    """Whether every file is what was unpacked."""
    return folder.is_dir() and sums.differences(folder) == []


def _of(kind: str, settings: Settings) -> list[Package]:
    folder = settings.engines_folder
    return [java.package(folder)] if kind == "java" else kinds.with_files()[kind].packages(folder)
