# ruff: noqa: E501
"""What holds for the tree as a whole."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from commons.process.errors import KINDS, TooLarge
from commons.process.settings import Settings
from commons.process.telemetry import DECLARED
from protocol import codes
from services import __main__ as _all_services  # noqa: F401  # what it imports declares the metrics
from services import schema
from services.entrance import reference
from services.entrance.api import bodies

ROOT = Path(__file__).parent.parent.parent
FILES = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()

HOMES = {
    "grpc": ("commons/calls/rpc.py", "*/rpc.py", "protocol/*"),
    "fastapi": ("services/entrance/api/*", "services/entrance/serving.py"),
    "starlette": ("services/entrance/api/*",),
    "sqlalchemy": ("commons/database/*", "*/tables.py", "*/store*.py", "services/schema.py"),
    "aiohttp": ("commons/calls/http.py", "services/engineconn/flink/rest.py", "services/engineconn/seatunnel/rest.py"),
    "pyarrow": ("commons/storage.py", "services/engineconn/*", "services/entrance/results.py", "services/entrance/rendering.py"),
    "py4j": ("services/engineconn/flink/*",),
    "psutil": ("services/ecm/*", "services/tools/machine.py"),
    "tenacity": ("commons/calls/*", "commons/database/*"),
    "opentelemetry": ("commons/process/telemetry.py",),
    "prometheus_client": ("commons/process/telemetry.py",),
}  # fmt: skip


@pytest.mark.parametrize("library", HOMES)
def test_each_library_has_its_home(library: str) -> None:
    pattern = re.compile(rf"^\s*(?:from|import) {library}\b", re.M)
    code = [f for f in FILES if f.endswith(".py") and f.split("/")[0] in ("services", "protocol", "commons")]
    strays = [
        f
        for f in code
        if pattern.search((ROOT / f).read_text()) and not any(Path(f).match(h) or _under(f, h) for h in HOMES[library])
    ]
    assert strays == []


def _under(file: str, home: str) -> bool:
    return home.endswith("/*") and file.startswith(home[:-1])


def test_no_file_holds_two_ideas() -> None:
    long = [
        f for f in FILES if f.endswith(".py") and "_pb2" not in f and len((ROOT / f).read_text().splitlines()) > 400
    ]
    assert long == []


def test_the_lock_names_no_host() -> None:
    assert not re.search(r"https?://", (ROOT / "requirements.lock").read_text())


def test_generated_code_is_current() -> None:
    subprocess.run([sys.executable, "-P", str(ROOT / "protocol" / "generate.py"), "--check"], check=True)


@pytest.mark.parametrize("dialect", ["sqlite", "mysql"])
def test_the_sql_files_are_the_tables(dialect: str) -> None:
    assert (ROOT / "sql" / dialect / "schema.sql").read_text() == schema.ddl(dialect)


def test_the_rest_reference_is_what_the_routes_say() -> None:
    assert reference.FILE.read_text() == reference.markdown(), "out of date, run 'make docs'"


STATUSES = {kind.__name__: kind.http_status for kind in (*KINDS.values(), TooLarge, bodies.TooSlow, bodies.WrongType)}
ANSWERING = [f for f in FILES if f.startswith(("services/entrance/", "services/jobhistory/")) and f.endswith(".py")]


def test_codes_say_under_which_http_status_they_are_met() -> None:
    said = {code: where.split(", ") for code, where, _ in reference.meanings()}
    raised = {
        (getattr(codes, str(name)), str(STATUSES[str(kind)]))
        for f in ANSWERING
        for kind, name in re.findall(r"\b(\w+)\(\s*codes\.(\w+)", (ROOT / f).read_text())
        if kind in STATUSES
    }
    inside = {code for code, where in said.items() if where[0] in ("inside", "start")}
    routes = {(codes.ROUTE_UNKNOWN, "400")}  # carries the web framework's own status
    assert [(code, status) for code, status in raised - routes if code not in inside and status not in said[code]] == []


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    field = Settings.model_fields[name]
    default = "" if field.default == "" else f"`{field.default}`"
    line = f"| `HEADGATE_{name.upper()}` | {default} | {field.description} |"
    assert line in (ROOT / "docs" / "settings.md").read_text().splitlines()


METRICS = (ROOT / "docs" / "metrics.md").read_text()
LABELS = {
    "code", "folder", "kind", "method", "node", "outcome", "by", "python", "reason", "route", "source", "status", "version",
}  # fmt: skip


@pytest.mark.parametrize("name", DECLARED)
def test_every_metric_is_documented(name: str) -> None:
    metric = DECLARED[name]
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    told = [re.split(r"\s*\|\s*", line)[1:5] for line in METRICS.splitlines() if line.startswith(f"| `{name}` |")]
    assert told == [[f"`{name}`", metric.kind, labels, metric.meaning]]


def test_every_documented_metric_exists() -> None:
    assert set(re.findall(r"^\| `(headgate_\w+)`", METRICS, re.M)) == set(DECLARED)


@pytest.mark.parametrize("name", DECLARED)
def test_a_metric_has_its_unit_and_bounded_labels(name: str) -> None:
    """Labels of which there are few values: no users, no ids, no paths."""
    metric = DECLARED[name]
    assert set(metric.labels) <= LABELS
    if metric.kind == "histogram":
        assert name.endswith(("_seconds", "_bytes", "_items"))
    assert name.endswith("_total") == (metric.kind == "counter")


LINKIS = {
    "linkis_ps_job_history_group_history": (
        "id bigint(20), job_req_id varchar(64), submit_user varchar(50), execute_user varchar(50), source text, "
        "labels text, params text, progress varchar(32), status varchar(50), log_path varchar(200), error_code integer, "
        "error_desc varchar(1000), created_time datetime(3), updated_time datetime(3), instances varchar(250), "
        "metrics text, engine_type varchar(32), execution_code text, result_location varchar(500), "
        "observe_info varchar(500)"
    ),
    "linkis_ps_job_history_detail": (
        "id bigint(20), job_history_id bigint(20), result_location varchar(500), execution_content text, "
        "result_array_size integer(4), job_group_info text, created_time datetime(3), updated_time datetime(3), "
        "status varchar(32), priority integer(4)"
    ),
    "linkis_ps_common_lock": (
        "id integer(11), lock_object varchar(255), locker varchar(255), time_out longtext, update_time datetime, "
        "create_time datetime"
    ),
}


@pytest.mark.parametrize("table", LINKIS)
def test_linkis_tables_keep_their_columns(table: str) -> None:
    text = (ROOT / "sql" / "mysql" / "schema.sql").read_text()
    body = text.partition(f"CREATE TABLE {table} (")[2].partition("\n)")[0]
    columns = re.findall(r"^\s+(\w+) ([A-Z]+(?:\(\d+\))?)", body, re.M)
    found = [f"{name} {kind.lower()}" for name, kind in columns if name not in ("PRIMARY", "UNIQUE", "CONSTRAINT")]
    assert ", ".join(found) == LINKIS[table]
