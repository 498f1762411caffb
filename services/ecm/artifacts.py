"""Files of the storage root that tasks use: each brought to the node once, known by its content."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
from pathlib import Path

from commons.process import disk
from commons.process.errors import Conflict
from commons.storage import Storage
from protocol import codes
from protocol.ecm.v1 import ecm_pb2 as pb

KEPT_SECONDS = 7 * 86_400
"""A file that no task has used for so long is fetched again when one does."""
_CHUNK = 1 << 20
_NOT_PLAIN = re.compile(r"[^\w.-]+")


class Artifacts:
    """`folder` is the node's own; a task's copies are hard links, so that what is removed here stays there."""

    def __init__(self, folder: Path, storage: Storage) -> None:
        self._folder = folder
        self._storage = storage

    def bring(self, artifact: pb.Artifact, into: Path) -> Path:
        """The artifact as a file in the folder `into`. Blocking.

        Raises Conflict when it is gone or not what it should be, and Unavailable when it has no room.
        """
        into.mkdir(parents=True, exist_ok=True)
        target = into / _NOT_PLAIN.sub("_", artifact.name)
        if not target.exists():
            with disk.told(into):
                os.link(self._kept(artifact), target)
        return target

    def _kept(self, artifact: pb.Artifact) -> Path:
        kept = self._folder / artifact.sha256
        if not kept.is_file():
            self._fetch(artifact, kept)
        os.utime(kept)
        return kept

    def _fetch(self, artifact: pb.Artifact, kept: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._drop_unused()
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".part-") as part:
            digest = hashlib.sha256()
            try:
                with self._storage.open(artifact.location) as source:
                    while chunk := source.read(_CHUNK):
                        digest.update(chunk)
                        part.write(chunk)
            except FileNotFoundError:
                raise _unusable(artifact, "it is not in the storage") from None
            if digest.hexdigest() != artifact.sha256:
                raise _unusable(artifact, "its content has changed")
            part.flush()
            os.link(part.name, part.name + "-whole")
            os.replace(part.name + "-whole", kept)

    def _drop_unused(self) -> None:
        for path in self._folder.iterdir():
            if time.time() - path.stat().st_mtime > KEPT_SECONDS:
                path.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what a crash left half fetched; nobody is at work here now."""
        for part in self._folder.glob(".part-*"):
            part.unlink()


def _unusable(artifact: pb.Artifact, why: str) -> Conflict:
    what = f"the artifact {artifact.name} cannot be used: {why}; upload it again"
    return Conflict(codes.ARTIFACT_UNUSABLE, what)
