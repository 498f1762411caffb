"""The SHA-256 of every unpacked engine file, in a file beside them that `sha256sum -c` reads too."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

NAME = "SHA256SUMS"


def write(folder: Path) -> None:
    """Note what lies in `folder` now."""
    lines = [f"{sha256(folder / file)}  {file}\n" for file in _files(folder)]
    (folder / NAME).write_text("".join(lines))


def differences(folder: Path) -> list[str] | None:
    """Each file that is not what was unpacked: changed, lost or added; None when nothing was noted."""
    noted = _noted(folder)
    if noted is None:
        return None
    found = set(_files(folder))
    lost = [f"{file} is gone" for file in sorted(noted.keys() - found)]
    added = [f"{file} was added" for file in sorted(found - noted.keys())]
    changed = [f"{file} differs" for file in sorted(noted.keys() & found) if sha256(folder / file) != noted[file]]
    return lost + added + changed


def lost(folder: Path) -> list[str]:
    """Files that were unpacked and are gone, without a look into those that are there."""
    return sorted((_noted(folder) or {}).keys() - set(_files(folder)))


def size(folder: Path) -> int:
    """Bytes of all files."""
    return sum((folder / file).stat().st_size for file in _files(folder))


def _noted(folder: Path) -> dict[str, str] | None:
    try:
        lines = (folder / NAME).read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return None
    return {file: digest for digest, _, file in (line.partition("  ") for line in lines)}


def _files(folder: Path) -> Iterator[str]:
    return (
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if not path.is_dir() and path != folder / NAME
    )


def sha256(path: Path) -> str:
    """Empty for what cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
