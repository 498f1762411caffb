"""Generates the gRPC code beside every `.proto`; with --check, says whether what is there is current."""

from __future__ import annotations

import filecmp
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def generate(target: Path) -> list[Path]:
    """Write the generated files under `target` and return them, relative to it."""
    protos = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("protocol/*/v1/*.proto"))
    outputs = [f"--{kind}_out={target}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT}", *outputs, *protos]
    subprocess.run(command, check=True, env=environment, cwd=ROOT)
    return sorted(path.relative_to(target) for path in target.glob("protocol/*/v1/*_pb2*"))


def outdated() -> list[Path]:
    """Generated files that are missing or differ from what the protos give now."""
    with tempfile.TemporaryDirectory() as folder:
        made = generate(Path(folder))
        return [
            p for p in made if not (ROOT / p).exists() or not filecmp.cmp(ROOT / p, Path(folder) / p, shallow=False)
        ]


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        stale = outdated()
        sys.exit(f"out of date, run 'make proto': {', '.join(map(str, stale))}" if stale else 0)
    generate(ROOT)
