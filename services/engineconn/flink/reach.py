"""What a job's SQL may reach: which settings it may change, which jars it may load. Pure but for looking at links.

Files of tables are guarded in the JVM (`java/GuardedFiles.java`), whatever names them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from services.engineconn.flink.limits import SelectLimits

_LEAVES_THE_JOB = (
    "$internal.", "blob.", "classloader.", "cluster.", "env.", "execution.checkpointing.local-backup.",
    "execution.target", "fs.", "high-availability", "io.tmp.dirs", "jobmanager.", "kubernetes.", "metrics.",
    "pipeline.classpaths", "pipeline.jars", "plugin.", "process.", "python.", "rest.", "s3.", "security.",
    "state.backend.forst.local-dir", "state.backend.local-recovery", "state.backend.rocksdb.localdir",
    "state.backend.rocksdb.log.dir", "table.catalog-store.", "table.resources.", "taskmanager.", "web.", "yarn.",
)  # fmt: skip
"""Settings of the cluster, of class paths, of folders and of other machines; one ending in a dot stands for a group."""


@dataclass(frozen=True, slots=True)
class Reach:
    """`folders` are those beside the workspace whose files may be read and written, and whose jars may be loaded.

    `settings` are names, or beginnings of names, of settings that may be changed all the same.
    """

    select: SelectLimits
    folders: Sequence[Path] = ()
    settings: Sequence[str] = ()

    @classmethod
    def of(cls, folders: str, settings: str, select: SelectLimits) -> Reach:
        """From lists with commas, as HEADGATE_FLINK_PATHS and HEADGATE_FLINK_SET_KEYS give them."""
        names = [name.strip() for name in folders.split(",") if name.strip()]
        keys = [key.strip() for key in settings.split(",") if key.strip()]
        return cls(select, [Path(name).expanduser() for name in names], keys)

    def setting(self, key: str, value: str) -> str | None:
        """Why the setting may not be changed so, or None."""
        if any(key.startswith(allowed) for allowed in self.settings):
            return None
        if any(key.startswith(one) for one in _LEAVES_THE_JOB):
            return (
                f"setting {key[:100]} reaches beyond the job; the administrator may allow it: HEADGATE_FLINK_SET_KEYS"
            )
        return self.select.refusal(key, value)

    def jar(self, uri: str) -> str | None:
        """Why the jar may not be loaded, or None. Its code would run with the rights of the service."""
        parts = urlsplit(uri)
        path = Path(unquote(parts.path)).resolve()
        if parts.scheme in ("", "file") and any(path.is_relative_to(folder.resolve()) for folder in self.folders):
            return None
        return f"jar {uri[:200]} is not in a folder that the administrator allows; ask for HEADGATE_FLINK_PATHS"
