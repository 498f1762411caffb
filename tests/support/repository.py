"""A Maven repository of the test's own: a folder served over HTTP, which can be made to misbehave."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import io
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from services.engineconn.jars import Jar


def jar_of(content: Mapping[str, str]) -> bytes:
    """A jar with these files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in content.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return packed.getvalue()


@dataclass
class Repository:
    """What is served, by path; `cut` counts how often a path's answer still ends in its middle."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    password: str = ""
    """Asked for, of the user `reader`, when there is one."""
    go_on: threading.Event = field(default_factory=threading.Event)
    """Answers wait in their middle while it is not set."""

    def keep(self, coordinate: str, content: Mapping[str, str] | None = None, *, known: bool = True) -> Jar:
        """A jar that is served, with its SHA-1 beside it; `known` says whether its SHA-256 is told."""
        jar = Jar.of(coordinate)
        data = jar_of(content or {"name": coordinate})
        self.files[jar.path] = data
        self.files[f"{jar.path}.sha1"] = hashlib.sha1(data).hexdigest().encode()
        return replace(jar, size=len(data), sha256=hashlib.sha256(data).hexdigest()) if known else jar


@contextlib.contextmanager
def serving() -> Iterator[Repository]:
    """An empty repository on loopback."""
    repository = Repository()
    repository.go_on.set()

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.removeprefix("/maven/")
            repository.asked.append(path)
            if repository.password and self.headers.get("Authorization") != _basic(repository.password):
                self.send_error(401)
            elif path not in repository.files:
                self.send_error(404)
            else:
                self._give(path, repository.files[path])

        def _give(self, path: str, data: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            half = len(data) // 2
            self.wfile.write(data[:half])
            if repository.cut.get(path, 0):
                repository.cut[path] -= 1
                return
            repository.go_on.wait(60)
            with contextlib.suppress(OSError):  # whoever asked may be gone
                self.wfile.write(data[half:])

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        repository.url = f"http://127.0.0.1:{server.server_address[1]}/maven"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield repository
        repository.go_on.set()
        server.shutdown()
        thread.join()


def _basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"reader:{password}".encode()).decode()
