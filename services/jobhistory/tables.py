"""The history's tables: Linkis' two, column by column, and what stands beside them."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Index, Integer, String, Table, Text, UniqueConstraint, func
from sqlalchemy.dialects import mysql

from commons.database.connections import METADATA, BigId, MilliTime

_Now = func.current_timestamp(type_=DateTime)
_Long = BigId.with_variant(mysql.BIGINT(20), "mysql", "mariadb")
_LongText = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
_Int4 = Integer().with_variant(mysql.INTEGER(4), "mysql", "mariadb")

GROUP = Table(
    "linkis_ps_job_history_group_history",
    METADATA,
    Column("id", _Long, primary_key=True, autoincrement=True, comment="Primary Key, auto increment"),
    Column("job_req_id", String(64), comment="job execId"),
    Column("submit_user", String(50), comment="who submitted this Job"),
    Column("execute_user", String(50), comment="who actually executed this Job"),
    Column("source", Text, comment="job source"),
    Column("labels", Text, comment="job labels"),
    Column("params", Text, comment="job params"),
    Column("progress", String(32), comment="Job execution progress"),
    Column(
        "status",
        String(50),
        comment="Script execution status, must be one of the following: "
        "Inited, WaitForRetry, Scheduled, Running, Succeed, Failed, Cancelled, Timeout",
    ),
    Column("log_path", String(200), comment="File path of the job log"),
    Column("error_code", Integer, comment="Error code. Generated when the execution of the script fails"),
    Column("error_desc", String(1000), comment="Execution description. Generated when the execution of script fails"),
    Column("created_time", MilliTime, server_default=_Now, comment="Creation time"),
    Column("updated_time", MilliTime, server_default=_Now, comment="Update time"),
    Column("instances", String(250), comment="Entrance instances"),
    Column("metrics", Text, comment="Job Metrics"),
    Column("engine_type", String(32), comment="Engine type"),
    Column("execution_code", Text, comment="Job origin code or code path"),
    Column("result_location", String(500), comment="File path of the resultsets"),
    Column("observe_info", String(500), comment="The notification information configuration of this job"),
    Index("idx_created_time", "created_time"),
    Index("idx_submit_user", "submit_user"),
    UniqueConstraint("job_req_id", name="uniq_job_req_id"),
    sqlite_autoincrement=True,
)

DETAIL = Table(
    "linkis_ps_job_history_detail",
    METADATA,
    Column("id", _Long, primary_key=True, autoincrement=True, comment="Primary Key, auto increment"),
    Column("job_history_id", _Long, nullable=False, comment="ID of JobHistory"),
    Column("result_location", String(500), comment="File path of the resultsets"),
    Column("execution_content", Text, comment="The script code or other execution content executed by this Job"),
    Column("result_array_size", _Int4, server_default="0", comment="size of result array"),
    Column("job_group_info", Text, comment="Job group info/path"),
    Column("created_time", MilliTime, server_default=_Now, comment="Creation time"),
    Column("updated_time", MilliTime, server_default=_Now, comment="Update time"),
    Column("status", String(32), comment="status"),
    Column("priority", _Int4, server_default="0", comment="order of subjob"),
    Index("idx_job_history_id", "job_history_id"),
    sqlite_autoincrement=True,
)

LIVE = Table(
    "headgate_job_live",
    METADATA,
    Column("job_id", BigId, primary_key=True, autoincrement=False),
    Column("short_id", String(64), nullable=False),
    Column("instance", String(250), nullable=False, index=True),
    Column("epoch", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("wanted", String(10), nullable=False, comment="run, cancel or timeout"),
    Column("wanted_by", String(50), nullable=False),
    Column("request", _LongText, nullable=False, comment="all that running the job needs, its secrets too (JSON)"),
    Column("events_seen", Integer, nullable=False),
    Column("engine_id", String(32), nullable=False),
    Column("node", String(250), nullable=False),
    Column("ecm_address", String(250), nullable=False),
    Column("user", String(20), nullable=False),
    Column("creator", String(20), nullable=False),
    Index("idx_headgate_job_live_waiting", "user", "creator", "engine_id"),
    comment="one row for each job that has not ended",
)

EVENT = Table(
    "headgate_job_event",
    METADATA,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("job_id", BigId, nullable=False, index=True),
    Column("at", MilliTime, nullable=False),
    Column("from_status", String(50), nullable=False),
    Column("to_status", String(50), nullable=False),
    Column("by", String(50), nullable=False),
    Column("why", String(1000), nullable=False),
    comment="a job's story: its transitions, and what happened between them",
)

SAVEPOINT = Table(
    "headgate_job_savepoint",
    METADATA,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("job_id", BigId, nullable=False, index=True),
    Column("statement", Integer, nullable=False),
    Column("kind", String(20), nullable=False, comment="savepoint, suspend or checkpoint"),
    Column("path", String(1000), nullable=False, comment="as the engine names it"),
    Column("made_at", MilliTime, nullable=False),
    Column("ecm_address", String(250), nullable=False, comment="of the node where it lies"),
    Column("resumed_by", BigId, comment="the job that goes, or went, on from it last"),
    Column("disposed_at", MilliTime),
    comment="states of jobs that others may go on from",
)

FILES = Table(
    "headgate_job_files",
    METADATA,
    Column("job_id", BigId, primary_key=True, autoincrement=False),
    Column("ended_at", MilliTime, nullable=False),
    Column("bytes", BigId, comment="null: not measured"),
    Column("state", String(10), nullable=False, comment="kept, removing or removed"),
    Column("removed_at", MilliTime, comment="when it became removing: from then on nobody begins to read them"),
    Column("why", String(200), nullable=False, comment="what who asks for them is told"),
    Index("idx_headgate_job_files_state", "state", "ended_at"),
    comment="one row for each ended job: are its log and results still there",
)

INSTANCE = Table(
    "headgate_instance",
    METADATA,
    Column("name", String(250), primary_key=True),
    Column("incarnation", String(32), nullable=False),
    Column("renewed_at", MilliTime, nullable=False),
    comment="entrance instances and their leases",
)
