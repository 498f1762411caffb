"""Requests that are wrong as HTTP: without an end, longer or shorter than told, broken off. Memory stays as it was."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator

import psutil
import pytest

from services.entrance.api.bodies import LARGEST_BODY
from services.entrance.serving import LARGEST_HEAD
from tests.conftest import Service
from tests.support.rest import PREFIX, Rest

MIB = 1024 * 1024
MOST_GROWTH = 100 * MIB
BODY = json.dumps({"executionContent": {"code": "echo", "runType": "sh"}, "labels": {"engineType": "shell"}}).encode()


@pytest.fixture
def memory(service: Service) -> Iterator[None]:
    """Whatever is sent, the service does not grow by it."""
    process = psutil.Process(service.process.pid)
    before = process.memory_info().rss
    yield
    assert process.memory_info().rss - before < MOST_GROWTH


@pytest.fixture
def line(service: Service) -> Iterator[socket.socket]:
    host, _, port = service.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as line:
        yield line


def head(service: Service, *headers: str, route: str = "entrance/submit", token: str | None = None) -> bytes:
    asker = (f"Token-Code: {service.token if token is None else token}", f"Token-User: {service.user}")
    lines = (f"POST {PREFIX}/{route} HTTP/1.1", "Host: x", "Content-Type: application/json", *asker, *headers)
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answer(line: socket.socket) -> tuple[int, str]:
    """HTTP status and field of the one answer that comes; (0, "") when the connection is ended without one."""
    received = b""
    while b"\r\n\r\n" not in received:
        if not (more := line.recv(65_536)):
            return 0, ""
        received += more
    top, _, body = received.partition(b"\r\n\r\n")
    length = int(top.lower().partition(b"content-length:")[2].split()[0])
    while len(body) < length:
        body += line.recv(65_536)
    status = int(top.split()[1])
    return status, json.loads(body)["data"].get("field", "") if body.startswith(b"{") else body.decode()


def pour(line: socket.socket, piece: bytes, total: int) -> None:
    """Send it again and again, until there is enough or nobody takes it."""
    line.settimeout(5)
    try:
        for _ in range(total // len(piece)):
            line.sendall(piece)
    except OSError:
        pass
    line.settimeout(30)


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("route", ["entrance/submit", "entrance/execute", "user/create", "filesystem/createNewDir"])
def test_a_body_without_an_end_is_refused(service: Service, line: socket.socket, route: str) -> None:
    line.sendall(head(service, "Transfer-Encoding: chunked", route=route))
    pour(line, b"10000\r\n" + b"x" * 65_536 + b"\r\n", 5 * LARGEST_BODY)
    assert answer(line) == (413, "body")


@pytest.mark.usefixtures("memory")
def test_a_body_without_an_end_and_without_a_log_in(service: Service, line: socket.socket) -> None:
    line.sendall(head(service, "Transfer-Encoding: chunked", route="user/login"))
    pour(line, b"10000\r\n" + b"x" * 65_536 + b"\r\n", LARGEST_BODY)
    assert answer(line) == (413, "body")


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("length", [LARGEST_BODY + 1, 10**12, 10**18])
def test_a_body_that_is_told_to_be_too_long_is_refused_at_once(
    service: Service, line: socket.socket, length: int
) -> None:
    line.sendall(head(service, f"Content-Length: {length}"))
    assert answer(line) == (413, "body")


def test_a_body_longer_than_told_does_nothing(rest: Rest, service: Service, line: socket.socket) -> None:
    before = rest.get("/jobhistory/list")["totalPage"]
    line.sendall(head(service, f"Content-Length: {len(BODY) - 1}") + BODY)
    assert answer(line)[0] == 400
    assert rest.get("/jobhistory/list")["totalPage"] == before


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "9" * 30])
def test_a_length_that_is_none_is_refused(service: Service, line: socket.socket, length: str) -> None:
    line.sendall(head(service, f"Content-Length: {length}") + BODY)
    assert answer(line)[0] == 400


def test_a_body_that_is_broken_off_does_nothing(rest: Rest, service: Service, line: socket.socket) -> None:
    log = service.home.parent / "service.log"
    before, said = rest.get("/jobhistory/list")["totalPage"], log.read_text().count("Traceback")
    line.sendall(head(service, f"Content-Length: {len(BODY) + 10}") + BODY)
    line.shutdown(socket.SHUT_WR)
    line.close()
    assert rest.get("/jobhistory/list")["totalPage"] == before
    assert log.read_text().count("Traceback") == said, "what a client breaks off is no fault of the service"


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("piece", [b"X-Header: " + b"x" * 1000 + b"\r\n", b"x" * 1000])
def test_a_head_without_an_end_is_refused(service: Service, line: socket.socket, piece: bytes) -> None:
    line.sendall(head(service)[:-2] + b"X-Long: ")
    pour(line, piece, 100 * LARGEST_HEAD)
    with contextlib.suppress(ConnectionResetError):  # the answer came while more was being sent
        assert answer(line)[0] in (0, 400)


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize(("route", "answered"), [("filesystem/upload", (400, "body")), ("bml/upload", (413, "path"))])
def test_an_upload_without_an_end_stays_out_of_memory(
    service: Service, line: socket.socket, route: str, answered: tuple[int, str]
) -> None:
    start = b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n'
    line.sendall(
        head(service, "Transfer-Encoding: chunked", route=route).replace(
            b"application/json", b"multipart/form-data; boundary=x"
        )
    )
    line.sendall(b"%x\r\n%s\r\n" % (len(start % b"path"), start % b"path"))
    pour(line, b"10000\r\n" + b"x" * 65_536 + b"\r\n", 60 * MIB)
    assert answer(line) == answered


def test_many_who_drip_do_not_keep_others_waiting(rest: Rest, service: Service, line: socket.socket) -> None:
    lines = [socket.create_connection(line.getpeername()) for _ in range(100)]
    try:
        for each in lines:
            each.sendall(head(service, f"Content-Length: {LARGEST_BODY}") + b"{")
        assert rest.get("/jobhistory/list", pageSize=1)["tasks"] is not None
    finally:
        for each in lines:
            each.close()
