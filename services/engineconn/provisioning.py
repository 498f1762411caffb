"""Engine files: fetched, verified, unpacked once, shared by all who need them.

Nothing half-done is ever visible: work goes on in a folder with `.part` in its name, under a lock that ends with its
holder, and what an interrupted try left is thrown away by the next. Each try has a folder of its own: a pip or a Maven
whose parent was killed may still write to the old one.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from commons.process.errors import Unavailable
from protocol import codes
from services.engineconn import sums

SAY_SECONDS = 1.0

Say = Callable[[str], None]
"""Takes a line a user can read."""
Fill = Callable[[Path, Path, Say], Awaitable[None]]
"""`fill(part, folder, say)` puts what is wanted into `folder`, which is empty; `part` is for work on the way there."""


@dataclass(frozen=True, slots=True)
class Package:
    """Engine files that lie in `target` once `fill` has brought them."""

    name: str
    """As commands name it: flink-1.20.5."""
    title: str
    """As sentences name it: Flink 1.20.5."""
    target: Path
    size: int
    """Bytes to download."""
    fill: Fill
    needs: Collection[str] = ()
    """Files that belong there, where they are told one by one: an upgrade may tell of more."""

    def lacking(self) -> list[str]:
        """What belongs there and is not there."""
        return sorted(file for file in self.needs if not (self.target / file).is_file())

    async def provide(self, say: Say, good: Callable[[Path], bool] = Path.is_dir) -> Path:
        """`target`, whole. Raises Unavailable naming the fix.

        What is there and is not `good`, or lacks what belongs there, is replaced at once by what is fetched anew; who
        has its files open keeps them.
        """
        if await asyncio.to_thread(self._is, good):
            return self.target
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            with (self.target.parent / f"{self.target.name}.lock").open("a") as lock:
                await _locked(lock.fileno(), self.title, say)
                if not await asyncio.to_thread(self._is, good):
                    await _fill(self.target, self.fill, say)
        except OSError as error:
            what = f"{self.title} cannot be kept in {self.target}: {error}"
            raise Unavailable(codes.ENGINE_FILES, f"{what}; make room there, or set HEADGATE_ENGINES_HOME") from error
        return self.target

    def _is(self, good: Callable[[Path], bool]) -> bool:
        return good(self.target) and not self.lacking()


def sweep(folder: Path) -> None:
    """Remove what interrupted tries left in a folder of engine files, where nobody is at work now."""
    for path in folder.glob("*/*.lock"):
        with contextlib.suppress(OSError), path.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for old in path.parent.glob(f"{path.stem}.part*"):
                shutil.rmtree(old, ignore_errors=True)


@contextlib.asynccontextmanager
async def telling(line: Callable[[], str], say: Say) -> AsyncIterator[None]:
    """While the body goes on, `line()` is said every second."""

    async def tell() -> None:
        while True:
            say(line())
            await asyncio.sleep(SAY_SECONDS)

    task = asyncio.create_task(tell())
    try:
        yield
    finally:
        task.cancel()


async def _fill(target: Path, fill: Fill, say: Say) -> None:
    """Runs under the lock."""
    for old in target.parent.glob(f"{target.name}.part*"):
        shutil.rmtree(old, ignore_errors=True)
    prefix = f"{target.name}.part-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=target.parent, ignore_cleanup_errors=True) as folder:
        part = Path(folder)
        (part / "unpacked").mkdir()
        await fill(part, part / "unpacked", say)
        await asyncio.to_thread(sums.write, part / "unpacked")
        if os.path.lexists(target):
            target.rename(part / "replaced")
        (part / "unpacked").rename(target)


async def _locked(descriptor: int, title: str, say: Say) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            say(f"Another process downloads {title}: waiting for it")
            await asyncio.sleep(SAY_SECONDS)
