"""The kinds of engines whose files can be fetched: the folders here that have a module `files`."""

from __future__ import annotations

import pkgutil
from collections.abc import Collection
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, cast

from services import engineconn
from services.engineconn.jars import Jar
from services.engineconn.provisioning import Package


class KindOfFiles(Protocol):
    """What the module `files` of a kind offers.

    Each of them runs on `java.package`, and has a setting HEADGATE_<KIND>_HOME for a distribution of one's own.
    """

    def packages(self, engines_home: Path) -> list[Package]:
        """Every version that can be fetched."""

    def to_add(self, version: str) -> dict[str, Jar]:
        """What can be added to a version by name."""

    def shipped(self, version: str) -> Collection[str]:
        """The artifacts that a version has anyway, so that adding them would give two."""

    def plugins(self, version: str, name: str, file: Path) -> tuple[str, ...]:
        """What a jar is a connector of, empty when nothing needs to be known of it. Raises Invalid if it is needed."""


def with_files() -> dict[str, KindOfFiles]:
    """By the kind's name."""
    folders = [module.name for module in pkgutil.iter_modules(engineconn.__path__) if module.ispkg]
    modules = {kind: f"{engineconn.__name__}.{kind}.files" for kind in folders}
    return {kind: cast(KindOfFiles, import_module(name)) for kind, name in modules.items() if find_spec(name)}
