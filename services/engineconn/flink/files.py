"""Flink's jars and a Java for them: the user's own where he names them, otherwise downloaded."""

from __future__ import annotations

import shutil
import tarfile
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from commons.process.errors import Invalid
from protocol import codes
from services.engineconn import added, java, pip
from services.engineconn.engine import EngineSpec
from services.engineconn.jars import Jar
from services.engineconn.pip import Download
from services.engineconn.provisioning import Package, Say

_PARTS = ("lib", "opt", "plugins")


@dataclass(frozen=True, slots=True)
class Files:
    """FLINK_HOME (lib, opt, plugins), the java program, and jars that were added to the class path."""

    flink_home: Path
    java: Path
    added: tuple[Path, ...] = ()


async def find(spec: EngineSpec, say: Say) -> Files:
    """What the engine needs to start. Raises Invalid or Unavailable naming the fix."""
    program = await java.find(spec, say)  # the smaller one first: what is wrong is known sooner
    if own := spec.settings.get("flink_home"):
        return Files(Path(own).expanduser(), program)
    home = await package(spec.engines_home, spec.version).provide(say)
    return Files(home, program, added.jars(home))


def packages(engines_home: Path) -> list[Package]:
    """Every version that can be downloaded."""
    return [package(engines_home, version) for version in _distribution()]


def package(engines_home: Path, version: str) -> Package:
    """Raises Invalid for a version that cannot be downloaded, naming those that can."""
    known = _distribution()
    if version not in known:
        raise Invalid(codes.ENGINE_UNKNOWN, f"Flink {version} cannot be downloaded; there are: {', '.join(known)}")
    entry = known[version]
    hashes = entry["sha256"]
    assert isinstance(hashes, list)
    size = int(str(entry["bytes"]))
    download = Download(f"Flink {version}", str(entry["package"]), version, hashes, size, source=True)
    target = engines_home / "flink" / version
    return Package(f"flink-{version}", download.title, target, size, pip.fill(download, _unpack))


def to_add(version: str) -> dict[str, Jar]:
    """What can be added to a version by name: nothing but coordinates and files."""
    return {}


def shipped(version: str) -> Collection[str]:
    """The artifacts that a version has anyway, of those that could be added."""
    return ()


def plugins(version: str, name: str, file: Path) -> tuple[str, ...]:
    """Of jars on the class path nothing needs to be known."""
    return ()


def _distribution() -> dict[str, dict[str, object]]:
    return tomllib.loads((Path(__file__).parent / "distribution.toml").read_text())


def _unpack(file: Path, folder: Path) -> None:
    """Only <package>/deps/{lib,opt,plugins} of the sdist is Flink."""
    with tarfile.open(file) as archive:
        for member in archive:
            parts = member.name.split("/")
            if not member.isfile() or len(parts) < 4 or parts[1] != "deps" or parts[2] not in _PARTS or ".." in parts:
                continue
            target = folder.joinpath(*parts[2:])
            target.parent.mkdir(parents=True, exist_ok=True)
            content = archive.extractfile(member)
            assert content is not None
            with content, target.open("wb") as sink:
                shutil.copyfileobj(content, sink, 1 << 20)
