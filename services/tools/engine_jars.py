"""`engines add` and `engines remove`: connectors, formats and drivers beside the files of an engine."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from commons.process.settings import Settings
from services.engineconn import added, kinds
from services.engineconn.added import Wanted
from services.engineconn.jars import Jar
from services.engineconn.kinds import KindOfFiles
from services.engineconn.provisioning import Package
from services.tools import terminal

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_VERSION = "the engine's version, such as seatunnel-2.3.8 or flink-1.20.5"


def add_to(actions: _SubParsersAction[argparse.ArgumentParser]) -> None:
    add = actions.add_parser(
        "add",
        help="add connectors, formats or drivers to an engine",
        description="Add jars to an engine: a connector that the version knows by name (connector-kafka), a "
        "coordinate (group:artifact:version[:classifier]) or a file (path/to/some.jar). Fetching the engine again "
        "keeps them. Engines that start later have them; those that run keep the files they have.",
    )
    add.add_argument("version", help=_VERSION)
    add.add_argument("jars", nargs="+", metavar="jar", help="a known name, a coordinate, or a .jar file")
    add.add_argument(
        "--plugins", default="", help="what a SeaTunnel connector of your own holds, such as source.Mine,sink.Mine"
    )
    add.set_defaults(run=terminal.with_settings(_add))
    remove = actions.add_parser(
        "remove", help="remove what was added", description="Remove jars that were added, by the names `list` shows."
    )
    remove.add_argument("version", help=_VERSION)
    remove.add_argument("names", nargs="+", metavar="name", help="as `engines list` shows it")
    remove.set_defaults(run=terminal.with_settings(_remove))


def _add(settings: Settings, arguments: argparse.Namespace) -> int:
    files, package = _engine(settings, arguments.version)
    version = package.target.name
    wanted = list(dict.fromkeys(_wanted(files, version, text) for text in arguments.jars))
    there = files.shipped(version)
    if part := next((each.name for each in wanted if each.name in there), None):
        raise ValueError(f"{part} is a part of {package.name} already")
    given = tuple(filter(None, (name.strip() for name in arguments.plugins.split(","))))

    def plugins(name: str, file: Path) -> tuple[str, ...]:
        return given or files.plugins(version, name, file)

    asyncio.run(added.add(package, wanted, plugins, terminal.progress))
    terminal.clear()
    for each in wanted:
        print(f"{package.name}: added {each.name} ({each.origin})")
    return 0


def _remove(settings: Settings, arguments: argparse.Namespace) -> int:
    _, package = _engine(settings, arguments.version)
    asyncio.run(added.remove(package, arguments.names, terminal.progress))
    terminal.clear()
    print(f"{package.name}: removed {', '.join(arguments.names)}")
    return 0


def _engine(settings: Settings, name: str) -> tuple[KindOfFiles, Package]:
    known = {
        package.name: (files, package)
        for files in kinds.with_files().values()
        for package in files.packages(settings.engines_folder)
    }
    if name not in known:
        raise ValueError(f"there is no {name!r}; there are: {', '.join(known)}")
    return known[name]


def _wanted(files: KindOfFiles, version: str, text: str) -> Wanted:
    """Raises Invalid or ValueError for a text that names no jar."""
    known = files.to_add(version)
    if text in known:
        return Wanted(text, known[text])
    if text.endswith(".jar"):
        file = Path(text).expanduser().absolute()
        if not file.is_file():
            raise ValueError(f"there is no file {file}")
        # SeaTunnel finds a connector's jar by how its name begins
        names = [name for name in (*known, *files.shipped(version)) if file.name.startswith(f"{name}-")]
        return Wanted(max(names, key=len, default=file.stem), file)
    if ":" in text:
        jar = Jar.of(text)
        same = known.get(jar.artifact)
        return Wanted(jar.artifact, same if same and same.coordinate == jar.coordinate else jar)
    there = f"; known by name are: {', '.join(sorted(known))}" if known else ""
    raise ValueError(f"{text!r} is no coordinate (group:artifact:version) and no .jar file{there}")
