"""Jars by their Maven coordinates: from a repository that is named somewhere, else by Maven itself; each verified."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from commons.process.errors import Unavailable
from protocol import codes
from services.engineconn import maven_client, maven_repository, sums
from services.engineconn.jars import Fetched, Jar
from services.engineconn.provisioning import Say, telling

_NOWHERE = (
    "there is neither a repository nor Maven. Name a repository (HEADGATE_MAVEN_REPOSITORY, or a mirror of central in "
    "~/.m2/settings.xml), or install Maven, so that `mvn` is on the PATH"
)


async def fetch(title: str, jars: Sequence[Jar], folder: Path, part: Path, say: Say) -> None:
    """Each jar in `folder` under its `file_name`, and what its SHA-256 says; `part` is for work on the way there.

    Raises Unavailable naming each jar that is not to be had, and the fix.
    """
    url = maven_repository.chosen()
    program = "" if url else maven_client.program()
    if not url and not program:
        raise Unavailable(codes.ENGINE_FILES, f"{title} cannot be downloaded: {_NOWHERE}")
    fetched = Fetched(title, jars)
    async with telling(fetched.line, say):
        if url:
            await maven_repository.download(url, jars, folder, fetched)
        else:
            await maven_client.copy(program, jars, folder, part, fetched)
        await asyncio.to_thread(_verify, jars, folder)


def _verify(jars: Sequence[Jar], folder: Path) -> None:
    others = [jar.coordinate for jar in jars if jar.sha256 and sums.sha256(folder / jar.file_name) != jar.sha256]
    if others:
        what = f"what the repository gave as {', '.join(others)} is another file than expected (its SHA-256 differs)"
        raise Unavailable(codes.ENGINE_FILES, f"{what}; ask whoever keeps the repository, or name another one")
