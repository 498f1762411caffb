"""gRPC between services: servers that turn our errors into statuses, channels that turn them back.

Addresses are `unix:/path` or `host:port`. Unary calls have a deadline and are tried again when the other side is
unavailable: every unary method of ours is idempotent. Streams have no deadline; whoever reads one opens it again.
A unary call carries the caller's place in its trace.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import grpc
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from commons.database.marks import in_transaction
from commons.process import faults, telemetry
from commons.process.errors import KINDS, Broken, HeadgateError, Unavailable
from commons.process.ids import random_hex
from commons.process.masking import masked

log = logging.getLogger(__name__)

Client = TypeVar("Client")

UNARY_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 0.05
LARGEST_MESSAGE = 32 * 1024 * 1024
_CODE, _FIELD, _TRACE = "headgate-code", "headgate-field", "traceparent"
_INTERNAL, _UNREACHABLE = 100000, 100001  # as in protocol/codes.py, which this layer may not import

_CALLS = telemetry.histogram(
    "rpc_call_duration_seconds", "Unary calls that were answered, by full method and status.", ("method", "code")
)
_REPEATED = telemetry.counter("rpc_calls_repeated", "Calls tried again: the other side was unavailable.", ("method",))


class Server:
    """`add` servicers, then `start`. Health and reflection are served too."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._server = aio.server(
            interceptors=[_ErrorsToStatus()],
            options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", LARGEST_MESSAGE)],
        )
        self._names = [reflection.SERVICE_NAME, health.SERVICE_NAME]

    def add(self, add_to_server: Callable[[Any, aio.Server], None], servicer: object, name: str) -> None:
        """Serve `servicer` under its full service name, such as headgate.manager.v1.Manager."""
        add_to_server(servicer, self._server)
        self._names.append(name)

    async def start(self) -> None:
        """Listen. Raises Unavailable when the address is taken."""
        checks = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(checks, self._server)
        for name in self._names:
            await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
        reflection.enable_server_reflection(self._names, self._server)
        try:
            self._server.add_insecure_port(self.address)
        except RuntimeError as error:
            raise Unavailable(_UNREACHABLE, f"cannot listen on {self.address}: {error}") from error
        await self._server.start()

    async def stop(self, grace_seconds: float = 1.0) -> None:
        await self._server.stop(grace_seconds)


def connect(stub: Callable[[aio.Channel], Client], address: str) -> Client:
    """A client over a channel of its own, whose errors are HeadgateErrors. Connects when first used."""
    channel = aio.insecure_channel(
        address,
        interceptors=[_UnaryCalls(), _StreamCalls()],
        options=[
            ("grpc.enable_retries", 0),
            ("grpc.max_receive_message_length", LARGEST_MESSAGE),
            ("grpc.max_reconnect_backoff_ms", 3000),  # who was away for long is found again soon
        ],
    )
    client = stub(channel)
    setattr(client, "channel", channel)  # noqa: B010  # a stub does not keep its channel, which closes when collected
    return client


class _ErrorsToStatus(aio.ServerInterceptor):
    """What a servicer raises becomes the status, with the public code and the field in the trailing metadata."""

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        if handler.response_streaming:
            return (
                grpc.unary_stream_rpc_method_handler(
                    _stream(handler.unary_stream), handler.request_deserializer, handler.response_serializer
                )
                if handler.unary_stream
                else handler
            )
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(
                _unary(handler_call_details.method.removeprefix("/"), handler.unary_unary),
                handler.request_deserializer,
                handler.response_serializer,
            )
        return handler


