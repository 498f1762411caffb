"""The engines that the contract of the seam is tested with: each, and the code that makes it behave in each way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from protocol.flink.deployment import Deployment
from services.engineconn.engine import Engine
from services.engineconn.flink import engine as flink
from services.engineconn.seatunnel import engine as seatunnel
from services.engineconn.shell import engine as shell
from tests.support import fake_engine


@dataclass(frozen=True)
class Kind:
    """One implementation, and the code that makes it behave in each way."""

    name: str
    create: Callable[[], Engine]
    result: str
    rows: list[dict[str, object]]
    """What `result` gives."""
    empty: str
    fails: str
    reason: str
    endless: str
    cannot_open: Callable[[Path], Mapping[str, str]]
    """Makes opening in a folder impossible, by the settings it gives or by what it does there."""
    version: str = "1"
    nothing: list[dict[str, object]] = field(default_factory=list)
    """What `empty` gives."""
    says: bool = True
    """Whether opening takes long enough to tell of."""
    processes: int = 1
    """Whose deaths, each alone, are the engine's."""
    labels: Mapping[str, str] = field(default_factory=dict)


def _a_file_in_the_way(folder: Path) -> Mapping[str, str]:
    (folder / "workspace").write_text("a workspace cannot be here")
    return {}


ZETA = """env {{ job.mode = {mode} }}
    source {{ FakeSource {{ result_table_name = t, row.num = {rows}, {more} schema {{ fields {{ id = bigint }} }} }} }}
    transform {{ Sql {{ source_table_name = t, result_table_name = u, query = "select {column} from t" }} }}
    sink {{ Console {{ source_table_name = u }} }}"""

FLINK = Kind(
    name="flink",
    create=flink.create,
    result="SET 'execution.runtime-mode' = 'batch'; SELECT 1 AS id, 'x' AS name",
    rows=[{"id": 1, "name": "x"}],
    empty="SHOW TABLES",
    fails="SET 'execution.runtime-mode' = 'batch'; SELECT CAST(x AS INT) FROM (VALUES ('no')) AS t(x)",
    reason="'no'",
    endless="""CREATE TABLE g (id INT) WITH ('connector'='datagen', 'rows-per-second'='5');
        CREATE TABLE b (id INT) WITH ('connector'='blackhole');
        INSERT INTO b SELECT * FROM g""",
    cannot_open=lambda folder: {"flink_home": str(folder / "nothing-here")},
    version="1.20.5",
)

KINDS = [
    Kind(
        name="fake",
        create=fake_engine.create,
        result="log INFO begin\nprogress 0.5\nrows 2\nprogress 1\nstatement\nlog INFO end",
        rows=[{"id": 0, "name": "name 0"}, {"id": 1, "name": "name 1"}],
        empty="empty",
        fails="progress 0.5\nfail no such table",
        reason="no such table",
        endless="log INFO begin\nprogress 0.1\nsleep 600",
        cannot_open=lambda folder: {"open": "log INFO half way\nfail no licence"},
    ),
    Kind(
        name="shell",
        create=shell.create,
        result="echo one; echo oops >&2; echo two",
        rows=[{"line": "one"}, {"line": "two"}],
        empty="true",
        fails="echo why >&2; exit 3",
        reason="exit code 3: why",
        endless="echo begin; sleep 600",
        cannot_open=_a_file_in_the_way,
        says=False,
        processes=0,
    ),
    FLINK,
    replace(FLINK, name="flink-session", labels=Deployment("session", 256, 320, 2, 1).labels()),
    Kind(
        name="seatunnel",
        create=seatunnel.create,
        result=ZETA.format(mode="BATCH", rows=2, more="", column="id"),
        rows=[{"table": "t", "rows_read": 2, "rows_written": 2, "bytes_read": 16, "bytes_written": 16}],
        empty=ZETA.format(mode="BATCH", rows=2, more="rows = [],", column="id"),
        nothing=[{"table": "t", "rows_read": 0, "rows_written": 0, "bytes_read": 0, "bytes_written": 0}],
        fails=ZETA.format(mode="BATCH", rows=2, more="", column="nocol"),
        reason="nocol",
        endless=ZETA.format(mode="STREAMING", rows=50, more="split.num = 50, split.read-interval = 1000,", column="id"),
        cannot_open=lambda folder: {"seatunnel_home": str(folder / "nothing-here")},
        version="2.3.8",
    ),
]
