"""Metrics as they are scraped."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from commons.process.telemetry import Scrape


class Scraped:
    """One scrape."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def named(self, name: str, **labels: str) -> Iterator[Sample]:
        """Samples of `headgate_<name>` with at least these labels."""
        for sample in self.samples:
            if sample.name == f"headgate_{name}" and labels.items() <= sample.labels.items():
                yield sample

    def __call__(self, name: str, **labels: str) -> float:
        """Their sum; 0 when there are none."""
        return sum(sample.value for sample in self.named(name, **labels))


def scrape(url: str) -> Scraped:
    """What the service at `url` tells who has not logged in."""
    with urllib.request.urlopen(f"{url}/metrics") as reply:
        return Scraped(reply.read().decode())


async def here() -> Scraped:
    """What this very process counts."""
    return Scraped((await Scrape({}).text(""))[0].decode())
