"""Which jars a job needs and which of them are not there. Reads the names and listings of the home's jars, only."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from services.engineconn.seatunnel.home import MAPPING

DRIVERS = {
    "com.mysql.cj.jdbc.Driver": "com.mysql:mysql-connector-j:8.0.33",
    "com.mysql.jdbc.Driver": "com.mysql:mysql-connector-j:8.0.33",
    "org.mariadb.jdbc.Driver": "org.mariadb.jdbc:mariadb-java-client:3.3.3",
    "org.postgresql.Driver": "org.postgresql:postgresql:42.7.4",
    "org.h2.Driver": "com.h2database:h2:2.2.224",
    "oracle.jdbc.OracleDriver": "com.oracle.database.jdbc:ojdbc8:23.6.0.24.10",
    "com.microsoft.sqlserver.jdbc.SQLServerDriver": "com.microsoft.sqlserver:mssql-jdbc:12.8.1.jre8",
}
"""Which artifact holds a driver."""
_NEEDS_DRIVER = {"mysql-cdc": "com.mysql.cj.jdbc.Driver"}


class ClassPath:
    """The plug-ins and jars of one SeaTunnel home; `known` are the plug-ins of connectors that can be added to it."""

    def __init__(self, home: Path, version: str, known: Mapping[str, Sequence[str]]) -> None:
        self._home, self._version = home, version
        there = _mapping(home / "connectors" / MAPPING)
        self._jars_of = {plugin: jar for jar, plugins in known.items() for plugin in plugins} | there

    def names(self, section: str) -> set[str]:
        """Plug-ins that a job may name: those of this home, and those that can be added."""
        return {name.removeprefix(f"{section}.") for name in self._jars_of if name.startswith(f"{section}.")}

    def missing(self, section: str, plugin: Mapping[str, Any]) -> list[str]:
        """Which of a plug-in's jars are not there, each with the command that adds it."""
        name = str(plugin["plugin_name"])
        return [*self._connector(section, name), *self._driver(name, plugin)]

    def command(self, artifact: str) -> str:
        """What adds an artifact to the home."""
        return f"python -P -m services engines add seatunnel-{self._version} {artifact}"

    def _connector(self, section: str, name: str) -> Iterator[str]:
        jar = next((jar for plugin, jar in self._jars_of.items() if plugin.lower() == f"{section}.{name}".lower()), "")
        if jar and not any((self._home / "connectors").glob(f"{jar}-[0-9]*.jar")):
            yield f"the jar {jar} is missing; add it with: {self.command(jar)}"

    def _driver(self, name: str, plugin: Mapping[str, Any]) -> Iterator[str]:
        driver = plugin.get("driver") if name.lower() == "jdbc" else _NEEDS_DRIVER.get(name.lower())
        if not isinstance(driver, str) or _holds(self._jars(), driver):
            return
        artifact = DRIVERS.get(driver, "<group>:<artifact>:<version>")
        yield f"the driver {driver} is in no jar; add its jar with: {self.command(artifact)}"

    def _jars(self) -> list[Path]:
        return [*self._home.glob("plugins/*/lib/*.jar"), *self._home.glob("lib/*.jar")]


def _mapping(path: Path) -> dict[str, str]:
    """Plug-ins (`source.Jdbc`) and the jars they come from."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.lstrip().startswith("#"))
    return {key.strip().removeprefix("seatunnel."): jar.strip() for key, jar in pairs}


def _holds(jars: Sequence[Path], name: str) -> bool:
    entry = name.replace(".", "/") + ".class"
    return any(entry in _entries(jar, jar.stat().st_mtime_ns) for jar in jars)


@lru_cache(maxsize=64)
def _entries(jar: Path, changed: int) -> frozenset[str]:
    """Drivers' classes in a jar; only of those is it ever asked."""
    try:
        with zipfile.ZipFile(jar) as archive:
            return frozenset(name for name in archive.namelist() if name.endswith("Driver.class"))
    except (OSError, zipfile.BadZipFile):
        return frozenset()
