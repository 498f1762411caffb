"""A process in a group of its own: its start, its exit, and the signals that end it with all it started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence

from services.engineconn.shell.users import OsUser

GRACE_SECONDS = 1.5
STREAM_BYTES = 64 * 1024


class _Protocol(asyncio.subprocess.SubprocessStreamProtocol):
    def __init__(self) -> None:
        super().__init__(STREAM_BYTES, asyncio.get_running_loop())
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.exited.set()


class Process(asyncio.subprocess.Process):
    """`exited` is set when it has ended; `wait()` would also wait for everybody who holds its pipes."""

    def __init__(self, transport: asyncio.SubprocessTransport, protocol: _Protocol) -> None:
        super().__init__(transport, protocol, asyncio.get_running_loop())
        self.exited = protocol.exited

    async def end(self) -> None:
        """SIGTERM to the group, SIGKILL when that was not enough in time."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                await self.exited.wait()
        self.kill_group()

    def kill_group(self) -> None:
        """What outlived the process ends too: nothing of a task goes on without it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


async def spawn(argv: Sequence[str], folder: int, environment: Mapping[str, str], user: OsUser | None) -> Process:
    """Start `argv` in a folder given by its descriptor, as `user` or as this process' own. Raises OSError.

    The folder is entered before the user changes, so the folders above it may be closed to him.
    """
    whose = user.spawning() if user is not None else {}
    return Process(
        *await asyncio.get_running_loop().subprocess_exec(
            _Protocol, *argv, cwd=f"/proc/self/fd/{folder}", env=dict(environment), process_group=0,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, **whose,
        )
    )  # fmt: skip
