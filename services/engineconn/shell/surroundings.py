"""What a task finds around it: a folder of its own, and an environment that is not the service's."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.engineconn.shell.users import OsUser

RESULTS = "HEADGATE_RESULTS"
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "TRACEPARENT")
_MARKS = ("HEADGATE_ENGINE_ID", "HEADGATE_ENGINE_NODE")
"""By which the node knows the processes of an engine."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Where an engine's tasks run: the tenant's workspace, the folder of their folders, and as whom."""

    workspace: Path
    tasks: Path
    user: OsUser | None

    @classmethod
    def make(cls, workspace: Path, workdir: Path, user: OsUser | None) -> Ground:
        """An OS user has no way into the engine's own folder, so his tasks' folders lie with temporary files."""
        if user is None:
            return cls(workspace, workdir, None)
        tasks = Path(tempfile.mkdtemp(prefix="headgate-shell-"))
        tasks.chmod(0o711)
        return cls(workspace, tasks, user)

    def remove(self) -> None:
        """Leave nothing outside of the engine's own folder."""
        if self.user is not None:
            shutil.rmtree(self.tasks, ignore_errors=True)

    def folder(self, name: str, script: str) -> TaskFolder:
        """A fresh folder for a task, open to nobody else; the script, if there is one, lies in it."""
        folder = TaskFolder(self.tasks / name)
        folder.path.mkdir(mode=0o700)
        if script:
            folder.script.write_text(script)
        for inner in (folder.temporary, folder.results):
            inner.mkdir(mode=0o700)
        if self.user is not None:
            if script:
                os.chown(folder.script, self.user.uid, self.user.gid)
            for own in (folder.temporary, folder.results, folder.path):
                self.user.own(own)
        return folder


@dataclass(frozen=True, slots=True)
class TaskFolder:
    """A task's own folder, which ends with it."""

    path: Path

    @property
    def script(self) -> Path:
        return self.path / "script.sh"

    @property
    def temporary(self) -> Path:
        return self.path / "tmp"

    @property
    def results(self) -> Path:
        return self.path / "results"

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def environment(
    inherited: Mapping[str, str], given: Mapping[str, str], job_id: int, ground: Ground, folder: TaskFolder
) -> dict[str, str]:
    """The variables of a task: few of those `inherited`, its own, and what its user gives before all but the marks."""
    name = ground.user.name if ground.user is not None else pwd.getpwuid(os.geteuid()).pw_name
    own = {
        "HOME": str(ground.workspace),
        "USER": name,
        "LOGNAME": name,
        "TMPDIR": str(folder.temporary),
        "HEADGATE_JOB_ID": str(job_id),
        RESULTS: str(folder.results),
    }
    standard = {"PATH": os.defpath, "LANG": "C.UTF-8"}
    kept = {name: inherited[name] for name in (*_KEPT, *_MARKS) if name in inherited}
    return {**standard, **kept, **own, **given}
