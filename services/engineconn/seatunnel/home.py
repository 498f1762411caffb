"""A SeaTunnel home made of a distribution and of what was added to it: links, one folder for each state of both.

SeaTunnel looks into its home at every submit. So an engine keeps the home it began with, also when jars are added or
removed meanwhile; a home that no engine uses goes away.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.engineconn import added, sums
from services.engineconn.added import Added
from services.engineconn.provisioning import Fill, Package, Say

MAPPING = "plugin-mapping.properties"


async def provide(package: Package, say: Say) -> Path:
    """The home to start an engine with. What this process was given stays there until the process ends."""
    target = await package.provide(say)
    entries = added.read(target)
    home = target.with_name(f"{target.name}.with-{_state(target, entries)}") if entries else target
    if entries:
        made = Package(package.name, package.title, home, 0, _fill(target, entries))
        while not await asyncio.to_thread(_hold, await made.provide(say)):
            continue
    await asyncio.to_thread(_sweep, target, home)
    return home


def mapping(plugins: Mapping[str, tuple[str, ...]]) -> str:
    """The text of `plugin-mapping.properties` for these connectors and their plug-ins."""
    lines = (f"seatunnel.{name} = {connector}\n" for connector, names in plugins.items() for name in names)
    return "".join(lines)


def _state(target: Path, entries: Sequence[Added]) -> str:
    """A name for this distribution, here, with these."""
    noted = sums.sha256(target / sums.NAME)
    return hashlib.sha256(f"{target} {noted} {entries}".encode()).hexdigest()[:12]


def _fill(target: Path, entries: Sequence[Added]) -> Fill:
    async def fill(part: Path, home: Path, say: Say) -> None:
        await asyncio.to_thread(_link, target, entries, home)

    return fill


def _link(target: Path, entries: Sequence[Added], home: Path) -> None:
    for file in (each for each in target.rglob("*") if each.is_file() and each.name not in (sums.NAME, MAPPING)):
        place = home / file.relative_to(target)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(file)
    lines = [(target / "connectors" / MAPPING).read_text()]
    for each in entries:
        place = home / ("connectors" if each.plugins else "plugins/added/lib") / each.file
        place.parent.mkdir(parents=True, exist_ok=True)
        os.link(added.folder(target) / each.file, place)  # it stays here when it is removed there
        lines.append(mapping({each.name: each.plugins}))
    (home / "connectors" / MAPPING).write_text("".join(lines))


def _hold(home: Path) -> bool:
    """Whether the folder is this process's until it ends; not when it was swept away just now."""
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), home.stat()):
                return True
        os.close(descriptor)
    return False


def _sweep(target: Path, but: Path) -> None:
    """Remove homes of other states that no engine uses."""
    for home in target.parent.glob(f"{target.name}.with-*"):
        if home == but or not home.is_dir() or ".part" in home.name:
            continue
        with contextlib.suppress(OSError):
            descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not _runs(home):
                    shutil.rmtree(home)
                    home.with_name(f"{home.name}.lock").unlink()
            finally:
                os.close(descriptor)


def _runs(home: Path) -> bool:
    """Whether a process has the home in its command line: a server goes on when its engine connection dies."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if os.fsencode(home) in file.read_bytes():
                return True
    return False
