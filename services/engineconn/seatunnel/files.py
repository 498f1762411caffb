"""SeaTunnel's jars and a Java for them: the user's own where he names them, otherwise from their Maven coordinates."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commons.process.errors import Invalid
from protocol import codes
from services.engineconn import java, maven
from services.engineconn.engine import EngineSpec
from services.engineconn.jars import Jar
from services.engineconn.provisioning import Fill, Package, Say

MAPPING = "plugin-mapping.properties"


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


async def find(spec: EngineSpec, say: Say) -> Files:
    """What the engine needs to start. Raises Invalid or Unavailable naming the fix."""
    program = await java.find(spec, say)  # the smaller one first: what is wrong is known sooner
    if own := spec.settings.get("seatunnel_home"):
        return Files(_own(Path(own).expanduser()), program)
    return Files(await package(spec.engines_home, spec.version).provide(say), program)


def packages(engines_home: Path) -> list[Package]:
    """Every version that can be fetched."""
    return [package(engines_home, version) for version in _data()]


def package(engines_home: Path, version: str) -> Package:
    """Raises Invalid for a version that cannot be fetched, naming those that can."""
    jars = distribution(version)
    size = sum(jar.size for jar in jars.all_jars)
    target = engines_home / "seatunnel" / version
    return Package(f"seatunnel-{version}", f"SeaTunnel {version}", target, size, _fill(jars))


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


def mapping(plugins: Mapping[str, tuple[str, ...]]) -> str:
    """The text of `plugin-mapping.properties` for these connectors and their plug-ins."""
    lines = (f"seatunnel.{name} = {connector}\n" for connector, names in plugins.items() for name in names)
    return "".join(lines)


def _fill(distribution: Distribution) -> Fill:
    async def fill(part: Path, folder: Path, say: Say) -> None:
        (part / "jars").mkdir()
        await maven.fetch(f"SeaTunnel {distribution.version}", distribution.all_jars, part / "jars", part, say)
        await asyncio.to_thread(_lay_out, distribution, part / "jars", folder)

    return fill


def _lay_out(distribution: Distribution, jars: Path, home: Path) -> None:
    for folder, entries in distribution.jars.items():
        (home / folder).mkdir(parents=True)
        for jar in entries:
            (jars / jar.file_name).rename(home / folder / jar.file_name)
    there = {jar.artifact for jar in distribution.jars["connectors"]}
    held = {connector: names for connector, names in distribution.plugins.items() if connector in there}
    (home / "connectors" / MAPPING).write_text(mapping(held))


def _own(home: Path) -> Path:
    """Raises Invalid for a folder that is no SeaTunnel."""
    if not any(home.glob("starter/*.jar")) or not (home / "connectors" / MAPPING).is_file():
        what = f"HEADGATE_SEATUNNEL_HOME={home} has no starter/*.jar, or no connectors/{MAPPING}"
        raise Invalid(codes.SETTINGS_INVALID, what, field="HEADGATE_SEATUNNEL_HOME")
    return home


def _data() -> dict[str, dict[str, Any]]:
    return tomllib.loads((Path(__file__).parent / "distribution.toml").read_text())
