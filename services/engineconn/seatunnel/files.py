"""SeaTunnel's jars and a Java for them: the user's own where he names them, otherwise from their Maven coordinates."""

from __future__ import annotations

import asyncio
import tomllib
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commons.process.errors import Invalid
from protocol import codes
from services.engineconn import java, maven
from services.engineconn.engine import EngineSpec
from services.engineconn.jars import Jar
from services.engineconn.provisioning import Fill, Package, Say
from services.engineconn.seatunnel import home

_HOLDS_CONNECTOR = (
    "META-INF/services/org.apache.seatunnel.api.table.factory.Factory",
    "META-INF/services/org.apache.seatunnel.api.source.SeaTunnelSource",
    "META-INF/services/org.apache.seatunnel.api.sink.SeaTunnelSink",
)


@dataclass(frozen=True, slots=True)
class Files:
    """SEATUNNEL_HOME (starter, lib, connectors with their mapping, plugins) and the java program."""

    home: Path
    java: Path


@dataclass(frozen=True, slots=True)
class Distribution:
    """One version of SeaTunnel, as data."""

    version: str
    jars: Mapping[str, tuple[Jar, ...]]
    """What is fetched, by the folder it lies in."""
    more: tuple[Jar, ...]
    """What can be added by the name of its artifact."""
    plugins: Mapping[str, tuple[str, ...]]
    """By connector: source.Name, sink.Name, transform.Name."""

    @property
    def all_jars(self) -> tuple[Jar, ...]:
        return tuple(jar for jars in self.jars.values() for jar in jars)

    @property
    def to_add(self) -> dict[str, Jar]:
        """What can be added, by name: connectors of which no jar is told are SeaTunnel's own, of this version."""
        own = {name: Jar("org.apache.seatunnel", name, self.version) for name in self.plugins}
        shipped = {jar.artifact for jar in self.all_jars}
        return {
            name: jar for name, jar in (own | {jar.artifact: jar for jar in self.more}).items() if name not in shipped
        }


async def find(spec: EngineSpec, say: Say) -> Files:
    """What the engine needs to start. Raises Invalid or Unavailable naming the fix."""
    program = await java.find(spec, say)  # the smaller one first: what is wrong is known sooner
    if own := spec.settings.get("seatunnel_home"):
        return Files(_own(Path(own).expanduser()), program)
    return Files(await home.provide(package(spec.engines_home, spec.version), say), program)


def packages(engines_home: Path) -> list[Package]:
    """Every version that can be fetched."""
    return [package(engines_home, version) for version in _data()]


def package(engines_home: Path, version: str) -> Package:
    """Raises Invalid for a version that cannot be fetched, naming those that can."""
    jars = distribution(version)
    size = sum(jar.size for jar in jars.all_jars)
    target = engines_home / "seatunnel" / version
    needs = [f"{folder}/{jar.file_name}" for folder, entries in jars.jars.items() for jar in entries]
    return Package(f"seatunnel-{version}", f"SeaTunnel {version}", target, size, _fill(jars), needs)


def distribution(version: str) -> Distribution:
    """Raises Invalid for a version that cannot be fetched, naming those that can."""
    known = _data()
    if version not in known:
        what = f"SeaTunnel {version} cannot be downloaded; there are: {', '.join(known)}"
        raise Invalid(codes.ENGINE_UNKNOWN, what)
    data = known[version]
    return Distribution(
        version,
        {folder: tuple(Jar.of(*entry) for entry in entries) for folder, entries in data["jars"].items()},
        tuple(Jar.of(*entry) for entry in data["more"]),
        {connector: tuple(names) for connector, names in data["plugins"].items()},
    )


def to_add(version: str) -> dict[str, Jar]:
    """What can be added to a version by name."""
    return distribution(version).to_add


def shipped(version: str) -> Collection[str]:
    """The artifacts that a version has anyway."""
    return {jar.artifact for jar in distribution(version).all_jars}


def plugins(version: str, name: str, file: Path) -> tuple[str, ...]:
    """The plug-ins in a connector's jar, empty for another jar. Raises Invalid for a connector nothing is known of."""
    with zipfile.ZipFile(file) as archive:
        if not set(_HOLDS_CONNECTOR).intersection(archive.namelist()):
            return ()
    known = distribution(version).plugins
    if name not in known:
        what = f"{name} is a connector, but of which plug-ins? Say it: --plugins source.Name,sink.Name"
        raise Invalid(codes.ENGINE_FILES, what)
    return known[name]


def _fill(distribution: Distribution) -> Fill:
    async def fill(part: Path, folder: Path, say: Say) -> None:
        (part / "jars").mkdir()
        await maven.fetch(f"SeaTunnel {distribution.version}", distribution.all_jars, part / "jars", part, say)
        await asyncio.to_thread(_lay_out, distribution, part / "jars", folder)

    return fill


def _lay_out(distribution: Distribution, jars: Path, folder: Path) -> None:
    for name, entries in distribution.jars.items():
        (folder / name).mkdir(parents=True)
        for jar in entries:
            (jars / jar.file_name).rename(folder / name / jar.file_name)
    there = {jar.artifact for jar in distribution.jars["connectors"]}
    held = {connector: names for connector, names in distribution.plugins.items() if connector in there}
    (folder / "connectors" / home.MAPPING).write_text(home.mapping(held))


def _own(folder: Path) -> Path:
    """Raises Invalid for a folder that is no SeaTunnel."""
    if not any(folder.glob("starter/*.jar")) or not (folder / "connectors" / home.MAPPING).is_file():
        what = f"HEADGATE_SEATUNNEL_HOME={folder} has no starter/*.jar, or no connectors/{home.MAPPING}"
        raise Invalid(codes.SETTINGS_INVALID, what, field="HEADGATE_SEATUNNEL_HOME")
    return folder


def _data() -> dict[str, dict[str, Any]]:
    return tomllib.loads((Path(__file__).parent / "distribution.toml").read_text())