def _unary(name: str, method: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    async def call(request: Any, context: Any) -> Any:
        began, code = time.perf_counter(), "CANCELLED"
        place = next((str(value) for key, value in context.invocation_metadata() or () if key == _TRACE), "")
        with telemetry.continued(place):
            try:
                answer = await method(request, context)
                code = "OK"
                return answer
            except HeadgateError as error:
                code = error.grpc_status
                await _abort(context, error)
            except Exception as error:
                code = Broken.grpc_status
                await _abort(context, _broken(error))
            finally:
                _CALLS.labels(name, code).observe(time.perf_counter() - began)

    return call


def _stream(method: Callable[[Any, Any], AsyncIterator[Any]]) -> Callable[[Any, Any], AsyncIterator[Any]]:
    async def call(request: Any, context: Any) -> AsyncIterator[Any]:
        try:
            async for message in method(request, context):
                yield message
        except HeadgateError as error:
            await _abort(context, error)
        except Exception as error:
            await _abort(context, _broken(error))

    return call


def _broken(error: Exception) -> Broken:
    """What the caller may know of an error that nobody foresaw: its text may hold what users wrote."""
    number = telemetry.trace_id() or random_hex(32)
    log.error("a call failed, error %s", number, exc_info=error)
    return Broken(_INTERNAL, f"something failed inside; the service's log has more under error {number}")


async def _abort(context: Any, error: HeadgateError) -> None:
    metadata = [(_CODE, str(error.code))]
    if error.field:
        metadata.append((_FIELD, error.field))
    await context.abort(grpc.StatusCode[error.grpc_status], masked(error.message), tuple(metadata))


class _UnaryCalls(aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        if in_transaction():
            raise Broken(_INTERNAL, f"{client_call_details.method!r} was called inside a transaction")
        details, method = _details(client_call_details), _text(client_call_details.method)

        async def once() -> Any:
            await faults.hold(method)
            faults.reach(f"before {method}")
            try:
                answer = await (await continuation(details, request))
            except aio.AioRpcError as error:
                raise _from_status(error) from None
            except aio.UsageError as error:  # nobody keeps the client any more
                raise Unavailable(_UNREACHABLE, str(error)) from None
            faults.reach(f"after {method}")
            return answer

        try:
            return await once()
        except Unavailable as error:
            if not _passing(error):
                raise
        return await _again(method, once)  # not for the first try too: that would cost a third of every call


async def _again(method: str, once: Callable[[], Awaitable[Any]]) -> Any:
    """A few more tries, each after a pause."""

    def repeated(_: object = None) -> None:
        _REPEATED.labels(method.removeprefix("/")).inc()

    repeated()
    await asyncio.sleep(random.uniform(0, FIRST_PAUSE_SECONDS))
    retrying = AsyncRetrying(
        retry=retry_if_exception(_passing),
        stop=stop_after_attempt(3),
        wait=wait_random_exponential(multiplier=2 * FIRST_PAUSE_SECONDS, max=1.0),
        before_sleep=repeated,
        reraise=True,
    )
    return await retrying(once)


def _passing(error: BaseException) -> bool:
    """Whether the other side may be there soon; of one that was late nobody knows what it did."""
    return isinstance(error, Unavailable) and not isinstance(error, _Late)


def _details(asked: Any) -> aio.ClientCallDetails:
    """A call with a deadline and the caller's place in its trace."""
    metadata = aio.Metadata() if asked.metadata is None else aio.Metadata(*asked.metadata)
    if place := telemetry.traceparent():
        metadata.add(_TRACE, place)
    seconds = UNARY_SECONDS if asked.timeout is None else asked.timeout
    return aio.ClientCallDetails(asked.method, seconds, metadata, asked.credentials, asked.wait_for_ready)


def _text(method: str | bytes) -> str:
    return method.decode() if isinstance(method, bytes) else method


class _StreamCalls(aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        call = await continuation(client_call_details, request)

        async def messages() -> AsyncIterator[Any]:
            try:
                async for message in call:
                    yield message
            except aio.AioRpcError as error:
                raise _from_status(error) from None
            finally:
                call.cancel()

        return messages()


class _Late(Unavailable):
    """The other side did not answer in time. It may have done what was asked, so only the caller knows what to do."""


def _from_status(error: aio.AioRpcError) -> HeadgateError:
    metadata = dict(error.trailing_metadata() or ())
    status = error.code().name
    kind = KINDS.get(status, _Late if status in ("DEADLINE_EXCEEDED", "CANCELLED") else Broken)
    code = int(metadata.get(_CODE, _UNREACHABLE if issubclass(kind, Unavailable) else _INTERNAL))
    field = metadata.get(_FIELD)
    return kind(code, error.details() or status, field=str(field) if field else None)
