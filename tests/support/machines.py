"""What a test does to the machine: another boot for one service, a small disk.

It needs the right to mount: root, or `unshare -rm`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


def another_boot(folder: Path) -> Path:
    """A file with the boot id of another boot, which `start` gives to one service alone."""
    path = folder / "boot_id"
    path.write_text("00000000-1111-2222-3333-444444444444\n")
    return path


@contextmanager
def small_disk(folder: Path, size_mb: int) -> Iterator[Path]:
    """An empty file system of that size on the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with _mounted("-t", "tmpfs", "-o", f"size={size_mb}m", "headgate-test", str(folder)):
        yield folder


@contextmanager
def filled(disk: Path, left_kb: int = 0) -> Iterator[None]:
    """No room on the disk but `left_kb`."""
    path = disk / "filling"
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    os.truncate(path, max(0, path.stat().st_size - left_kb * 1024))
    try:
        yield
    finally:
        path.unlink()


@contextmanager
def _mounted(*arguments: str) -> Iterator[None]:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
    if done.returncode:
        pytest.fail(f"cannot mount, so this cannot be tested: run as root or under `unshare -rm`: {done.stderr}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", arguments[-1]], check=True)
