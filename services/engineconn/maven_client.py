"""Jars fetched by the ordinary `mvn`, with its own settings: one start of Maven for all of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from commons.process.errors import HeadgateError, Unavailable
from commons.process.masking import masked
from protocol import codes
from services.engineconn.jars import Fetched, Jar

_LAST_LINES = 200
_LINE_BYTES = 1 << 20
_CAME = re.compile(r"Downloaded from \S+: \S*/(?P<file>[^/\s]+\.jar)\b|Copying (?P<kept>\S+\.jar) to ")
"""A jar that came, or one that Maven had already."""
_LACKING = re.compile(r"Could not find artifact (?P<group>[^\s:]+):(?P<artifact>[^\s:]+):jar:(?P<rest>\S+)")
_GOAL = " on project jars: "
"""What Maven says before the reason, when its goal failed."""
_ITEM = "<artifactItem><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>{}</artifactItem>"
_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>headgate</groupId><artifactId>jars</artifactId><version>1</version>
<packaging>pom</packaging>
<build><plugins><plugin>
<groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId>
<configuration><outputDirectory>{folder}</outputDirectory><artifactItems>
{items}
</artifactItems></configuration>
</plugin></plugins></build>
</project>
"""
"""`dependency:copy` of these artifacts, and of nothing that they depend on."""


def program() -> str:
    """The path of `mvn`, "" without one."""
    return shutil.which("mvn") or ""


async def copy(program: str, jars: Sequence[Jar], folder: Path, part: Path, fetched: Fetched) -> None:
    """Each jar in `folder`. Raises Unavailable naming a jar that is not to be had, or with Maven's last words."""
    pom = part / "pom.xml"
    pom.write_text(_pom(jars, folder))
    strict = [] if all(jar.sha256 for jar in jars) else ["--strict-checksums"]
    process = await asyncio.create_subprocess_exec(
        program, "--batch-mode", *strict,
        "--update-snapshots",  # or Maven would not look again for what it once did not find
        "-Dstyle.color=never", "-f", str(pom), "dependency:copy",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        cwd=part, start_new_session=True, limit=_LINE_BYTES,
    )  # fmt: skip
    try:
        lines = await _follow(process, {jar.file_name: jar.size for jar in jars}, fetched)
        await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode != 0:
        raise _failed(lines)


def _pom(jars: Sequence[Jar], folder: Path) -> str:
    items = [
        _ITEM.format(*map(escape, (jar.group, jar.artifact, jar.version)), _classifier(escape(jar.classifier)))
        for jar in jars
    ]
    return _POM.format(folder=escape(str(folder)), items="\n".join(items))


def _classifier(name: str) -> str:
    return f"<classifier>{name}</classifier>" if name else ""


async def _follow(process: asyncio.subprocess.Process, sizes: dict[str, int], fetched: Fetched) -> deque[str]:
    """Maven's last lines; what it tells of jars that came is counted."""
    lines: deque[str] = deque(maxlen=_LAST_LINES)
    coming = dict(sizes)
    assert process.stdout is not None
    async for raw in process.stdout:
        line = raw.decode("utf-8", "replace").strip()
        lines.append(line)
        match = _CAME.search(line)
        if match and (file := match["file"] or match["kept"]) in coming:
            fetched.jars += 1
            fetched.size += coming.pop(file)
    return lines


def _failed(lines: Sequence[str]) -> HeadgateError:
    said = [line.removeprefix("[ERROR]").strip() for line in lines if line.startswith("[ERROR]")]
    why = next(filter(None, said), lines[-1] if lines else "Maven said nothing")
    lacking = _LACKING.search(why)
    if lacking:
        *classifier, version = lacking["rest"].split(":")
        jar = Jar(lacking["group"], lacking["artifact"], version, *classifier[:1])
        what = f"Maven finds no {jar.coordinate} in its repositories"
    else:
        told = why.partition(_GOAL)[2] or why
        what = f"Maven did not fetch the jars: {masked(told)[:300]}"
    fix = "Check Maven's own settings (~/.m2/settings.xml), or name a repository in HEADGATE_MAVEN_REPOSITORY"
    return Unavailable(codes.ENGINE_FILES, f"{what}. {fix}")
