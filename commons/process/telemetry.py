"""What a process tells of itself: metrics for Prometheus, and steps of traces for OpenTelemetry.

A metric is declared once, in the module that knows it, and is told in docs/metrics.md too. Without a collector in the
environment (OTEL_EXPORTER_OTLP_ENDPOINT) no spans are made: the client's traceparent passes through as it came.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import platform
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from opentelemetry import context, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

log = logging.getLogger(__name__)

PREFIX = "headgate"
CALL_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
JOB_SECONDS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0)
FRESH_SECONDS = 3.0
"""What is read (rows, disks) is read again after this long at the earliest."""
READ_SECONDS = 1.0
"""A scrape waits no longer than this for what is read."""
FLUSH_SECONDS = 2.0
"""The last spans have this long to reach the collector when the process ends."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A metric as docs/metrics.md tells it; `name` is whole, as it is scraped."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


DECLARED: dict[str, Declared] = {}
"""Every metric of this process, by name."""

disable_created_metrics()  # type: ignore[no-untyped-call]
_registry = CollectorRegistry()


def _declare(name: str, kind: str, meaning: str, labels: Sequence[str]) -> Declared:
    declared = Declared(f"{PREFIX}_{name}", kind, tuple(labels), meaning)
    assert declared.name not in DECLARED, f"{declared.name} is declared twice"
    DECLARED[declared.name] = declared
    return declared


def counter(name: str, meaning: str, labels: Sequence[str] = ()) -> Counter:
    """A count that only rises; it is scraped as `headgate_<name>_total`."""
    _declare(f"{name}_total", "counter", meaning, labels)
    return Counter(name, meaning, labels, namespace=PREFIX, registry=_registry)


def gauge(name: str, meaning: str, labels: Sequence[str] = ()) -> Gauge:
    """A number that rises and falls with what the process does."""
    _declare(name, "gauge", meaning, labels)
    return Gauge(name, meaning, labels, namespace=PREFIX, registry=_registry)


def histogram(
    name: str, meaning: str, labels: Sequence[str] = (), *, buckets: Sequence[float] = CALL_SECONDS
) -> Histogram:
    """How values are spread; its count is a counter."""
    _declare(name, "histogram", meaning, labels)
    return Histogram(name, meaning, labels, namespace=PREFIX, registry=_registry, buckets=buckets)


def reading(name: str, meaning: str, labels: Sequence[str] = ()) -> Declared:
    """A gauge that is not kept but read, from rows or disks, when it is scraped."""
    return _declare(name, "gauge", meaning, labels)


for _family in ProcessCollector(namespace=PREFIX, registry=_registry).collect():
    _total = "_total" if _family.type == "counter" else ""
    _declare(f"{_family.name.removeprefix(f'{PREFIX}_')}{_total}", _family.type, _family.documentation, ())

_BUILD = gauge("build_info", "Always 1; the labels say what runs.", ("version", "python"))
_UP = gauge("reading_up", "1 when rows or disks could be read; at 0 what they tell is left out.", ("source",))

Value = tuple[Declared, tuple[str, ...], float]
"""A reading, the values of its labels, and the number."""

Read = Callable[[], Awaitable[Iterable[Value]]]


class Scrape:
    """All metrics of the process as text. A source that fails or is slow takes its own readings out, nothing else."""

    def __init__(self, sources: Mapping[str, Read]) -> None:
        self._sources = sources
        self._reading: dict[str, asyncio.Task[list[Value]]] = {}
        self._values: dict[str, list[Value]] = {}
        self._read_at = float("-inf")
        self._turn = asyncio.Lock()
        _BUILD.labels(version(f"{PREFIX}-server"), platform.python_version()).set(1)

    async def text(self, accept: str) -> tuple[bytes, str]:
        """The text and its content type: OpenMetrics for who accepts it, otherwise Prometheus' own."""
        async with self._turn:
            if time.monotonic() - self._read_at > FRESH_SECONDS:
                await asyncio.gather(*(self._refresh(source, read) for source, read in self._sources.items()))
                self._read_at = time.monotonic()
            encode, content_type = choose_encoder(accept)
            return await asyncio.to_thread(encode, self), content_type

    async def _refresh(self, source: str, read: Read) -> None:
        """What takes too long goes on, and is waited for again by the next scrape: a query is never cut off."""
        if source not in self._reading:
            self._reading[source] = asyncio.create_task(_listed(read))
        await asyncio.wait({self._reading[source]}, timeout=READ_SECONDS)
        self._values.pop(source, None)
        if self._reading[source].done():
            done = self._reading.pop(source)
            if (error := done.exception()) is None:
                self._values[source] = done.result()
            else:
                log.warning("the metrics of %s could not be read: %s", source, error)
        _UP.labels(source).set(source in self._values)

    def collect(self) -> Iterator[Metric]:
        """Everything that is counted, then what was read last."""
        yield from _registry.collect()
        families: dict[str, GaugeMetricFamily] = {}
        for declared, labels, number in (value for values in self._values.values() for value in values):
            if declared.name not in families:
                families[declared.name] = GaugeMetricFamily(declared.name, declared.meaning, labels=declared.labels)
            families[declared.name].add_metric(labels, number)
        yield from families.values()


