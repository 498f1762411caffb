"""Jars that were added to the files of an engine: connectors, formats, drivers.

They lie beside those files, in a folder of their own with a record of where each came from, so that what is fetched
again keeps them. A change makes that folder anew, whole: who has a jar of it open keeps it.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from commons.process.errors import Invalid, NotFound, Unavailable
from protocol import codes
from services.engineconn import maven, sums
from services.engineconn.jars import Jar
from services.engineconn.provisioning import Fill, Package, Say

RECORD = "added.json"
Plugins = Callable[[str, Path], tuple[str, ...]]
"""What the jar of this name, in this file, is a connector of; empty when it is none. Raises Invalid if it cannot be."""


@dataclass(frozen=True, slots=True)
class Added:
    """One added jar: `file` in the folder, which came from `origin`, a coordinate or a path."""

    name: str
    file: str
    origin: str
    sha256: str
    plugins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A jar to be added under a name: from a repository, or a file of this machine."""

    name: str
    source: Jar | Path

    @property
    def file(self) -> str:
        return self.source.file_name if isinstance(self.source, Jar) else self.source.name

    @property
    def origin(self) -> str:
        return self.source.coordinate if isinstance(self.source, Jar) else str(self.source)


def folder(target: Path) -> Path:
    """Where the jars added to the engine files in `target` lie."""
    return target.with_name(f"{target.name}.added")


def read(target: Path) -> list[Added]:
    """What was added to the engine files in `target`."""
    try:
        entries = json.loads((folder(target) / RECORD).read_text())
    except FileNotFoundError:
        return []
    return [Added(**{**entry, "plugins": tuple(entry["plugins"])}) for entry in entries]


def jars(target: Path) -> tuple[Path, ...]:
    """The files of what was added, in the order of their names."""
    return tuple(folder(target) / file for file in sorted(each.file for each in read(target)))


def damaged(target: Path) -> list[Added]:
    """What was added and is no longer what it was."""
    return [each for each in read(target) if sums.sha256(folder(target) / each.file) != each.sha256]


async def add(package: Package, wanted: Sequence[Wanted], plugins: Plugins, say: Say) -> None:
    """Add these; one of the same name is replaced. Raises Invalid or Unavailable, and then all is as it was."""

    async def fill(part: Path, place: Path, say: Say) -> None:
        kept = await asyncio.to_thread(_keep, package, {each.name for each in wanted}, place)
        taken = {each.file: each.name for each in kept}
        for each in wanted:
            if taken.setdefault(each.file, each.name) != each.name:
                what = f"{each.file} is there already as {taken[each.file]}; remove that first"
                raise Invalid(codes.ENGINE_FILES, what)
        new = await _bring(package, wanted, plugins, place, part, say)
        _write(place, [*kept, *new])

    await _change(package, sum(each.source.size for each in wanted if isinstance(each.source, Jar)), fill, say)


async def remove(package: Package, names: Collection[str], say: Say) -> None:
    """Remove these. Raises NotFound for a name that was not added, naming those that were."""

    async def fill(part: Path, place: Path, say: Say) -> None:
        there = [each.name for each in read(package.target)]
        unknown = sorted(set(names) - set(there))
        if unknown:
            what = f"no {unknown[0]!r} was added to {package.name}; there are: {', '.join(there) or 'none'}"
            raise NotFound(codes.ENGINE_FILES, what)
        _write(place, await asyncio.to_thread(_keep, package, names, place))

    await _change(package, 0, fill, say)


async def _change(package: Package, size: int, fill: Fill, say: Say) -> None:
    """What was added is read and written under the same lock, so that two changes at once both hold."""
    place = folder(package.target)
    await Package(f"{package.name}.added", f"jars for {package.title}", place, size, fill).provide(say, lambda _: False)


def _keep(package: Package, without: Collection[str], place: Path) -> list[Added]:
    """The other jars, linked into `place`; none of them damaged, or nothing could tell it later."""
    bad = [each for each in damaged(package.target) if each.name not in without]
    if bad:
        what = f"{bad[0].name} is damaged; add it again, or remove it: engines add {package.name} {bad[0].origin}"
        raise Unavailable(codes.ENGINE_FILES, what)
    kept = [each for each in read(package.target) if each.name not in without]
    for each in kept:
        os.link(folder(package.target) / each.file, place / each.file)
    return kept


async def _bring(
    package: Package, wanted: Sequence[Wanted], plugins: Plugins, place: Path, part: Path, say: Say
) -> list[Added]:
    fetched = [each.source for each in wanted if isinstance(each.source, Jar)]
    if fetched:
        await maven.fetch(f"jars for {package.title}", fetched, place, part, say)
    new = []
    for each in wanted:
        file = place / each.file
        if isinstance(each.source, Path):
            await asyncio.to_thread(shutil.copyfile, each.source, file)
        if not await asyncio.to_thread(zipfile.is_zipfile, file):
            raise Invalid(codes.ENGINE_FILES, f"{each.origin} is no jar")
        digest = await asyncio.to_thread(sums.sha256, file)
        new.append(Added(each.name, each.file, each.origin, digest, plugins(each.name, file)))
    return new


def _write(place: Path, entries: Sequence[Added]) -> None:
    ordered = sorted(entries, key=lambda each: each.name)
    (place / RECORD).write_text(json.dumps([asdict(each) for each in ordered], indent=2) + "\n")
