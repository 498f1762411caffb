"""The OS user that a tenant's processes run as, so that they reach neither the service nor other tenants."""

from __future__ import annotations

import asyncio
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commons.process.errors import Unavailable
from protocol import codes

SETTING = "HEADGATE_SHELL_USERS"
_ENTER = 'for folder; do cd -- "$folder" 2>/dev/null || { printf %s "$folder"; exit 1; }; done'


@dataclass(frozen=True, slots=True)
class OsUser:
    """A user of this machine, other than the service's own."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]

    @classmethod
    def of(cls, name: str) -> OsUser:
        """Raises Unavailable when there is no such user, or this process may not become him."""
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            raise _no(f"there is no OS user {name!r} on this node; make one, or name another in {SETTING}") from None
        if os.geteuid() != 0:
            raise _no(f"only a service that runs as root can run processes as OS user {name}; see {SETTING}")
        if found.pw_uid == 0:
            raise _no(f"OS user {name} is root, who reaches everything; name another in {SETTING}")
        return cls(name, found.pw_uid, found.pw_gid, tuple(os.getgrouplist(name, found.pw_gid)))

    def spawning(self) -> dict[str, Any]:
        """How a process is started as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": self.groups}

    def own(self, folder: Path) -> None:
        """Give a folder to the user, closed to all others."""
        at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            os.fchown(at, self.uid, self.gid)
            os.fchmod(at, 0o700)
        finally:
            os.close(at)

    def settle(self, workspace: Path) -> None:
        """Make a workspace the user's. Raises Unavailable when he could get into another's."""
        for other in workspace.parent.iterdir():
            if other != workspace and self._is_let_in(other):
                what = f"{other} is open to other users of this machine, and so to OS user {self.name}"
                raise _no(f"{what}; close it: chmod go-rwx {other}")
        self.own(workspace)

    async def enter(self, folder: Path, setting: str) -> None:
        """Raises Unavailable when the user cannot get to a folder; `setting` is what would put it elsewhere."""
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", _ENTER, "sh", *map(str, [*reversed(folder.parents), folder]), cwd="/",
            env={}, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, **self.spawning(),
        )  # fmt: skip
        said, _ = await process.communicate()
        if process.returncode:
            what = f"OS user {self.name} cannot enter {said.decode(errors='replace')}, where his files would lie"
            raise _no(f"{what}; set {setting} to a folder that all may enter")

    def _is_let_in(self, folder: Path) -> bool:
        about = folder.lstat()
        shared = 0o077 if about.st_gid in self.groups else 0o007
        return stat.S_ISDIR(about.st_mode) and about.st_mode & shared != 0


def _no(what: str) -> Unavailable:
    return Unavailable(codes.ENGINE_START_FAILED, what)
