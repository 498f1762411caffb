"""What the installation itself needs: Python, packages, settings, Java, engine files, a home."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from commons.process.errors import HeadgateError
from commons.process.settings import Settings
from services import home
from services.ecm import workdir
from services.engineconn import java as engines_java
from services.engineconn import kinds
from services.entrance.intake import offered
from services.tools import engine_files
from services.tools.findings import Finding, fail, ok, warn

_OLDEST = (3, 11)
_LONGEST_SOCKET = 107
_SOCKET = f"{'x' * 32}.sock"
"""No socket's name is longer."""
_CLIENT = {"HEADGATE_URL", "HEADGATE_USER", "HEADGATE_TOKEN"}
_NO_SETTINGS = {workdir.ENGINE_MARK, workdir.NODE_MARK, "HEADGATE_FAULT", "HEADGATE_HOLD"}
_JAVA_SECONDS = 20
_VERSION = re.compile(r'version "([^"]+)"')


def python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _OLDEST:
        return fail("python", version, "run it with Python 3.11 or newer")
    return ok("python", f"{version} ({sys.executable})")


def packages() -> Finding:
    try:
        home.one_folder()
    except HeadgateError as error:
        return fail("packages", error.message, "make an environment of its own: make setup")
    return ok("packages", f"services, protocol and commons in {Path(__file__).parent.parent.parent}")


def settings(read: Settings, environment: Mapping[str, str]) -> Finding:
    """Names alone are shown: values may be secrets."""
    try:
        offered(read)
    except HeadgateError as error:
        return fail("settings", error.message, f"change {error.field}; see docs/settings.md")
    known = {f"HEADGATE_{name.upper()}" for name in Settings.model_fields} | _CLIENT
    ours = {name for name in environment if name.startswith("HEADGATE_")} - _NO_SETTINGS
    unknown = sorted(ours - known)
    if unknown:
        return warn(
            "settings", f"there is no setting {', '.join(unknown)}", "unset it, or see docs/settings.md for its name"
        )
    given = sorted(ours & known - _CLIENT)
    return ok("settings", f"{', '.join(given)}" if given else "all at their defaults")


def java(read: Settings) -> Iterator[Finding]:
    """Whether the Java that engines will use runs; nothing when no engine needs one."""
    if kinds.with_files().keys().isdisjoint(read.offered_kinds):
        return
    own = engines_java.own(read.java_home)
    package = engines_java.package(read.engines_folder)
    program = Path(own).expanduser() / "bin" / "java" if own else package.target / "bin" / "java"
    fix = "set HEADGATE_JAVA_HOME to a Java 17" if own else f"fetch it again: {engine_files.FETCH} {package.name}"
    ignored = os.environ.get("JAVA_HOME", "")
    if ignored and not own:
        yield warn(
            "java", f"JAVA_HOME={ignored} is no Java 17 and is passed over", "name it in HEADGATE_JAVA_HOME to use it"
        )
    if not own and not program.parent.is_dir():
        yield warn("java", f"{package.name} is not there", f"it is fetched at first use, or now: {engine_files.FETCH}")
        return
    version, why = _runs(program)
    if not version:
        yield fail("java", f"{program} does not run: {why}", fix)
    elif not version.startswith("17"):
        yield warn(
            "java", f"{version} ({program})", "everything here is tried with Java 17; set HEADGATE_JAVA_HOME to one"
        )
    else:
        yield ok("java", f"{version} ({program})")


def _runs(program: Path) -> tuple[str, str]:
    """Its version, or why it does not run. It gets nothing of this environment, and writes nothing."""
    command = [str(program), "-XX:-UsePerfData", "-version"]
    try:
        done = subprocess.run(
            command, env={"PATH": os.defpath}, capture_output=True, text=True, timeout=_JAVA_SECONDS, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", getattr(error, "strerror", "") or f"no answer in {_JAVA_SECONDS} seconds"
    found = _VERSION.search(done.stderr + done.stdout)
    if done.returncode != 0 or found is None:
        return "", (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[0][:200]
    return found[1], ""


def engines(read: Settings) -> Iterator[Finding]:
    """Of each version that is offered, whether its files are what was unpacked."""
    for package in engine_files.wanted(read):
        good, what = engine_files.told(package)
        found, _, fix = what.partition("; ")
        if good:
            yield ok(package.name, found)
        elif engine_files.DAMAGED in found:
            yield fail(package.name, found, fix)
        elif found == engine_files.ABSENT:
            yield warn(package.name, found, f"it is fetched at first use, or now: {engine_files.FETCH} {package.name}")
        else:
            yield warn(package.name, found, fix)
    for kind, folder in engine_files.own(read).items():
        if kind in read.offered_kinds:
            yield ok(kind, f"of your own, not verified ({Path(folder).expanduser()})")


def home_folder(folder: Path) -> Finding:
    there = nearest(folder)
    choose = "choose a folder of your own with HEADGATE_HOME"
    if not there.is_dir():
        return fail("home", f"{there} is no folder", choose)
    if not os.access(there, os.W_OK | os.X_OK):
        return fail("home", f"{there} cannot be written", f"change its mode or owner, or {choose}")
    if there != folder:
        return ok("home", f"{folder} will be made")
    about = folder.stat()
    if about.st_uid != os.getuid():
        return fail("home", f"{folder} belongs to another user", choose)
    if about.st_mode & 0o077:
        return warn("home", f"others may look into {folder}", f"chmod 700 {folder}; the service does it when it starts")
    return ok("home", f"{folder}, for its owner only")


def running(folder: Path) -> Finding:
    pid = home.holder(folder)
    return ok("service", f"process {pid} runs with this home" if pid else "none runs with this home")


def sockets(folder: Path) -> Finding:
    place = workdir.run_place(folder)
    length = len(os.fsencode(place / _SOCKET))
    if length > _LONGEST_SOCKET:
        return fail("sockets", f"paths in {place} have up to {length} bytes", "choose a shorter HEADGATE_HOME")
    if place.exists() and place.stat().st_uid != os.getuid():
        return fail("sockets", f"{place} belongs to another user", "remove it, or choose another HEADGATE_HOME")
    return ok("sockets", f"{place}, paths of at most {length} bytes of {_LONGEST_SOCKET}")


def nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(each for each in (folder, *folder.parents) if each.exists())
