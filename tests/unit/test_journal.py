"""What a task leaves on disk: numbered events, a log whose lines can be counted, result sets in whole parts."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest
from google.protobuf.json_format import Parse

from commons.process.masking import Secrets
from protocol import layout
from protocol.engineconn.v1 import engineconn_pb2 as pb
from services.engineconn import journal as journals
from services.engineconn import results as result_sets
from services.engineconn.journal import Journal
from services.engineconn.results import ResultWriter

LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (INFO|WARN|ERROR) (.*)$")
SCHEMA = pa.schema([("id", pa.int64())])


class Clock:
    """Monotonic time, turned by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    turned = Clock()
    monkeypatch.setattr(journals, "time", turned)
    monkeypatch.setattr(result_sets, "time", turned)
    return turned


def events(folder: Path) -> list[pb.TaskEvent]:
    return [Parse(line, pb.TaskEvent()) for line in (folder / layout.EVENTS).read_text().splitlines()]


def lines(folder: Path) -> list[str]:
    return (folder / layout.LOG).read_bytes().decode().removesuffix("\n").split("\n")


def texts(folder: Path) -> list[str]:
    found = [LINE.match(line) for line in lines(folder)]
    return [match[2] if match else "no line of a log" for match in found]


def progress(fraction: float) -> pb.TaskEvent:
    return pb.TaskEvent(progress=pb.Progress(fraction=fraction))


def test_events_are_numbered_without_gaps_and_readable_at_once(tmp_path: Path, clock: Clock) -> None:
    with Journal(tmp_path) as journal:
        for step in range(5):
            journal.line("INFO", f"step {step}")
            journal.event(progress(step / 5))
            assert [event.number for event in events(tmp_path)] == list(range(1, 2 * step + 3))
    assert all(event.at_ms > 0 for event in events(tmp_path))


def test_lines_are_told_before_the_event_that_follows_them(tmp_path: Path, clock: Clock) -> None:
    with Journal(tmp_path) as journal:
        journal.line("INFO", "one")
        journal.line("INFO", "two")
        assert events(tmp_path) == []
        journal.event(progress(0.5))
        told, followed = events(tmp_path)
        assert told.log_up_to.lines == 2 == len(lines(tmp_path)) and followed.progress.fraction == 0.5
        journal.event(progress(0.6))
        assert len(events(tmp_path)) == 3, "no new line, so nothing to tell"


def test_lines_are_told_by_number_and_by_time(tmp_path: Path, clock: Clock) -> None:
    with Journal(tmp_path) as journal:
        for number in range(journals.LOG_UP_TO_LINES):
            journal.line("INFO", f"line {number}")
        assert [event.log_up_to.lines for event in events(tmp_path)] == [journals.LOG_UP_TO_LINES]
        journal.line("INFO", "one more")
        assert len(events(tmp_path)) == 1
        clock.now += journals.LOG_UP_TO_SECONDS
        journal.line("INFO", "later")
        assert events(tmp_path)[-1].log_up_to.lines == journals.LOG_UP_TO_LINES + 2 == len(lines(tmp_path))


def test_each_line_has_time_and_level(tmp_path: Path, clock: Clock) -> None:
    with Journal(tmp_path) as journal:
        journal.line("WARN", "first\nsecond\r\n\tthird", at_ms=1_700_000_000_007)
        journal.line("INFO", "now")
    assert texts(tmp_path) == ["first", "second", "\tthird", "now"]
    assert [LINE.match(line)[1] for line in lines(tmp_path)] == ["WARN"] * 3 + ["INFO"]  # type: ignore[index]
    assert all(line.partition(" WARN")[0].endswith(":20.007") for line in lines(tmp_path)[:3])


