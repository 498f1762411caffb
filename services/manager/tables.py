"""The manager's tables: nodes, engines, and the requests that wait for them or hold them."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text

from commons.database.connections import METADATA, BigId, MilliTime

NODE = Table(
    "headgate_node",
    METADATA,
    Column("name", String(250), primary_key=True),
    Column("incarnation", String(32), nullable=False),
    Column("ecm_address", String(250), nullable=False),
    Column("cores", Float, nullable=False),
    Column("memory", BigId, nullable=False),
    Column("status", String(20), nullable=False),
    Column("heartbeat_at", MilliTime, nullable=False),
    comment="machines with an ECM",
)

ENGINE = Table(
    "headgate_engine",
    METADATA,
    Column("engine_id", String(32), primary_key=True),
    Column("node", String(250), nullable=False),
    Column("user", String(20), nullable=False),
    Column("creator", String(20), nullable=False),
    Column("labels", Text, nullable=False, comment="JSON, keys sorted: equal texts mean an interchangeable engine"),
    Column("cores", Float, nullable=False),
    Column("memory", BigId, nullable=False),
    Column("status", String(20), nullable=False, comment="Starting, Ready, Ended"),
    Column("wanted", String(10), nullable=False, comment="alive or stopped"),
    Column("asked_at", MilliTime, comment="when the node has accepted to start it"),
    Column("job_id", BigId, comment="the job that holds it"),
    Column("attempt", Integer),
    Column("why", Text, nullable=False, comment="how far the start is, or why it ended"),
    Column("created_at", MilliTime, nullable=False),
    Column("idle_since", MilliTime),
    Column("ended_at", MilliTime),
    Column("traceparent", String(55), comment="the step of a trace that it is started for"),
    Index("idx_headgate_engine_status", "status"),
    comment="engines: wanted, starting, ready, ended",
)

REQUEST = Table(
    "headgate_engine_request",
    METADATA,
    Column("job_id", BigId, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("instance", String(250), nullable=False, index=True),
    Column("user", String(20), nullable=False),
    Column("creator", String(20), nullable=False),
    Column("labels", Text, nullable=False),
    Column("state", String(20), nullable=False, comment="WAITING, GRANTED, RELEASED"),
    Column("engine_id", String(32), comment="the one engine this attempt ever has"),
    Column("why", Text, nullable=False),
    Column("created_at", MilliTime, nullable=False),
    Column("changed_at", MilliTime, nullable=False),
    Column("traceparent", String(55), comment="the step of a trace that asked"),
    Index("idx_headgate_engine_request_state", "state"),
    comment="the one queue: who waits for an engine, who holds one",
)
