"""Rows written by a job's sinks. Flink's REST forgets them as the job ends, and short jobs end before it knows them.

A small metric reporter, compiled in the JVM by the compiler that Flink brings along, keeps the counters.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from py4j.java_gateway import JavaGateway

_SOURCE = Path(__file__).parent / "SinkRows.java"
_CLASS = "headgate.SinkRows"
_FACTORY = "org.apache.flink.metrics.reporter.MetricReporterFactory"


class Counting:
    """Make it before the cluster starts: the calling thread then offers the reporter to Flink."""

    def __init__(self, gateway: JavaGateway, folder: Path) -> None:
        self.configuration = {"metrics.reporter.rows.factory.class": _CLASS}
        """What the cluster's configuration needs."""
        jvm = gateway.jvm
        compiler = jvm.org.codehaus.janino.SimpleCompiler()
        compiler.setTargetVersion(11)
        compiler.cook(_SOURCE.read_text())
        jar = folder / "sink-rows.jar"
        with zipfile.ZipFile(jar, "w") as archive:
            for name, content in compiler.getBytecodes().items():
                archive.writestr(f"{name.replace('.', '/')}.class", bytes(content))
            archive.writestr(f"META-INF/services/{_FACTORY}", f"{_CLASS}\n")
        urls = gateway.new_array(jvm.java.net.URL, 1)
        urls[0] = jvm.java.io.File(str(jar)).toURI().toURL()
        thread = jvm.java.lang.Thread.currentThread()
        loader = jvm.java.net.URLClassLoader.newInstance(urls, thread.getContextClassLoader())
        thread.setContextClassLoader(loader)
        self._rows = loader.loadClass(_CLASS).newInstance()

    def take(self, job_id: str) -> int | None:
        """Rows that the ended job's sinks took in; None when none of them counts. Asked once for each job."""
        rows = int(self._rows.take(job_id))
        return rows if rows >= 0 else None
