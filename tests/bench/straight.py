"""Flink without Headgate: a JVM with the same command and settings, driven from this process through py4j alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from py4j.java_gateway import GatewayParameters, JavaGateway

from commons.process.settings import Settings
from protocol import names
from services.engineconn.engine import EngineSpec
from services.engineconn.flink import files, launch

BATCH_ROWS = 10_000
"""PyFlink's own choice (python.fn-execution.arrow.batch.size)."""


class Straight:
    """One JVM with a MiniCluster, ready for SQL."""

    def __init__(self, folder: Path) -> None:
        spec = _spec(folder)
        self._process, port, token = _spawn(spec, folder)
        parameters = GatewayParameters(port=port, auth_token=token, auto_convert=True)
        self._gateway = JavaGateway(gateway_parameters=parameters)
        self._flink = self._gateway.jvm.org.apache.flink
        rest_port = _free_port()
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

    def close(self) -> None:
        self._gateway.close()
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

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
def straight(folder: Path) -> Iterator[Straight]:
    running = Straight(folder)
    try:
        yield running
    finally:
        running.close()


def _spec(folder: Path) -> EngineSpec:
    """What an engine connection is given where nobody changes the settings."""
    settings = Settings()
    (folder / "workspace").mkdir(parents=True)
    return EngineSpec(
        "straight", "flink", names.ENGINE_VERSIONS["flink"][0], "bench", "bench", settings.engine_cores,
        settings.engine_memory_mb << 20, folder / "workspace", settings.engines_folder,
        settings={"flink_home": settings.flink_home, "java_home": settings.java_home},
    )  # fmt: skip


def _spawn(spec: EngineSpec, folder: Path) -> tuple[subprocess.Popen[str], int, str]:
    found = asyncio.run(files.find(spec, lambda line: None))
    for name in ("tmp", "upload", "web"):
        (folder / name).mkdir()
    (folder / "log4j.properties").write_text(launch.LOG4J)
    with (folder / launch.ERROR_FILE).open("ab") as errors:
        process = subprocess.Popen(
            launch.argv(spec, found, folder), cwd=spec.workspace, env=launch.environment(found, os.environ),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
        )  # fmt: skip
    assert process.stdout is not None
    return process, int(process.stdout.readline()), process.stdout.readline().strip()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((launch.HOST, 0))
        return int(probe.getsockname()[1])
