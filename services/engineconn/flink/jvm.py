"""The JVM that SQL is planned in, as the other modules use it: its gateway, and Java classes of our own.

The classes in `java/` do what only the JVM can do well. The compiler that Flink brings along (Janino) makes them at
start, so no Java development kit is needed.
"""

from __future__ import annotations

import zipfile
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from py4j.java_gateway import GatewayClient, GatewayParameters, JavaGateway
from py4j.protocol import MEMORY_COMMAND_NAME, MEMORY_DEL_SUBCOMMAND_NAME, Py4JJavaError, Py4JNetworkError

from protocol.flink.jar import JarJob
from services.engineconn.flink.launch import REPORTER

_SOURCES = Path(__file__).parent / "java"
_SERVICES = {
    "org.apache.flink.metrics.reporter.MetricReporterFactory": REPORTER,
    "org.apache.flink.core.fs.FileSystemFactory": "headgate.GuardedFiles",
    "org.apache.flink.core.execution.PipelineExecutorFactory": "headgate.InProcess",
}
"""Which of Flink's interfaces our classes offer; Flink looks them up in the jar."""


class Unplanned(Exception):
    """A job's main method threw while it was planned; the stack is the message."""


class Jvm:
    """Connected to the gateway that listens on `port`; `folder` takes the compiled classes. Blocking."""

    def __init__(self, port: int, token: str, folder: Path) -> None:
        parameters = GatewayParameters(port=port, auth_token=token, auto_convert=True)
        self._gateway = _Gateway(gateway_parameters=parameters)
        self.root = self._gateway.jvm
        """Java packages by name: `jvm.root.java.lang.String`."""
        self.jar = _compiled(self.root, folder)
        """Of our classes, for the processes of a cluster."""
        self.loader = self._load(self.jar)
        """Of our classes and Flink's; what SQL may use is looked up in it."""
        self.cluster: Any = None
        """Flink's ClusterClient, once there is a cluster."""
        self.rows_written: Callable[[str], int | None] = lambda job_id: None
        """Rows that an ended job's sinks took; None when none of them counts. Asked once for each job.

        Flink's REST cannot say: it forgets a job's counters as the job ends, and short jobs end before it knows them.
        """

    def warm(self, folders: Iterable[Path]) -> None:
        """Load what the first statement needs, aside. From now on files are reached in `folders` alone."""
        self.new("GuardedFiles").guard([str(folder) for folder in folders])
        self.new("Warm").begin()

    def configuration(self, settings: Mapping[str, str]) -> Any:
        """Flink's own object of settings."""
        java = self.root.org.apache.flink.configuration.Configuration()
        for key, value in settings.items():
            java.setString(key, value)
        return java

    def dropped_states(self, jar: Path, job: JarJob, settings: Mapping[str, str], metadata: Path) -> list[list[str]]:
        """What of a savepoint no operator of the job has: id, name (may be empty) and bytes of each state.

        Runs the main method, which plans the job. Raises Unplanned with the stack of what it threw.
        """
        check, parallelism = self.new("StateCheck"), job.parallelism or 1
        arguments, configuration = list(job.arguments), self.configuration(settings)
        try:
            found = check.dropped(str(jar), job.entry_class, arguments, configuration, parallelism, str(metadata))
        except Py4JJavaError as error:
            raise Unplanned(str(error)) from None
        return [[str(part) for part in one] for one in found]

    def new(self, name: str) -> Any:
        """A new object of one of our own classes."""
        return self.loader.loadClass(f"headgate.{name}").newInstance()

    def array(self, java_class: Any, length: int) -> Any:
        return self._gateway.new_array(java_class, length)

    def close(self) -> None:
        self._gateway.gateway_client.is_connected = False  # objects let go from now on went with the JVM
        self._gateway.close()

    def _load(self, jar: Path) -> Any:
        """A loader of the jar, also for this thread: from there Flink's cluster finds the metric reporter."""
        urls = self.array(self.root.java.net.URL, 1)
        urls[0] = self.root.java.io.File(str(jar)).toURI().toURL()
        thread = self.root.java.lang.Thread.currentThread()
        parent = thread.getContextClassLoader()
        first = self.root.java.net.URLClassLoader.newInstance(urls, parent)
        arguments = self.array(self.root.java.lang.Object, 2)
        arguments[0], arguments[1] = urls, parent
        loader = first.loadClass("headgate.Offered").getConstructors()[0].newInstance(arguments)
        thread.setContextClassLoader(loader)
        return loader


class _OneThread(GatewayClient):  # type: ignore[misc]  # py4j has no types
    """One connection, so that one thread of the JVM serves all calls: Flink's planner keeps state in its thread.

    py4j frees an object when Python lets go of it, also in the middle of a call, over a second connection; here it
    waits for the next call. A JVM that is gone raises Py4JNetworkError, where py4j would report a failed call.
    """

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self._gone: deque[str] = deque()

    def garbage_collect_object(self, target_id: str) -> None:
        self._gone.append(target_id)

    def send_command(self, command: str, retry: bool = True, binary: bool = False) -> str:
        connection = self._get_connection()
        try:
            while self._gone:
                connection.send_command(f"{MEMORY_COMMAND_NAME}{MEMORY_DEL_SUBCOMMAND_NAME}{self._gone.popleft()}\ne\n")
            response = str(connection.send_command(command))
        except Py4JNetworkError:
            connection.close(False)
            raise
        self._give_back_connection(connection)
        return response


class _Gateway(JavaGateway):  # type: ignore[misc]
    def _create_gateway_client(self) -> GatewayClient:
        return _OneThread(gateway_parameters=self.gateway_parameters)


def _compiled(java: Any, folder: Path) -> Path:
    jar = folder / "headgate.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        for interface, offered in _SERVICES.items():
            archive.writestr(f"META-INF/services/{interface}", f"{offered}\n")
        for source in sorted(_SOURCES.glob("*.java")):
            compiler = java.org.codehaus.janino.SimpleCompiler()
            compiler.setTargetVersion(11)
            compiler.cook(source.read_text())
            for name, content in compiler.getBytecodes().items():
                archive.writestr(f"{name.replace('.', '/')}.class", bytes(content))
    return jar
