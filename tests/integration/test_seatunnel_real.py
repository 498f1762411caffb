"""The real SeaTunnel from its Maven coordinates: what CI fetches from nothing, and every other test then shares."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from services.engineconn import sums
from services.engineconn.seatunnel import files


def test_every_jar_is_there_and_is_what_its_sha256_says(seatunnel_home: Path) -> None:
    told = files.distribution(seatunnel_home.name)
    found = {path.relative_to(seatunnel_home).as_posix() for path in seatunnel_home.rglob("*.jar")}
    assert found == {f"{folder}/{jar.file_name}" for folder, jars in told.jars.items() for jar in jars}
    for folder, jars in told.jars.items():
        for jar in jars:
            file = seatunnel_home / folder / jar.file_name
            assert (file.stat().st_size, sums.sha256(file)) == (jar.size, jar.sha256)
    assert sums.differences(seatunnel_home) == []


def test_each_shipped_plugin_is_mapped_to_a_jar_that_is_there(seatunnel_home: Path) -> None:
    lines = (seatunnel_home / "connectors/plugin-mapping.properties").read_text().splitlines()
    mapped = dict(pair for line in lines for pair in re.findall(r"^seatunnel\.(\S+) = (\S+)$", line))
    assert len(mapped) == len(lines)
    shipped = {
        "source.FakeSource", "sink.Console", "source.LocalFile", "sink.LocalFile", "source.Jdbc", "sink.Jdbc",
        "source.MySQL-CDC", "transform.Sql",
    }  # fmt: skip
    assert shipped <= mapped.keys()
    # SeaTunnel takes the jar whose name begins so
    assert all(any((seatunnel_home / "connectors").glob(f"{prefix}-*.jar")) for prefix in mapped.values())


def test_a_folder_of_engines_of_its_own_gets_the_same(seatunnel_home: Path, tmp_path: Path) -> None:
    """By the command; Maven has the jars by now, or the repository gives them again."""
    name = f"seatunnel-{seatunnel_home.name}"
    done = subprocess.run(
        [sys.executable, "-P", "-m", "services", "engines", "fetch", name],
        env=os.environ | {"HEADGATE_ENGINES_HOME": str(tmp_path)}, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    home = tmp_path / "seatunnel" / seatunnel_home.name
    assert (done.returncode, done.stdout) == (0, f"{name}: ready in {home}\n")
    jars = files.distribution(seatunnel_home.name).all_jars
    size = sum(jar.size for jar in jars) >> 20
    assert f"Downloading SeaTunnel {home.name}: 0 of {len(jars)} jars, 0 of {size} MiB" in done.stderr
    assert (home / sums.NAME).read_text() == (seatunnel_home / sums.NAME).read_text()
