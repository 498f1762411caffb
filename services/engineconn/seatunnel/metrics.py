"""A job's counters: rows and bytes in and out, of the whole job and of each table. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

_NAMES = {
    "rows_read": "SourceReceivedCount",
    "rows_written": "SinkWriteCount",
    "bytes_read": "SourceReceivedBytes",
    "bytes_written": "SinkWriteBytes",
}
SCHEMA = pa.schema([("table", pa.string()), *((name, pa.int64()) for name in _NAMES)])


@dataclass(frozen=True, slots=True)
class Counts:
    """What went in and out so far, by the names above."""

    whole: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(_NAMES, 0))
    tables: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, metrics: Mapping[str, Any]) -> Counts:
        """From what SeaTunnel says of a job, which may be nothing yet."""
        tables: dict[str, dict[str, int]] = {}
        for name, theirs in _NAMES.items():
            by_table = metrics.get(f"Table{theirs}")
            for table, value in by_table.items() if isinstance(by_table, dict) else ():
                tables.setdefault(str(table), dict.fromkeys(_NAMES, 0))[name] = _number(value)
        return cls({name: _number(metrics.get(theirs)) for name, theirs in _NAMES.items()}, tables)

    def __add__(self, other: Counts) -> Counts:
        """Of a job that ran in two parts: what both counted."""
        return Counts(
            _sum(self.whole, other.whole),
            {
                table: _sum(self.tables.get(table, {}), other.tables.get(table, {}))
                for table in (*self.tables, *(table for table in other.tables if table not in self.tables))
            },
        )

    def named(self) -> dict[str, int]:
        """By name; those of a table end in its name."""
        told = dict(self.whole)
        for table, counts in self.tables.items():
            told |= {f"{name}.{table}": count for name, count in counts.items()}
        return told

    def table(self) -> pa.RecordBatch:
        """A row for each table, by name."""
        names = sorted(self.tables)
        columns = [pa.array(names, pa.string())]
        columns += [pa.array([self.tables[table][name] for table in names], pa.int64()) for name in _NAMES]
        return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)

    def line(self, before: Counts | None = None, seconds: float = 0.0) -> str:
        """For the log: what went through, and how fast since `before`."""
        read, written = self.whole["rows_read"], self.whole["rows_written"]
        told = f"{_rows(read)} read ({_size(self.whole['bytes_read'])}), "
        told += f"{_rows(written)} written ({_size(self.whole['bytes_written'])})"
        if before is None or seconds <= 0:
            return told
        fast = [(now - then) / seconds for now, then in
                ((read, before.whole["rows_read"]), (written, before.whole["rows_written"]))]  # fmt: skip
        return f"{told}; {fast[0]:.1f} rows/s in, {fast[1]:.1f} rows/s out"


def total_rows(config: Mapping[str, Any]) -> int | None:
    """How many rows a job will read, where that is known before: only made-up data says."""
    if str(config["env"].get("job.mode", "BATCH")).upper() != "BATCH":
        return None
    total = 0
    for source in config["source"]:
        if str(source["plugin_name"]).lower() != "fakesource" or {"rows", "tables_configs"} & source.keys():
            return None
        readers = source.get("parallelism", config["env"].get("parallelism", 1))
        total += _number(source.get("row.num", 5)) * _number(readers)
    return total


def _number(value: object) -> int:
    """SeaTunnel's numbers are texts."""
    try:
        return int(float(str(value)))
    except (ValueError, OverflowError):
        return 0


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in _NAMES}


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _size(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError
