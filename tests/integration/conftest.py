"""A package index of the test's own: the smallest packages there are, found by a real pip without a network."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.engineconn import java as java_files
from services.engineconn.flink import files as flink_files
from services.engineconn.seatunnel import files as seatunnel_files
from tests.support.node import Node, processes

METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"


def wheel(folder: Path, package: str, version: str, content: dict[str, str]) -> Path:
    """A wheel of these files."""
    name = f"{package.replace('-', '_')}-{version}"
    path = folder / f"{name}-py3-none-any.whl"
    about = {
        f"{name}.dist-info/METADATA": METADATA.format(name=package, version=version),
        f"{name}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{name}.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for inner, text in (content | about).items():
            archive.writestr(inner, text)
    return path


def sdist(folder: Path, package: str, version: str, content: dict[str, str]) -> Path:
    """An sdist of these files; pip runs its setup.py to learn its name."""
    name = f"{package}-{version}"
    about = {
        "setup.py": f"from setuptools import setup\nsetup(name={package!r}, version={version!r}, py_modules=[])\n",
        "PKG-INFO": METADATA.format(name=package, version=version),
    }
    path = folder / f"{name}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for inner, text in (content | about).items():
            member = tarfile.TarInfo(f"{name}/{inner}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which pip finds its packages, and nowhere else."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # pip reads "0" as no isolation: setuptools is not to be fetched
    (tmp_path / "index").mkdir()
    return tmp_path / "index"


@pytest.fixture
def distribution(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flink 9.9.9 and Java 17 as the package index keeps them, but tiny."""
    flink = sdist(
        index, "tiny-flink", "9.9.9",
        {
            "deps/lib/flink-dist-9.9.9.jar": "dist",
            "deps/opt/flink-python-9.9.9.jar": "python",
            "deps/plugins/metrics/metrics.jar": "plugin",
            "deps/bin/flink": "not needed",
        },
    )  # fmt: skip
    java = wheel(
        index, "tiny-java", "17.0.0",
        {"tiny_java/java-runtime/bin/java": "#!/bin/sh\n", "tiny_java/java-runtime/lib/jspawnhelper": ""},
    )  # fmt: skip
    found = {"9.9.9": {"package": "tiny-flink", "sha256": [sha256(flink)], "bytes": flink.stat().st_size}}
    runtime = {"17.0.0": {"package": "tiny-java", "sha256": [sha256(java)], "bytes": java.stat().st_size}}
    monkeypatch.setattr(flink_files, "_distribution", lambda: found)
    monkeypatch.setattr(java_files, "_distribution", lambda: runtime)
    monkeypatch.setattr(seatunnel_files, "_data", dict)
    monkeypatch.delenv("JAVA_HOME", raising=False)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    yield Node.on(tmp_path)
    for process in processes(tmp_path):
        process.kill()
