"""The `mini` form: the cluster is in the very JVM that plans the SQL."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from services.engineconn.flink import launch
from services.engineconn.flink.cluster import Blocking, Ground
from services.engineconn.flink.jvm import Jvm
from services.engineconn.flink.process import Process


class Mini:
    """A MiniCluster with one task manager."""

    slots: int = launch.SLOTS
    target: Mapping[str, str] = {"execution.target": "headgate"}  # java/InProcess.java
    processes: Sequence[Process] = ()
    lost: Sequence[str] = ()
    started: float = 0.0

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    async def start(self, jvm: Jvm, blocking: Blocking) -> None:
        await blocking(lambda: self._start(jvm))

    def _start(self, jvm: Jvm) -> None:
        flink, sink_rows, ground = jvm.root.org.apache.flink, jvm.new("SinkRows"), self._ground
        settings = launch.mini(ground.workdir, ground.rest_port, ground.state)
        configuration = jvm.configuration({**settings, "metrics.reporter.rows.factory.class": launch.REPORTER})
        builder = flink.runtime.minicluster.MiniClusterConfiguration.Builder().setConfiguration(configuration)
        cluster = flink.runtime.minicluster.MiniCluster(
            builder.setNumTaskManagers(1).setNumSlotsPerTaskManager(self.slots).build()
        )
        cluster.start()
        jvm.new("InProcess").use(cluster)
        jvm.cluster = flink.client.program.MiniClusterClient(configuration, cluster)

        def rows_written(job_id: str) -> int | None:
            rows = int(sink_rows.take(job_id))
            return rows if rows >= 0 else None

        jvm.rows_written = rows_written

    async def gone(self) -> str:
        """Never returns: the cluster goes with its JVM."""
        return str(await asyncio.Event().wait())

    def revive(self) -> bool:
        return False

    async def close(self) -> None:
        return
