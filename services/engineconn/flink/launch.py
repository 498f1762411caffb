"""How a `mini` Flink starts: one JVM with a MiniCluster and the py4j gateway. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from services.engineconn.engine import EngineSpec
from services.engineconn.flink.files import Files

HOST = "127.0.0.1"
SLOTS = 4
HEAP_SHARE = 0.45
GATEWAY = "org.apache.flink.api.python.shaded.py4j.GatewayServer"

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
    """The JVM's command. It listens on loopback with a token of its own making and ends with its standard input."""
    heap = int(spec.memory * HEAP_SHARE) >> 20
    jars = sorted(files.flink_home.glob("lib/*.jar")) + sorted(files.flink_home.glob("opt/flink-python-*.jar"))
    return [
        str(files.java),
        f"-Xmx{heap}m",
        "-XX:MaxMetaspaceSize=256m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:+PerfDisableSharedMem",  # it would leave a file in /tmp when it is killed
        "-Xlog:disable",
        "-Xlog:all=error:stderr",
        "-Dorg.apache.flink.api.python.shaded.io.netty.tryReflectionSetAccessible=true",  # for Arrow
        *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPEN),
        *(f"--add-exports={package}=ALL-UNNAMED" for package in _EXPORTED),
        f"-Dlog.file={workdir / LOG_FILE}",
        f"-Dlog4j.configurationFile=file:{workdir / 'log4j.properties'}",
        f"-Djava.io.tmpdir={workdir / 'tmp'}",
        "-cp",
        ":".join(str(jar) for jar in (*jars, *files.added)),
        GATEWAY,
        "--die-on-broken-pipe",
        "--enable-auth",
        "0",
    ]


def environment(files: Files, inherited: Mapping[str, str]) -> dict[str, str]:
    return {**inherited, "FLINK_PLUGINS_DIR": str(files.flink_home / "plugins")}


def cluster(workdir: Path, rest_port: int) -> dict[str, str]:
    """The MiniCluster's configuration: every socket on loopback, every file in the engine's own folder."""
    return {
        "rest.address": HOST,
        "rest.bind-address": HOST,
        "rest.port": str(rest_port),
        "rest.bind-port": str(rest_port),
        "jobmanager.rpc.address": HOST,
        "jobmanager.bind-host": HOST,
        "taskmanager.host": HOST,
        "taskmanager.bind-host": HOST,
        "io.tmp.dirs": str(workdir / "tmp"),
        "web.upload.dir": str(workdir / "upload"),
        "web.tmpdir": str(workdir / "web"),
        "execution.checkpointing.dir": f"file://{workdir}/checkpoints",
        "execution.checkpointing.savepoint-dir": f"file://{workdir}/savepoints",
        "taskmanager.memory.network.min": "32m",
        "taskmanager.memory.network.max": "32m",
        "taskmanager.memory.managed.size": "64m",
        "slotmanager.requirement-check.delay": "0 ms",  # it gathers requests; here one job asks at a time
        "web.refresh-interval": "200",
        "metrics.fetcher.update-interval": "300",
    }


def session(runtime_mode: str) -> dict[str, str]:
    """What every session starts with; the user's own settings come on top."""
    start = {"execution.target": "headgate", "parallelism.default": "1"}  # java/InProcess.java
    return {**start, "execution.runtime-mode": runtime_mode} if runtime_mode else start
