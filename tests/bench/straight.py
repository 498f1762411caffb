"""Flink without Headgate: JVMs with the same commands and settings, driven from this process through py4j alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from py4j.java_gateway import GatewayParameters, JavaGateway

from commons.process.settings import Settings
from protocol import names
from protocol.flink.deployment import SESSION, Deployment
from services.engineconn.engine import EngineSpec
from services.engineconn.flink import files, launch
from services.engineconn.flink.cluster import free_port
from services.engineconn.flink.files import Files
from tests.bench.clusters import FlinkCluster, until

BATCH_ROWS = 10_000
"""PyFlink's own choice (python.fn-execution.arrow.batch.size)."""
_MINI = Deployment()
_ADDED = ("metrics.reporter.rows.", "headgate.")


class Straight:
    """A JVM with a MiniCluster, or beside a job manager and task managers; ready for SQL. `begun` ends them."""

    def __init__(self, folder: Path, deployment: Deployment, begun: contextlib.ExitStack) -> None:
        folder.mkdir()
        told = spec(folder, deployment)
        found = asyncio.run(files.find(told, lambda line: None))
        rest_port = free_port()
        session = deployment.form == SESSION
        for own, command in _managers(told, found, folder, rest_port) if session else ():
            begun.enter_context(_process(own, command, told, found, stdout=subprocess.DEVNULL))
        process = begun.enter_context(_process(folder, launch.argv(told, found, folder), told, found))
        assert process.stdout is not None
        port, token = int(process.stdout.readline()), process.stdout.readline().strip()
        parameters = GatewayParameters(port=port, auth_token=token, auto_convert=True)
        self._gateway = JavaGateway(gateway_parameters=parameters)
        begun.callback(self._gateway.close)
        self._flink = self._gateway.jvm.org.apache.flink
        if session:
            with contextlib.closing(FlinkCluster(rest_port)) as cluster:
                until(lambda: cluster.slots() > 0, "the cluster has slots")
        else:
            self._cluster = self._start_cluster(launch.mini(folder, rest_port, folder / "state"))
        remote = {"execution.target": "remote", "rest.address": launch.HOST, "rest.port": str(rest_port)}
        self._settings = launch.session("", remote)

    def query(self, *statements: str) -> pa.Table:
        """The rows of the last statement, checked by EXPLAIN first, in a session of their own."""
        env = self._session(*statements)
        batches = self._flink.table.runtime.arrow.ArrowUtils.collectAsPandasDataFrame(
            env.sqlQuery(statements[-1]), BATCH_ROWS
        )
        chunks = []
        while batches.hasNext():
            chunks.append(bytes(batches.next()))
        with pa.ipc.open_stream(b"".join(chunks)) as reader:
            return reader.read_all()

    def insert(self, *statements: str) -> None:
        """Run the last statement to its end, checked by EXPLAIN first, in a session of its own."""
        result = self._session(*statements).executeSql(statements[-1])
        getattr(result, "await")()

    def _session(self, *statements: str) -> Any:
        env = self._flink.table.api.TableEnvironment.create(
            self._flink.table.api.EnvironmentSettings.newInstance()
            .withConfiguration(self._configuration(self._settings))
            .build()
        )
        for statement in statements[:-1]:
            env.executeSql(statement)
        env.executeSql(f"EXPLAIN {statements[-1]}")
        return env

    def _start_cluster(self, settings: dict[str, str]) -> Any:
        runtime = self._flink.runtime.minicluster
        builder = runtime.MiniClusterConfiguration.Builder().setConfiguration(self._configuration(settings))
        cluster = runtime.MiniCluster(builder.setNumTaskManagers(1).setNumSlotsPerTaskManager(launch.SLOTS).build())
        cluster.start()
        return cluster

    def _configuration(self, settings: dict[str, str]) -> Any:
        configuration = self._flink.configuration.Configuration()
        for key, value in settings.items():
            configuration.setString(key, value)
        return configuration


@contextlib.contextmanager
def straight(folder: Path, deployment: Deployment = _MINI) -> Iterator[Straight]:
    with contextlib.ExitStack() as begun:
        yield Straight(folder, deployment, begun)


def spec(folder: Path, deployment: Deployment = _MINI) -> EngineSpec:
    """What an engine connection is given where nobody changes the settings."""
    settings = Settings()
    (folder / "workspace").mkdir(exist_ok=True)
    return EngineSpec(
        "straight", "flink", names.ENGINE_VERSIONS["flink"][0], "bench", "bench", settings.engine_cores,
        settings.engine_memory_mb << 20, folder / "workspace", settings.engines_folder,
        settings={"flink_home": settings.flink_home, "java_home": settings.java_home}, labels=deployment.labels(),
    )  # fmt: skip


def _managers(told: EngineSpec, found: Files, folder: Path, rest_port: int) -> Iterator[tuple[Path, list[str]]]:
    """Folder and command of a job manager and of task managers, without what Headgate adds to them."""
    deployment, ports = Deployment.from_labels(told.labels), (rest_port, free_port())
    for number in range(deployment.taskmanagers + 1):
        own = folder / (f"taskmanager-{number}" if number else "jobmanager")
        own.mkdir()
        configuration = launch.standalone(deployment, own, ports, folder / "state", [])
        plain = {key: value for key, value in configuration.items() if not key.startswith(_ADDED)}
        name, content = launch.configuration_file(told.version, plain)
        (own / name).write_text(content)
        argv = launch.taskmanager_argv if number else launch.jobmanager_argv
        yield own, argv(deployment, found, own / "no-classes-of-ours.jar", own)


@contextlib.contextmanager
def _process(
    folder: Path, command: list[str], told: EngineSpec, found: Files, stdout: int = subprocess.PIPE
) -> Iterator[subprocess.Popen[str]]:
    for name in ("tmp", "upload", "web"):
        (folder / name).mkdir()
    (folder / "log4j.properties").write_text(launch.LOG4J)
    with (
        (folder / launch.ERROR_FILE).open("ab") as errors,
        subprocess.Popen(
            command, cwd=told.workspace, env=launch.environment(found, os.environ), stdin=subprocess.PIPE,
            stdout=stdout, stderr=errors, text=True,
        ) as process,
    ):  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
