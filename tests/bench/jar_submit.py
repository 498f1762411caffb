"""A jar job on a warm session cluster, from submit to RUNNING, against plain REST, and against Flink's own client.

All three submit to one and the same cluster, in turns; it has no other job meanwhile. The jar was pushed to Headgate
before; plain REST uploads it each time, as Flink's client (CliFrontend run -d, a JVM for each job) does.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from headgate import Job

from protocol import names
from services.engineconn.flink import files, launch
from tests.bench.clusters import FlinkCluster, until
from tests.bench.running import Bench
from tests.bench.straight import spec
from tests.bench.table import Goal, Row
from tests.support.flink import SMALL, jar

VERSION = names.ENGINE_VERSIONS["flink"][0]
ENTRY, SLOW = "headgate.tests.CountJob", "delay=1000"
SESSION = {
    "flink.deployment": SMALL.form,
    "flink.jobmanager.memory": f"{SMALL.jobmanager_mb}m",
    "flink.taskmanager.memory": f"{SMALL.taskmanager_mb}m",
}
CODE = json.dumps({"artifact": "count", "entryClass": ENTRY, "arguments": [SLOW]})


def run(bench: Bench) -> Iterator[Row]:
    program = jar(bench.folder, VERSION)
    with bench.service("service", HEADGATE_ENGINES="flink") as service:
        service.admin.push_artifact(program, "count")

        def submitted() -> Job:
            return service.admin.submit(CODE, engine=f"flink-{VERSION}", run_type="jar", configuration=SESSION)

        first = submitted()
        until(lambda: first.status() == "Running", "the first job runs")
        first.kill()
        first.wait(60)
        with closing(FlinkCluster.of(service.home)) as cluster:
            command = _command(bench.folder, cluster.port, program)

            def through_rest() -> None:
                cluster.run(cluster.upload(program), ENTRY, SLOW)

            def through_client() -> None:
                configured = {**os.environ, "FLINK_CONF_DIR": str(bench.folder)}
                subprocess.run(command, check=True, capture_output=True, env=configured)

            def beside(reference: Callable[[], None]) -> tuple[list[float], list[float]]:
                ways = (lambda: _timed(cluster, submitted)), (lambda: _timed(cluster, reference))
                return bench.alternate(*ways, warm=not bench.quick)

            yield Row("jar: submit → RUNNING, beside plain REST", "ms", *beside(through_rest), Goal(at_most=1.5))
            yield Row("jar: submit → RUNNING, beside Flink's client", "ms", *beside(through_client), Goal(at_most=0.25))


def _timed(cluster: FlinkCluster, submit: Callable[[], Job | None]) -> float:
    """Milliseconds until the cluster runs it, and until Headgate says so when it is Headgate's."""
    before = cluster.jobs()
    began = time.perf_counter()
    job = submit()
    until(lambda: bool(cluster.jobs("RUNNING") - before), "the job runs")
    if job is not None:
        until(lambda: job.status() == "Running", "the job is said to run")
    took = (time.perf_counter() - began) * 1000
    if job is not None:
        job.kill()
        job.wait(60)
    cluster.clear()
    return took


def _command(folder: Path, port: int, program: Path) -> list[str]:
    """Of Flink's client, configured by a file in the folder."""
    found = asyncio.run(files.find(spec(folder), lambda line: None))
    (folder / "config.yaml").write_text(f"rest.address: {launch.HOST}\nrest.port: {port}\n")
    class_path = ":".join(str(one) for one in sorted(found.flink_home.glob("lib/*.jar")))
    opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in ("java.lang", "java.util")]
    client = [str(found.java), *opened, "-cp", class_path, "org.apache.flink.client.cli.CliFrontend"]
    return [*client, "run", "-d", "-t", "remote", "-c", ENTRY, str(program), SLOW]