async def _listed(read: Read) -> list[Value]:
    return list(await read())


_PROPAGATOR = TraceContextTextMapPropagator()
_tracer: trace.Tracer = trace.NoOpTracer()


class Step:
    """A span. Its attributes are ids, kinds and numbers: never what users wrote, nor secrets."""

    def __init__(self, span: trace.Span) -> None:
        self.span = span

    @property
    def traceparent(self) -> str:
        """What a child of this step is given; empty when there is no trace."""
        return _written(trace.set_span_in_context(self.span))

    def note(self, **attributes: str | int) -> None:
        """Add attributes; their names get the prefix."""
        for name, value in attributes.items():
            self.span.set_attribute(f"{PREFIX}.{name}", value)

    def answered(self, method: str, route: str, code: int) -> None:
        """Name a server's step as HTTP's conventions do; `route` is the template, for paths hold what users wrote."""
        self.span.update_name(f"{method} {route}")
        self.span.set_attributes(
            {"http.request.method": method, "http.route": route, "http.response.status_code": code}
        )
        if code >= 500:
            self.span.set_status(trace.StatusCode.ERROR)

    def end(self, failure: str = "") -> None:
        """`failure` is a word for what went wrong. Only the first end counts."""
        if not self.span.is_recording():
            return
        if failure:
            self.span.set_attribute("error.type", failure)
            self.span.set_status(trace.StatusCode.ERROR)
        self.span.end()


NO_STEP = Step(trace.INVALID_SPAN)


def begin(name: str, *, server: bool = False, **attributes: str | int) -> Step:
    """A step of the current trace, to be ended by the caller; `server` for one that answers a client."""
    step = Step(_tracer.start_span(name, kind=trace.SpanKind.SERVER if server else trace.SpanKind.INTERNAL))
    step.note(**attributes)
    return step


@contextlib.contextmanager
def step(name: str, *, server: bool = False, **attributes: str | int) -> Iterator[Step]:
    """A step of the current trace for the time of the block; what begins within is its child."""
    began, failure = begin(name, server=server, **attributes), ""
    try:
        with trace.use_span(began.span, record_exception=False, set_status_on_exception=False):
            yield began
    except Exception as error:
        failure = type(error).__name__
        raise
    finally:
        began.end(failure)


@contextlib.contextmanager
def continued(traceparent: str) -> Iterator[None]:
    """The block belongs to the trace that a W3C traceparent names; to none when it names none."""
    place = context.Context()
    token = context.attach(_PROPAGATOR.extract({"traceparent": traceparent}, place) if traceparent else place)
    try:
        yield
    finally:
        context.detach(token)


def traceparent() -> str:
    """Where the running task is in its trace, as a W3C traceparent; empty when it is in none."""
    return _written(None)


def trace_id() -> str:
    """32 hex digits, empty outside of a trace."""
    return traceparent()[3:35]


def _written(of: context.Context | None) -> str:
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, of)
    return carrier.get("traceparent", "")


class TraceInLog(logging.Filter):
    """Gives log records `trace`: ` trace=<id>` within a trace, otherwise nothing."""

    def filter(self, record: logging.LogRecord) -> bool:
        found = trace_id()
        record.trace = f" trace={found}" if found else ""
        return True


@contextlib.contextmanager
def traces_exported() -> Iterator[None]:
    """During the block spans go to the collector that the environment names, in batches from a thread; without one
    there are none."""
    global _tracer
    if not (os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")):
        yield
        return
    # imported here, for engine connections do without
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    here = {"service.version": version(f"{PREFIX}-server")}
    if not os.environ.get("OTEL_SERVICE_NAME"):
        here["service.name"] = PREFIX
    provider = TracerProvider(resource=Resource.create(here), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracer = provider.get_tracer(PREFIX)
    try:
        yield
    finally:
        # a daemon thread: a collector that does not answer must not keep the process
        flushing = threading.Thread(target=provider.shutdown, daemon=True)
        flushing.start()
        flushing.join(FLUSH_SECONDS)
