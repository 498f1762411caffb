"""Code too long for a row: it is where it was put, and goes with what a crash cut short."""

from __future__ import annotations

from pathlib import Path

from commons.storage import Storage
from protocol import layout
from services.entrance import long_code
from services.entrance.intake import JobRequest


async def test_short_code_is_in_the_row_and_long_code_in_its_file(tmp_path: Path) -> None:
    storage = Storage(f"file://{tmp_path}")
    storage.write(layout.code_to_run("job"), b"long")
    for code, expected in (("short", "short"), ("", "long")):
        assert await long_code.code_of("job", JobRequest(code, "sql", "flink", "1", {}), storage) == expected


async def test_a_file_goes_with_what_a_crash_cut_short_and_twice_is_once(tmp_path: Path) -> None:
    storage = Storage(f"file://{tmp_path}")
    storage.write(layout.code_to_run("job"), b"x")
    (tmp_path / f"{layout.code_to_run('job')}.part").write_bytes(b"PASSW")
    for _ in range(2):
        await long_code.drop("job", storage)
    assert list((tmp_path / layout.CODE_TO_RUN).iterdir()) == []
