"""What the machine offers: disk, memory, the port, open files, a clock."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from commons.process.settings import Settings
from services import home
from services.tools import engine_files
from services.tools.findings import Finding, fail, megabytes, ok, warn
from services.tools.installation import nearest

LEAST_BYTES, FEW_BYTES = 256 << 20, 2 << 30
LEAST_INODES, FEW_INODES = 1_000, 20_000
LEAST_FILES, FEW_FILES = 256, 1024
_UNLIMITED = 1 << 60


def disks(read: Settings) -> Iterator[Finding]:
    """Room and inodes where the service writes; where engine files lie, also for those that are still to be fetched."""
    absent = [each.size for each in engine_files.wanted(read) if not each.target.is_dir()]
    to_fetch = sum(absent) + 2 * max(absent, default=0)  # a download and what was unpacked of it lie there at once
    yield disk("disk", read.home_folder, 0, "HEADGATE_HOME")
    yield inodes(read.home_folder)
    yield disk("engines disk", read.engines_folder, to_fetch, "HEADGATE_ENGINES_HOME")


def disk(check: str, folder: Path, to_fetch: int, setting: str) -> Finding:
    free = shutil.disk_usage(nearest(folder)).free
    fix = f"make room, or choose another {setting}"
    found = f"{megabytes(free)} free for {folder}"
    if free < LEAST_BYTES:
        return fail(check, found, fix)
    if to_fetch and free < to_fetch:
        return fail(check, f"{found}; what is to be fetched takes {megabytes(to_fetch)}", fix)
    return ok(check, found) if free >= FEW_BYTES else warn(check, found, fix)


def inodes(folder: Path) -> Finding:
    about = os.statvfs(nearest(folder))
    if not about.f_files:
        return ok("inodes", "this file system does not count them")
    fix = "remove files there, or choose another HEADGATE_HOME"
    found = f"{about.f_favail} free for {folder}"
    if about.f_favail < LEAST_INODES:
        return fail("inodes", found, fix)
    return ok("inodes", found) if about.f_favail >= FEW_INODES else warn("inodes", found, fix)


def memory(read: Settings, total: int, available: int) -> Finding:
    """Whether the engines a tenant may have fit; `total` and `available` are bytes."""
    engine, count = read.engine_memory_mb << 20, read.tenant_engines
    take = f"a tenant's {count} engines take {megabytes(engine * count)}"
    found = f"{megabytes(available)} of {megabytes(total)} available; {take}"
    if engine > total:
        return fail("memory", found, "lower HEADGATE_ENGINE_MEMORY_MB, or give the machine more")
    if engine * count > total:
        return warn("memory", found, "lower HEADGATE_TENANT_ENGINES or HEADGATE_ENGINE_MEMORY_MB: not all will start")
    if engine > available:
        return warn("memory", found, "end what else takes memory, or the next engine may be killed")
    return ok("memory", found)


def memory_bytes(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> tuple[int, int]:
    """Total and available bytes: the machine's, or those of the control group where that has less."""
    lines = (line.split() for line in (proc / "meminfo").read_text().splitlines())
    kilobytes = {words[0].rstrip(":"): int(words[1]) for words in lines}
    total, available = kilobytes["MemTotal"] << 10, kilobytes["MemAvailable"] << 10
    for folder in _groups(proc, cgroups):
        limit = min(_count(folder / "memory.max"), _count(folder / "memory.limit_in_bytes"))
        used = min(_count(folder / "memory.current"), _count(folder / "memory.usage_in_bytes"))
        if limit < _UNLIMITED:
            total = min(total, limit)
            available = min(available, max(0, limit - (used if used < _UNLIMITED else 0)))
    return total, available


def _groups(proc: Path, cgroups: Path) -> Iterator[Path]:
    """The folders of this process' memory groups and those above them; a container sees its own at the root."""
    for line in (proc / "self" / "cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        root = cgroups / "memory" if "memory" in controllers.split(",") else cgroups
        if not controllers or root != cgroups:
            own = root / path.lstrip("/")
            yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(root))


def _count(file: Path) -> int:
    try:
        text = file.read_text().strip()
    except OSError:
        return _UNLIMITED
    return int(text) if text.isdigit() else _UNLIMITED


def port(read: Settings) -> Finding:
    if read.port == 0:
        return ok("port", "a free one is taken")
    place = f"{read.host}:{read.port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            read.host, read.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        holding = _listener(read.port)
        if holding is not None and holding[0] == home.holder(read.home_folder):
            return ok("port", f"{place} is the running service's")
        who = f" by process {holding[0]} ({holding[1]})" if holding else ""
        what = f"{place} is held{who}" if holding else f"{place}: {error.strerror}"
        return fail("port", what, "choose another HEADGATE_PORT or HEADGATE_HOST, or end who holds it")
    return ok("port", f"{place} is free")


def clock(folder: Path, now: float) -> Finding:
    """Leases, log-ins and job ids take the clock's word."""
    fix = "set the clock, and keep it by NTP"
    shown = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(now))
    if now < Path(__file__).stat().st_mtime - 86_400:
        return fail("clock", f"{shown} is before this program was installed", fix)
    newest = max((each.stat().st_mtime for each in folder.glob("headgate.db*")), default=0.0)
    if now < newest - 60:
        return warn("clock", f"{shown} is before the last change of the database", fix)
    return ok("clock", shown)


def open_files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = "no limit" if soft == resource.RLIM_INFINITY else f"{soft} at once"
    fix = f"raise it before the start: ulimit -n {4096 if hard in (-1, resource.RLIM_INFINITY) else min(4096, hard)}"
    if 0 <= soft < LEAST_FILES:
        return fail("open files", found, fix)
    return ok("open files", found) if soft < 0 or soft >= FEW_FILES else warn("open files", found, fix)


def _listener(port: int) -> tuple[int, str] | None:
    """Process id and name of who listens on a TCP port, where this user may know it."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and connection.laddr
                and connection.laddr.port == port
                and connection.pid
            ):
                return connection.pid, psutil.Process(connection.pid).name()
    return None
