"""How a Zeta server starts: the JVM's command and the files it reads. Pure."""

from __future__ import annotations

from pathlib import Path

from services.engineconn.engine import EngineSpec
from services.engineconn.seatunnel.files import Files

HOST = "127.0.0.1"
MAIN = "org.apache.seatunnel.engine.server.SeaTunnelServerStarter"
HEAP_SHARE = 0.5
OUT_FILE = "seatunnel.out"
"""What the JVM itself says, and what is written before its log is."""
LOG_FOLDER, LOG_NAME = "logs", "engine"
_OPEN = ("java.lang", "java.net", "java.nio", "java.util", "sun.nio.ch")

_SEATUNNEL = """\
seatunnel:
  engine:
    history-job-expire-minutes: 1440
    backup-count: 0
    queue-type: blockingqueue
    print-execution-info-interval: 60
    print-job-metrics-info-interval: 60
    classloader-cache-mode: true
    slot-service:
      dynamic-slot: true
    checkpoint:
      interval: 10000
      timeout: 60000
      storage:
        type: hdfs
        max-retained: 3
        plugin-config:
          namespace: {checkpoints}/
          storage.type: hdfs
          fs.defaultFS: file:///
    telemetry:
      metric:
        enabled: false
"""
_HAZELCAST = """\
hazelcast:
  cluster-name: {name}
  network:
    rest-api:
      enabled: true
      endpoint-groups:
        HEALTH_CHECK:
          enabled: true
        CLUSTER_WRITE:
          enabled: true
        DATA:
          enabled: true
    interfaces:
      enabled: true
      interfaces:
        - {host}
    join:
      multicast:
        enabled: false
      tcp-ip:
        enabled: true
        member-list:
          - {host}:{port}
    port:
      auto-increment: false
      port: {port}
  properties:
    hazelcast.socket.bind.any: "false"
    hazelcast.phone.home.enabled: "false"
    hazelcast.logging.type: log4j2
    hazelcast.invocation.max.retry.count: 20
    hazelcast.operation.generic.thread.count: 8
    hazelcast.heartbeat.failuredetector.type: phi-accrual
    hazelcast.heartbeat.interval.seconds: 2
    hazelcast.max.no.heartbeat.seconds: 180
"""
# Drivers tell the address that they could not reach, with all that stands in it.
_HIDDEN = r"(?i)(passw(?:or)?d|pwd|secret|token)=[^&;, \"\\r\\n]*"
_PATTERN = "%d{yyyy-MM-dd HH:mm:ss.SSS} %p %c{1} - %replace{%m%n%xEx}{" + _HIDDEN + "}{$1=***}"
# A job's log shall tell what becomes of the job and what its plug-ins say, not each step of SeaTunnel's machinery; and
# a job's configuration is written nowhere, since it holds passwords.
_LOG4J = """\
monitorInterval = 0
rootLogger.level = INFO
rootLogger.appenderRef.routing.ref = routing
logger.engine.name = org.apache.seatunnel.engine
logger.engine.level = WARN
logger.plan.name = org.apache.seatunnel.engine.server.dag.physical.PhysicalPlan
logger.plan.level = INFO
logger.config.name = org.apache.seatunnel.core.starter
logger.config.level = WARN
logger.discovery.name = org.apache.seatunnel.plugin.discovery
logger.discovery.level = WARN
logger.hazelcast.name = com.hazelcast
logger.hazelcast.level = WARN
logger.hadoop.name = org.apache.hadoop
logger.hadoop.level = ERROR
logger.debezium.name = io.debezium
logger.debezium.level = WARN
appender.routing.name = routing
appender.routing.type = Routing
appender.routing.purge.type = IdlePurgePolicy
appender.routing.purge.timeToLive = 60
appender.routing.route.type = Routes
appender.routing.route.pattern = $${{ctx:ST-JID}}
appender.routing.route.system.type = Route
appender.routing.route.system.key = $${{ctx:ST-JID}}
appender.routing.route.system.ref = engine
appender.routing.route.job.type = Route
appender.routing.route.job.appender.type = File
appender.routing.route.job.appender.name = job-${{ctx:ST-JID}}
appender.routing.route.job.appender.fileName = {logs}/job-${{ctx:ST-JID}}.log
appender.routing.route.job.appender.layout.type = PatternLayout
appender.routing.route.job.appender.layout.pattern = {pattern}
appender.routing.route.job.appender.layout.alwaysWriteExceptions = false
appender.engine.name = engine
appender.engine.type = RollingFile
appender.engine.fileName = {logs}/{name}.log
appender.engine.filePattern = {logs}/{name}.log.%i
appender.engine.layout.type = PatternLayout
appender.engine.layout.pattern = {pattern}
appender.engine.layout.alwaysWriteExceptions = false
appender.engine.policies.type = Policies
appender.engine.policies.size.type = SizeBasedTriggeringPolicy
appender.engine.policies.size.size = 50MB
appender.engine.strategy.type = DefaultRolloverStrategy
appender.engine.strategy.max = 2
"""


def checkpoints(spec: EngineSpec) -> Path:
    """Where checkpoints lie, a folder for each of SeaTunnel's jobs: a suspended job outlives its engine."""
    return spec.state / "seatunnel"


def job_log(workdir: Path, job_id: int) -> Path:
    """Where SeaTunnel writes what concerns one of its jobs."""
    return workdir / LOG_FOLDER / f"job-{job_id}.log"


def engine_log(workdir: Path) -> Path:
    """Where it writes all else."""
    return workdir / LOG_FOLDER / f"{LOG_NAME}.log"


def config(spec: EngineSpec, workdir: Path, port: int) -> dict[str, str]:
    """The files of the folder `config`, by name: every socket on loopback, every file in folders of our own."""
    return {
        "seatunnel.yaml": _SEATUNNEL.format(checkpoints=checkpoints(spec)),
        "hazelcast.yaml": _HAZELCAST.format(name=f"headgate-{spec.engine_id}", host=HOST, port=port),
        "log4j2.properties": _LOG4J.format(logs=workdir / LOG_FOLDER, name=LOG_NAME, pattern=_PATTERN),
    }


def argv(spec: EngineSpec, files: Files, workdir: Path) -> list[str]:
    """The JVM's command."""
    heap = int(spec.memory * HEAP_SHARE) >> 20
    folder = workdir / "config"
    return [
        str(files.java),
        "-Xms64m",
        f"-Xmx{heap}m",
        "-XX:MaxMetaspaceSize=256m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:+PerfDisableSharedMem",  # it would leave a file in /tmp when it is killed
        *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPEN),
        f"-DSEATUNNEL_HOME={files.home}",
        f"-Dseatunnel.config={folder / 'seatunnel.yaml'}",
        f"-Dhazelcast.config={folder / 'hazelcast.yaml'}",
        "-Dhazelcast.logging.type=log4j2",
        f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}",
        "-Dlog4j2.isThreadContextMapInheritable=true",
        f"-Djava.io.tmpdir={workdir / 'tmp'}",
        "-cp",
        ":".join(map(str, class_path(files.home))),
        MAIN,
    ]


def class_path(home: Path) -> list[Path]:
    """The server's jars, first the one with SeaTunnel's own parser: another has classes of the same names."""
    starter = sorted(home.glob("starter/*.jar"), key=lambda jar: ("seatunnel-config-shade" not in jar.name, jar.name))
    return [*starter, *sorted(home.glob("lib/*.jar"))]
