"""How the JVMs of a Flink start: the commands and configurations of each. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from protocol.flink.deployment import CLIENT_MB, MINI, Deployment
from services.engineconn.engine import EngineSpec
from services.engineconn.flink.files import Files

HOST = "127.0.0.1"
SLOTS = 4
HEAP_SHARE, JOBMANAGER_HEAP_SHARE = 0.45, 0.4
OFF_HEAP_MB = 40
REPORTER = "headgate.SinkRows"
GATEWAY = "org.apache.flink.api.python.shaded.py4j.GatewayServer"
JOBMANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
TASKMANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
ROWS_FILE = "rows"
"""Where task managers write what sinks took in, in the engine's folder."""

_OPEN = [
    "java.lang",
    "java.net",
    "java.io",
    "java.nio",
    "sun.nio.ch",
    "java.lang.reflect",
    "java.text",
    "java.time",
    "java.util",
    "java.util.concurrent",
    "java.util.concurrent.atomic",
    "java.util.concurrent.locks",
]
_EXPORTED = ("java.base/sun.net.util", "java.rmi/sun.rmi.registry", "java.security.jgss/sun.security.krb5")

LOG_FILE, OUT_FILE, ERROR_FILE = "flink.log", "flink.out", "flink.err"
"""What Flink logs, what user code prints, what the JVM itself complains of; in the engine's folder."""

# A job's log shall tell what becomes of the job and what user code logs, not each step of Flink's own machinery.
LOG4J = """\
rootLogger.level = INFO
rootLogger.appenderRef.file.ref = file
logger.flink.name = org.apache.flink
logger.flink.level = WARN
logger.graph.name = org.apache.flink.runtime.executiongraph
logger.graph.level = INFO
logger.checkpoint.name = org.apache.flink.runtime.checkpoint.CheckpointCoordinator
logger.checkpoint.level = INFO
logger.pekko.name = org.apache.pekko
logger.pekko.level = WARN
logger.rest.name = org.apache.flink.runtime.rest.handler
logger.rest.level = OFF
appender.file.name = file
appender.file.type = File
appender.file.fileName = ${sys:log.file}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{yyyy-MM-dd HH:mm:ss.SSS} %p %c{1} - %m%n
"""


def argv(spec: EngineSpec, files: Files, workdir: Path) -> list[str]:
    """The gateway's command: it listens on loopback with a token of its own making, and ends with its standard input.

    In a `mini` form it is the whole cluster.
    """
    mini = Deployment.from_labels(spec.labels).form == MINI
    heap = int((spec.memory >> 20) * HEAP_SHARE) if mini else CLIENT_MB // 2
    jars = [*_jars(files), *sorted(files.flink_home.glob("opt/flink-python-*.jar"))]
    arrow = "-Dorg.apache.flink.api.python.shaded.io.netty.tryReflectionSetAccessible=true"
    command = [GATEWAY, "--die-on-broken-pipe", "--enable-auth", "0"]
    return [*_java(files, workdir, heap, 256), arrow, "-cp", _class_path(jars), *command]


def jobmanager_argv(deployment: Deployment, files: Files, own: Path, folder: Path) -> list[str]:
    """The job manager's command, configured by a file in `folder`; `own` is the jar of our classes."""
    heap = int(deployment.jobmanager_mb * JOBMANAGER_HEAP_SHARE)
    start = [*_java(files, folder, heap, 256), "-cp", _class_path([own, *_jars(files)])]
    return [*start, JOBMANAGER, "--configDir", str(folder), "--executionMode", "cluster"]


def taskmanager_argv(deployment: Deployment, files: Files, own: Path, folder: Path) -> list[str]:
    """The same for a task manager."""
    parts = taskmanager_parts(deployment)
    direct = parts.network_mb + 3 * OFF_HEAP_MB  # the third is for what Flink does not count
    start = [*_java(files, folder, parts.heap_mb, parts.metaspace_mb), f"-XX:MaxDirectMemorySize={direct}m"]
    return [*start, "-cp", _class_path([own, *_jars(files)]), TASKMANAGER, "--configDir", str(folder)]


def _java(files: Files, folder: Path, heap_mb: int, metaspace_mb: int) -> list[str]:
    return [
        str(files.java),
        f"-Xmx{heap_mb}m",
        f"-XX:MaxMetaspaceSize={metaspace_mb}m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:+PerfDisableSharedMem",  # it would leave a file in /tmp when it is killed
        "-Xlog:disable",
        "-Xlog:all=error:stderr",
        *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPEN),
        *(f"--add-exports={package}=ALL-UNNAMED" for package in _EXPORTED),
        f"-Dlog.file={folder / LOG_FILE}",
        f"-Dlog4j.configurationFile=file:{folder / 'log4j.properties'}",
        f"-Djava.io.tmpdir={folder / 'tmp'}",
    ]


def _jars(files: Files) -> list[Path]:
    """Of Flink, then those that were added to its class path."""
    return [*sorted(files.flink_home.glob("lib/*.jar")), *files.added]


def _class_path(jars: Iterable[Path]) -> str:
    return ":".join(str(jar) for jar in jars)


def environment(files: Files, inherited: Mapping[str, str]) -> dict[str, str]:
    """What the JVMs inherit. The folders of Flink's scripts, in /tmp, are never used."""
    home = files.flink_home
    return {**inherited, "FLINK_PLUGINS_DIR": str(home / "plugins"), "FLINK_LIB_DIR": str(home / "lib")}


def cluster(folder: Path, rest_port: int, state: Path) -> dict[str, str]:
    """Every cluster's configuration: sockets on loopback, files in the folder of the process, but states in `state`."""
    return {
        "rest.address": HOST,
        "rest.bind-address": HOST,
        "rest.port": str(rest_port),
        "rest.bind-port": str(rest_port),
        "jobmanager.rpc.address": HOST,
        "jobmanager.bind-host": HOST,
        "taskmanager.host": HOST,
        "taskmanager.bind-host": HOST,
        "io.tmp.dirs": str(folder / "tmp"),
        "web.upload.dir": str(folder / "upload"),
        "web.tmpdir": str(folder / "web"),
        "execution.checkpointing.dir": f"file://{state}/checkpoints",
        "execution.checkpointing.savepoint-dir": f"file://{state}/savepoints",
        "state.checkpoints.dir": f"file://{state}/checkpoints",  # as both are called before 1.20
        "state.savepoints.dir": f"file://{state}/savepoints",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "slotmanager.requirement-check.delay": "0 ms",  # it gathers requests; here one job asks at a time
        "web.refresh-interval": "200",
        "metrics.fetcher.update-interval": "300",
    }


def mini(workdir: Path, rest_port: int, state: Path) -> dict[str, str]:
    """The MiniCluster's configuration."""
    return cluster(workdir, rest_port, state) | {
        "taskmanager.memory.network.min": "32m",
        "taskmanager.memory.network.max": "32m",
        "taskmanager.memory.managed.size": "64m",
    }


@dataclass(frozen=True, slots=True)
class Parts:
    """What the memory of a task manager is for, in MiB."""

    heap_mb: int
    network_mb: int
    managed_mb: int
    metaspace_mb: int


def taskmanager_parts(deployment: Deployment) -> Parts:
    whole = deployment.taskmanager_mb
    network, managed = min(max(8, whole // 10), 512), max(16, whole // 8)
    metaspace = min(max(112, whole // 4), 256)
    return Parts(max(72, whole - network - managed - metaspace - 2 * OFF_HEAP_MB), network, managed, metaspace)


def standalone(
    deployment: Deployment, folder: Path, ports: tuple[int, int], state: Path, reach: Iterable[Path]
) -> dict[str, str]:
    """Of a process of a cluster in processes of its own; `ports` are those of REST and of the job manager.

    Flink takes each part of the memory as a fact, since its own scripts reckon them. Who is silent is gone sooner than
    Flink thinks; a slot that is not there may still come, from a task manager that takes the place of another.
    """
    parts = taskmanager_parts(deployment)
    return cluster(folder, ports[0], state) | {
        "jobmanager.rpc.port": str(ports[1]),
        "taskmanager.numberOfTaskSlots": str(deployment.slots),
        "taskmanager.cpu.cores": str(deployment.slots),
        "taskmanager.memory.framework.heap.size": "32m",
        "taskmanager.memory.task.heap.size": f"{parts.heap_mb - 32}m",
        "taskmanager.memory.framework.off-heap.size": f"{OFF_HEAP_MB}m",
        "taskmanager.memory.framework.off-heap.batch-shuffle.size": "16m",
        "taskmanager.memory.task.off-heap.size": f"{OFF_HEAP_MB}m",
        "taskmanager.memory.network.min": f"{parts.network_mb}m",
        "taskmanager.memory.network.max": f"{parts.network_mb}m",
        "taskmanager.memory.managed.size": f"{parts.managed_mb}m",
        "taskmanager.memory.jvm-metaspace.size": f"{parts.metaspace_mb}m",
        "taskmanager.memory.jvm-overhead.min": "64m",
        "taskmanager.memory.jvm-overhead.max": "64m",
        "cluster.registration.error-delay": "300",
        "cluster.registration.refused-registration-delay": "1000",
        "heartbeat.interval": "1000",
        "heartbeat.timeout": "8000",
        "slot.request.timeout": "600000",
        "resourcemanager.standalone.start-up-time": "20000000000",  # Flink takes no more
        "metrics.reporter.rows.factory.class": REPORTER,
        "metrics.reporter.rows.file": str(folder.parent / ROWS_FILE),
        "headgate.files": "|".join(str(path) for path in reach),
    }


def configuration_file(version: str, configuration: Mapping[str, str]) -> tuple[str, str]:
    """Name and content of the file that a process reads; before 1.19 it was no YAML, and knew no quotes."""
    if version.startswith(("1.17", "1.18")):
        return "flink-conf.yaml", "".join(f"{key}: {value}\n" for key, value in configuration.items())
    return "config.yaml", "".join(f"{key}: {json.dumps(value)}\n" for key, value in configuration.items())


def session(runtime_mode: str, target: Mapping[str, str]) -> dict[str, str]:
    """What every SQL session starts with; the user's own settings come on top. `target` says where its jobs run."""
    start = {**target, "parallelism.default": "1"}
    return {**start, "execution.runtime-mode": runtime_mode} if runtime_mode else start
