"""Artifacts: files kept at the service for jobs. The logic of the clients' methods, as coroutines."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

from headgate.errors import HeadgateError, Refused
from headgate.http import Http

PIECE = 2**20
PAGE = 500
_UNKNOWN, _NO_NAME = 104000, 100007


async def push(http: Http, path: Path, name: str | None) -> dict[str, Any]:
    """What the service says of the version the file is now, and whether it was that before."""
    sha256 = _sum(path)
    known = await _known(http, name or path.name.removesuffix(".jar"))
    if known is None:
        more = {} if name is None else {"name": name}
        return {**await http.send_file("/bml/upload", path, sha256=sha256, **more), "unchanged": False}
    if (version := known["versionInfo"])["sha256"] == sha256:
        told = {"resourceId": known["resourceId"], "name": known["name"], "warnings": []}
        return {**told, **{key: version[key] for key in ("version", "sha256", "size")}, "unchanged": True}
    id = known["resourceId"]
    return {**await http.send_file("/bml/updateVersion", path, resourceId=id, sha256=sha256), "unchanged": False}


async def every(http: Http) -> list[dict[str, Any]]:
    """All that may be read, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        query: dict[str, str | int] = {"currentPage": len(found) // PAGE + 1, "pageSize": PAGE}
        page = list((await http.get("/bml/getResources", **query))["Resources"])
        found += page
        if len(page) < PAGE:
            return found


async def about(http: Http, reference: str) -> dict[str, Any]:
    """What is known of one, with the version that the reference names."""
    return dict((await http.get("/bml/getBasic", resourceId=reference))["basic"])


async def pull(http: Http, reference: str, path: Path) -> Path:
    """Where the file is now, whole and as it was pushed; `path` names it, or the folder it comes to."""
    told = await about(http, reference)
    version = told["versionInfo"]
    target = path / Path(version["fileName"]).name if path.is_dir() else path
    part, came = target.with_name(f".{target.name[:100]}.{token_hex(4)}"), hashlib.sha256()
    try:
        with part.open("xb") as file:
            chunks = http.chunks("/bml/download", resourceId=told["resourceId"], version=version["version"])
            async with aclosing(chunks):
                async for chunk in chunks:
                    came.update(chunk)
                    file.write(chunk)
        if came.hexdigest() != version["sha256"]:
            raise HeadgateError(f"{reference} came with another content than it has at the service; pull it again")
        os.replace(part, target)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
    return target


async def remove(http: Http, reference: str) -> None:
    rest, _, version = reference.partition("@")
    if version:
        await http.post("/bml/deleteVersion", {"resourceId": rest, "version": version})
    else:
        await http.post("/bml/deleteResource", {"resourceId": reference})


async def share(http: Http, reference: str, users: Sequence[str]) -> list[str]:
    return list((await http.post("/bml/share", {"resourceId": reference, "users": list(users)}))["sharedWith"])


async def _known(http: Http, name: str) -> dict[str, Any] | None:
    try:
        return await about(http, name)
    except Refused as refused:
        if refused.code in (_UNKNOWN, _NO_NAME):  # the second: a file's name that can be no artifact's
            return None
        raise


def _sum(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            found.update(piece)
    return found.hexdigest()