@pytest.mark.parametrize("nasty", ["\r", "\x00", "\x1b", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\ud800"])
def test_no_character_breaks_a_line_or_the_file(tmp_path: Path, clock: Clock, nasty: str) -> None:
    with Journal(tmp_path) as journal:
        journal.line("INFO", f"a{nasty}b")
        journal.event(progress(1.0))
    (text,) = texts(tmp_path)
    assert re.fullmatch("a.b", text) and nasty not in text
    assert lines(tmp_path) == (tmp_path / layout.LOG).read_text().splitlines()
    assert events(tmp_path)[0].log_up_to.lines == 1


def test_an_over_long_line_is_cut_and_says_so(tmp_path: Path, clock: Clock) -> None:
    with Journal(tmp_path) as journal:
        journal.line("INFO", "x" * (3 * journals.LONGEST_LINE))
        journal.line("INFO", "next")
    long, following = lines(tmp_path)
    assert journals.LONGEST_LINE <= len(long) < journals.LONGEST_LINE + 20 and long.endswith("x … (cut)")
    assert following.endswith(" INFO next")


def test_the_story_comes_first_as_it_was_told_and_counts(tmp_path: Path, clock: Clock) -> None:
    story = ["2026-01-01 10:00:00.001 INFO submitted", "2026-01-01 10:00:01.002 INFO a name\nin two lines"]
    with Journal(tmp_path) as journal:
        journal.story(story)
        journal.line("INFO", "begin")
        journal.tell_lines()
    assert lines(tmp_path)[0] == story[0] and len(lines(tmp_path)) == 3
    assert events(tmp_path)[-1].log_up_to.lines == 3, "a line break in the story must not shift what is counted"


def test_a_tasks_secrets_are_in_no_line_and_no_event(tmp_path: Path, clock: Clock) -> None:
    secret = "hunter2!hunter2!"
    with Journal(tmp_path, Secrets.of({"password": secret})) as journal:
        journal.story([f"2026-01-01 10:00:00.001 INFO refused {secret}"])
        journal.line("ERROR", "x" * (journals.LONGEST_LINE - 60) + secret * 5)
        journal.line("INFO", "jdbc://u:other@h")
        journal.event(pb.TaskEvent(statement_started=pb.StatementStarted(text=f"SELECT '{secret}', 'password'='p'")))
        vertex = pb.Vertex(name=f"Calc(select=['{secret}'])")
        journal.event(pb.TaskEvent(progress=pb.Progress(fraction=0.5, vertices=[vertex])))
        journal.event(pb.TaskEvent(ended=pb.Ended(status="Failed", message=f"{secret} is wrong")))
    written = (tmp_path / layout.LOG).read_text() + (tmp_path / layout.EVENTS).read_text()
    assert "hunter" not in written, "nor a part of it, where a line is cut"
    for shown in ("refused ***", "jdbc://u:***@h", "'password'='***'", "['***']", "*** is wrong"):
        assert shown in written.replace("\\u0027", "'")


def batch(count: int) -> pa.RecordBatch:
    return pa.record_batch([pa.array(range(count), pa.int64())], schema=SCHEMA)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.arrow"))


def read(folder: Path) -> list[int]:
    parts = sorted(folder.glob("part-*.arrow"))
    return [row["id"] for part in parts for row in pa.ipc.open_file(str(part)).read_all().to_pylist()]


def test_an_empty_set_has_a_schema_and_no_part(tmp_path: Path, clock: Clock) -> None:
    writer = ResultWriter(tmp_path)
    assert (writer.open(SCHEMA), writer.open(SCHEMA)) == (0, 1)
    writer.close()
    assert names(tmp_path) == ["0/schema.arrow", "1/schema.arrow"] and writer.count == 2
    assert pa.ipc.open_stream(str(tmp_path / "0" / layout.SCHEMA)).schema.equals(SCHEMA, check_metadata=True)


def test_a_part_has_its_name_only_when_it_is_whole(tmp_path: Path, clock: Clock) -> None:
    writer = ResultWriter(tmp_path)
    writer.open(SCHEMA)
    writer.write(batch(3))
    assert names(tmp_path) == ["0/schema.arrow"]
    writer.close()
    assert names(tmp_path) == [f"0/{layout.part_name(0)}", "0/schema.arrow"] and read(tmp_path / "0") == [0, 1, 2]


def test_a_part_is_closed_by_size(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_sets, "PART_BYTES", 2 * batch(100).nbytes)
    writer = ResultWriter(tmp_path)
    writer.open(SCHEMA)
    for expected in (0, 1, 1, 2, 2):
        writer.write(batch(100))
        assert len(list((tmp_path / "0").glob("part-*"))) == expected
    writer.close()
    assert read(tmp_path / "0") == 5 * list(range(100))


def test_a_part_is_named_after_its_first_row(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_sets, "PART_BYTES", 2 * batch(100).nbytes)
    writer = ResultWriter(tmp_path)
    for number in (0, 1):
        writer.open(SCHEMA)
        for count in (0, 50, 150, 0, 200, 0, 7):
            writer.write(batch(count))
        writer.close()
        found = [layout.first_row(path.name) for path in sorted((tmp_path / str(number)).glob("part-*"))]
        assert found == [0, 200, 400]
    assert layout.first_row(layout.SCHEMA) is None


def test_a_part_is_closed_by_time(tmp_path: Path, clock: Clock) -> None:
    writer = ResultWriter(tmp_path)
    writer.open(SCHEMA)
    writer.close_if_due()
    writer.write(batch(1))
    clock.now += result_sets.PART_SECONDS - 0.1
    writer.close_if_due()
    assert names(tmp_path) == ["0/schema.arrow"]
    clock.now += 0.1
    writer.close_if_due()
    assert f"0/{layout.part_name(0)}" in names(tmp_path)
    writer.write(batch(1))
    writer.close_if_due()
    assert f"0/{layout.part_name(1)}" not in names(tmp_path), "its time counts from its own first row"


def test_the_next_set_closes_the_one_before(tmp_path: Path, clock: Clock) -> None:
    writer = ResultWriter(tmp_path)
    writer.open(SCHEMA)
    writer.write(batch(2))
    assert writer.open(SCHEMA) == 1
    writer.write(batch(1))
    writer.close()
    assert (read(tmp_path / "0"), read(tmp_path / "1")) == ([0, 1], [0])


def test_rows_without_a_set_are_refused(tmp_path: Path, clock: Clock) -> None:
    with pytest.raises(ValueError, match="before their result set"):
        ResultWriter(tmp_path).write(batch(1))
