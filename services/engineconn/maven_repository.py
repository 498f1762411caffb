"""The Maven repository that the user names, and jars fetched from it over HTTP.

Its address may hold a password, which is never shown.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit
from xml.etree import ElementTree

from commons.calls import http
from commons.process.errors import Unavailable
from protocol import codes
from services.engineconn.jars import Fetched, Jar

SETTING = "HEADGATE_MAVEN_REPOSITORY"
_AT_ONCE = 6
_CENTRAL = {"central", "*", "external:*"}
_CHECKSUMS = ("sha256", "sha1")
_FIX = f"Name another repository in {SETTING}"


def chosen() -> str:
    """The base address to fetch from: the setting, else the first mirror of central in Maven's settings; or "".

    A mirror that only Maven can read (its address or password is encrypted, or put together of variables) is Maven's.
    """
    return os.environ.get(SETTING, "") or next(_mirrors(), "")


def shown(url: str) -> str:
    """The address without what may be a secret."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


async def download(url: str, jars: Sequence[Jar], folder: Path, fetched: Fetched) -> None:
    """Each jar in `folder`; one without a known SHA-256 is what the repository's own checksum says.

    Raises Unavailable naming every jar that the repository lacks, or the first that did not come whole.
    """
    some = asyncio.Semaphore(_AT_ONCE)
    lacking: list[str] = []
    async with http.session(f"{url.rstrip('/')}/") as session:

        async def one(jar: Jar) -> None:
            async with some:
                try:
                    await _fetch(session, jar, folder / jar.file_name, fetched)
                except http.Failed as error:
                    if error.status != 404:
                        what = f"{jar.coordinate} did not come from {shown(url)}: {error}"
                        raise Unavailable(codes.ENGINE_FILES, f"{what}. {_FIX}") from None
                    lacking.append(jar.coordinate)
                else:
                    fetched.jars += 1

        try:
            async with asyncio.TaskGroup() as group:
                for jar in sorted(jars, key=lambda jar: -jar.size):  # the large ones first: they take longest
                    group.create_task(one(jar))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
    if lacking:
        raise Unavailable(codes.ENGINE_FILES, f"{shown(url)} has no {', '.join(sorted(lacking))}. {_FIX}")


async def _fetch(session: http.Session, jar: Jar, file: Path, fetched: Fetched) -> None:
    def told(size: int) -> None:
        fetched.size += size

    await http.download(session, jar.path, file, told)
    if not jar.sha256:
        await _compare(session, jar, file)


async def _compare(session: http.Session, jar: Jar, file: Path) -> None:
    """Raises Unavailable unless the file is what the repository's checksum says."""
    for kind in _CHECKSUMS:
        noted = file.with_name(f"{file.name}.{kind}")
        try:
            await http.download(session, f"{jar.path}.{kind}", noted)
        except http.Failed as error:
            if error.status == 404:
                continue
            raise
        words = noted.read_text("utf-8", "replace").split()
        noted.unlink()
        with file.open("rb") as content:
            found = await asyncio.to_thread(lambda: hashlib.file_digest(content, kind).hexdigest())  # noqa: B023
        if found not in [word.lower() for word in words]:
            what = f"{jar.coordinate} is not what the repository's own checksum says ({kind} differs)"
            raise Unavailable(codes.ENGINE_FILES, f"{what}. {_FIX}")
        return
    what = f"the repository has no checksum of {jar.coordinate}; fetch it yourself, and add the file"
    raise Unavailable(codes.ENGINE_FILES, what)


def _mirrors() -> Iterator[str]:
    """Addresses of mirrors of central in Maven's settings, with their passwords; "" for what only Maven can read."""
    found = list(filter(None, map(_read, _settings_files())))
    servers = {_text(server, "id"): server for settings in reversed(found) for server in settings.iter("server")}
    for settings in found:
        for mirror in settings.iter("mirror"):
            names = {name.strip() for name in _text(mirror, "mirrorOf").split(",")}
            if names & _CENTRAL and "!central" not in names and _text(mirror, "blocked").lower() != "true":
                yield _address(_text(mirror, "url"), servers.get(_text(mirror, "id")))


def _settings_files() -> Iterator[Path]:
    yield Path.home() / ".m2" / "settings.xml"
    if maven := os.environ.get("MAVEN_HOME"):
        yield Path(maven) / "conf" / "settings.xml"


def _read(file: Path) -> ElementTree.Element | None:
    """Without namespaces. None for what is not there or cannot be read: Maven itself says best what is wrong."""
    try:
        root = ElementTree.parse(file).getroot()
    except (OSError, ElementTree.ParseError):
        return None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _text(element: ElementTree.Element, name: str) -> str:
    return (element.findtext(name) or "").strip()


def _address(url: str, server: ElementTree.Element | None) -> str:
    user, password = (_text(server, "username"), _text(server, "password")) if server is not None else ("", "")
    if "${" in url + user + password or password.startswith("{") or not url.startswith(("http://", "https://")):
        return ""
    if not user:
        return url
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{host}"))
