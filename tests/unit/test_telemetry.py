"""Scrapes that must not fail nor wait, what is counted of transactions, and traces that pass through."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from commons.database.connections import Database
from commons.database.marks import after_commit
from commons.process import telemetry
from tests.support.metrics import Scraped

GAUGE = telemetry.Declared("headgate_rows", "gauge", ("source",), "rows")
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Source:
    """Tells how often it was read, after `seconds`, or fails."""

    def __init__(self, seconds: float = 0.0, fault: Exception | None = None) -> None:
        self.seconds, self.fault, self.reads = seconds, fault, 0

    async def read(self) -> list[telemetry.Value]:
        self.reads += 1
        await asyncio.sleep(self.seconds)
        if self.fault is not None:
            raise self.fault
        return [(GAUGE, ("one",), self.reads)]


async def scraped(scrape: telemetry.Scrape) -> Scraped:
    return Scraped((await scrape.text(""))[0].decode())


async def test_many_scrapes_read_the_rows_once(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source()
    scrape = telemetry.Scrape({"rows": source.read})
    answers = await asyncio.gather(*(scraped(scrape) for _ in range(20)))
    assert [answer("rows", source="one") for answer in answers] == [1] * 20
    monkeypatch.setattr(telemetry, "FRESH_SECONDS", 0.0)
    assert (await scraped(scrape))("rows") == 2


async def test_a_source_that_fails_takes_out_what_it_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "FRESH_SECONDS", 0.0)
    source = Source()
    scrape = telemetry.Scrape({"rows": source.read, "other": Source().read})
    assert (await scraped(scrape))("reading_up", source="rows") == 1
    source.fault = OSError("no database")
    for _ in range(2):
        down = await scraped(scrape)
        assert (down("reading_up", source="rows"), down("reading_up", source="other")) == (0, 1)
        assert len(list(down.named("rows"))) == 1
    source.fault = None
    assert len(list((await scraped(scrape)).named("rows"))) == 2


async def test_a_source_that_hangs_is_not_waited_for_nor_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(telemetry, "READ_SECONDS", 0.05)
    source = Source(seconds=0.5)
    scrape = telemetry.Scrape({"rows": source.read})
    began = time.monotonic()
    for _ in range(3):
        assert (await scraped(scrape))("reading_up", source="rows") == 0
    assert time.monotonic() - began < 0.5
    until = time.monotonic() + 10
    while (late := await scraped(scrape))("reading_up", source="rows") == 0:
        assert time.monotonic() < until
    assert (late("rows"), source.reads) == (1, 1)


async def test_what_is_rolled_back_is_not_counted(tmp_path: Path) -> None:
    db = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/test.db")
    done: list[str] = []
    with pytest.raises(ValueError, match="no"):
        async with db.write():
            after_commit(lambda: done.append("rolled back"))
            raise ValueError("no")
    async with db.write():
        after_commit(lambda: done.append("committed"))
        assert done == []
    after_commit(lambda: done.append("outside"))
    assert done == ["committed", "outside"]
    await db.close()


def test_without_a_collector_the_clients_place_passes_through() -> None:
    assert (telemetry.traceparent(), telemetry.trace_id()) == ("", "")
    with telemetry.continued(PARENT):
        with telemetry.step("work") as step:
            assert step.traceparent == telemetry.traceparent() == PARENT
            assert telemetry.trace_id() == "0af7651916cd43dd8448eb211c80319c"
        with telemetry.continued(""):
            assert telemetry.traceparent() == ""
    assert telemetry.traceparent() == ""


@pytest.mark.parametrize("text", ["", "x", "00-0-0-0", PARENT[:-1], f"ff{PARENT[2:]}", f"00-{'0' * 32}{PARENT[35:]}"])
def test_a_bad_place_is_none(text: str) -> None:
    with telemetry.continued(text), telemetry.step("work"):
        assert telemetry.traceparent() == ""
