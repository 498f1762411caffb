"""Options that would let a job do more than move data: load files of this machine, or classes. Pure.

SeaTunnel runs with the rights of the service, so what is not known to be harmless is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_KEY = re.compile(r"[^\s\"'\\]+")
"""SeaTunnel reads keys as paths: blanks around them and quotes mean nothing to it, and would hide a key from us."""
_HOST = r"[\w.-]+(?::\d+)?"
_USER = r"(?:[^@/()?;\s]*@)?"
_URL = re.compile(rf"jdbc:[a-z]+(?::[a-z]+)?://{_USER}{_HOST}(?:,{_HOST})*(?:/[\w$.-]*)?(?P<rest>[?;].*)?", re.ASCII)
_PAIR = re.compile(r"([\w.]+)=([^=&;()]*)", re.A)
_PARAMETERS = _words(
    "allowpublickeyretrieval applicationname autoreconnect cachepreparedstatements cacheprepstmts "
    "characterencoding connectioncollation connectiontimezone connecttimeout currentschema database databasename "
    "defaultfetchsize encrypt forceconnectiontimezonetosession logintimeout nullcatalogmeanscurrent password "
    "preserveinstants prepstmtcachesize prepstmtcachesqllimit rewritebatchedstatements servertimezone "
    "sockettimeout sslmode stringtype tcpkeepalive tinyint1isbit transformedbitisboolean trustservercertificate "
    "useaffectedrows usecompression usecursorfetch useinformationschema user username useserverprepstmts usessl "
    "useunicode verifyservercertificate yearisdatetype zerodatetimebehavior"
)
_DEBEZIUM = _words(
    "bigint.unsigned.handling.mode binary.handling.mode connect.timeout.ms decimal.handling.mode "
    "event.processing.failure.handling.mode heartbeat.interval.ms inconsistent.schema.handling.mode "
    "max.batch.size max.queue.size min.row.count.to.stream.results poll.interval.ms snapshot.fetch.size "
    "snapshot.locking.mode time.precision.mode tombstones.on.delete"
)
_CLASSES = re.compile(r"class|interceptor|reporter|provider|callback|location|file|serializer", re.IGNORECASE)
_LOGIN_MODULE = re.compile(r"org\.apache\.kafka\.common\.security\.(?:plain\.Plain|scram\.Scram)LoginModule\s")
_XA = frozenset(("com.mysql.cj.jdbc.MysqlXADataSource", "org.postgresql.xa.PGXADataSource"))
_ENVIRONMENT = re.compile(
    r"job\.(?:mode|name|retry\.times|retry\.interval\.seconds)|parallelism|checkpoint\.(?:interval|timeout)"
    r"|read_limit\.(?:rows|bytes)_per_second"
)


def keys(value: Any) -> Iterator[str]:
    """Keys at any depth that SeaTunnel would read as others."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            if not _KEY.fullmatch(str(key)):
                yield f"the key {str(key)[:60]!r} has blanks or quotes in it; write it without"
            yield from keys(below)
    elif isinstance(value, list):
        for each in value:
            yield from keys(each)


def environment(env: Mapping[str, Any]) -> Iterator[str]:
    """What env may not set."""
    for key in env:
        if not _ENVIRONMENT.fullmatch(key):
            yield f"env: {key[:60]} cannot be set here"


def options(plugin: Mapping[str, Any]) -> Iterator[str]:
    """What a plug-in's options may not hold."""
    for key in ("url", "base-url"):
        if "jdbc" in str(plugin.get(key, "")).lower() or (key in plugin and _is_jdbc(plugin)):
            yield from _url(key, str(plugin[key]))
    yield from _listed("properties", plugin.get("properties"), _PARAMETERS, lower=True)
    yield from _listed("debezium", plugin.get("debezium"), _DEBEZIUM)
    if "xa_data_source_class_name" in plugin and plugin["xa_data_source_class_name"] not in _XA:
        yield f"xa_data_source_class_name must be one of {', '.join(sorted(_XA))}"
    kafka = plugin.get("kafka.config")
    if kafka is not None and not isinstance(kafka, Mapping):
        yield "kafka.config must be an object"
    for key, value in kafka.items() if isinstance(kafka, Mapping) else ():
        if _CLASSES.search(key):
            yield f"kafka.config {key[:60]} cannot be set here"
        if "jaas" in key.lower() and not _LOGIN_MODULE.match(str(value)):
            yield f"kafka.config {key[:60]} takes Kafka's PlainLoginModule and ScramLoginModule only"


def _is_jdbc(plugin: Mapping[str, Any]) -> bool:
    return str(plugin.get("plugin_name", "")).lower() in ("jdbc", "mysql-cdc")


def _url(key: str, url: str) -> Iterator[str]:
    found = _URL.fullmatch(url)
    if found is None:
        yield f"{key} must be jdbc:<database>://<host>:<port>/<name>, with parameters behind a ? if need be"
        return
    for pair in re.split(r"[&;]", (found["rest"] or "")[1:]):
        named = _PAIR.fullmatch(pair)
        if pair and (named is None or named[1].lower() not in _PARAMETERS):
            yield f"{key}: the parameter {pair.partition('=')[0][:60]} cannot be set here"


def _listed(option: str, given: Any, known: frozenset[str], *, lower: bool = False) -> Iterator[str]:
    """What is set in a map of which only these keys are harmless."""
    if given is None:
        return
    if not isinstance(given, Mapping):
        yield f"{option} must be an object"
        return
    for key in _flat(given):
        if (key.lower() if lower else key) not in known:
            yield f"{option}: {key[:60]} cannot be set here"


def _flat(given: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for key, value in given.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}"
