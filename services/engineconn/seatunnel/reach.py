"""Which files a job may read and write. Pure but for looking at links.

Only plug-ins of local files name paths; SeaTunnel reads and writes them with the rights of the service.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

_LOCAL = ("localfile",)
_PATHS = ("path", "tmp_path", "file_path")
_TABLES = ("tables_configs",)
_SCHEME = re.compile(r"[A-Za-z][\w+.-]*:")


class Reach:
    """`workspace` is where relative paths lie; `folders` are those beside it that the administrator allows."""

    def __init__(self, workspace: Path, folders: str) -> None:
        """`folders` with commas between them, as HEADGATE_SEATUNNEL_PATHS gives them."""
        names = [name.strip() for name in folders.split(",") if name.strip()]
        self._workspace = workspace
        self._allowed: Sequence[Path] = [workspace, *(Path(name).expanduser() for name in names)]

    def faults(self, plugin: Mapping[str, Any]) -> list[str]:
        """The paths of a plug-in's options that it may not use."""
        if str(plugin.get("plugin_name", "")).lower() not in _LOCAL:
            return []
        return [*_names(plugin), *(
            f"{key} {str(value)[:200]} is outside of the workspace; the administrator may allow its folder: "
            "HEADGATE_SEATUNNEL_PATHS"
            for key, value in _paths(plugin)
            if not self._holds(str(value))
        )]  # fmt: skip

    def _holds(self, value: str) -> bool:
        path = value.removeprefix("file://") if value.startswith("file:///") else value.removeprefix("file:")
        if "${" in path or _SCHEME.match(path) or path != path.strip():  # filled in later, or read as something else
            return False
        both = {path, unquote(path)}
        return all(self._inside((self._workspace / one).resolve()) for one in both)

    def _inside(self, path: Path) -> bool:
        return any(path.is_relative_to(folder.resolve()) for folder in self._allowed)


def _paths(plugin: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key in _PATHS:
        if key in plugin:
            yield key, plugin[key]
    for key in _TABLES:
        tables = plugin.get(key)
        for table in tables if isinstance(tables, list) else ():
            if isinstance(table, dict):
                yield from _paths(table)


def _names(plugin: Mapping[str, Any]) -> Iterator[str]:
    """Options from which names of files come to be, and that could lead out of the folder."""
    for key in _TABLES:
        tables = plugin.get(key)
        if tables is not None and not (isinstance(tables, list) and all(isinstance(table, dict) for table in tables)):
            yield f"{key} must be a list of objects"
        for table in tables if isinstance(tables, list) else ():
            if isinstance(table, dict):
                yield from _names(table)
    name = str(plugin.get("file_name_expression", ""))
    if "/" in name or "\\" in name or ".." in name:
        yield "file_name_expression names a file, not a path: leave / and .. out"
    if str(plugin.get("have_partition", "false")).lower() != "false":
        yield "have_partition is not offered: values of rows would name folders; write a sink for each"
