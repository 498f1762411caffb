"""Directories and result sets, as Linkis clients read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from commons.process.errors import Invalid, NotFound
from commons.storage import Entry
from protocol import codes
from services.entrance.wire.queries import number

LARGEST_PAGE, DEFAULT_PAGE = 100_000, 5_000
LARGEST_COLUMN_PAGE = 500
LONGEST_SHOWN = 300
"""Characters of a path in a message."""

Row = list[str | None]
"""A row's values as texts; None is NULL."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name and Linkis data type."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a result set."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    is_text: bool


def tree(address: str, entries: Sequence[Entry]) -> dict[str, object]:
    """A directory with its files and folders, in the order given; never null."""
    address = address.rstrip("/")
    children = [
        {
            "name": entry.name,
            "path": f"{address}/{entry.name}",
            "properties": {"size": str(entry.size), "modifytime": str(entry.modified_ms)} if entry.is_file else {},
            "children": None,
            "isLeaf": entry.is_file,
            "parentPath": address,
        }
        for entry in entries
    ]
    return {
        "name": address.rpartition("/")[2],
        "path": address,
        "properties": None,
        "children": children,
        "isLeaf": False,
        "parentPath": None,
    }


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Which columns a caller wants: all but the `masked` ones, and of these `columns` from number `first` (0: all)."""

    masked: frozenset[str] = frozenset()
    first: int = 0
    columns: int = 0

    def unmasked(self, columns: Sequence[Column]) -> list[int]:
        """The numbers of the columns that are not masked; names are told apart as in Linkis, by lower case."""
        return [number for number, column in enumerate(columns) if column.name.lower() not in self.masked]

    def kept(self, columns: Sequence[Column]) -> list[int]:
        """The numbers of the columns to show."""
        unmasked = self.unmasked(columns)
        return unmasked[self.first : self.first + self.columns] if self.columns else unmasked


def narrowing(query: Mapping[str, str]) -> Narrowing:
    """What `maskedFieldNames`, `columnPage` and `columnPageSize` ask for. Raises Invalid."""
    size = number(query, "columnPageSize", 0)
    if size > LARGEST_COLUMN_PAGE:
        what = f"columnPageSize is at most {LARGEST_COLUMN_PAGE}; read more pages"
        raise Invalid(codes.COLUMN_PAGE_TOO_LARGE, what, field="columnPageSize")
    page = max(1, number(query, "columnPage", 1))
    masked = (name.strip().lower() for name in query.get("maskedFieldNames", "").split(","))
    if size <= 0:  # without a size all columns are one page, unless a page is asked for
        size = LARGEST_COLUMN_PAGE if "columnPage" in query else 0
    return Narrowing(frozenset(masked) - {""}, (page - 1) * size, size)


def null_text(query: Mapping[str, str]) -> str:
    """How the caller wishes NULL shown."""
    wanted = query.get("nullValue", "")
    return {"": "NULL", "BLANK": ""}.get(wanted, wanted)


def opened(page: Page, page_number: int, null: str, narrowed: Narrowing | None = None) -> dict[str, object]:
    """The data of openFile. `totalPage` is 0 and `totalLine` counts this page, as in the original."""
    narrowed = narrowed or Narrowing()
    kept = narrowed.kept(page.columns)
    rows = [[null if (cell := row[index]) is None else cell for index in kept] for row in page.rows]
    columns = [page.columns[index] for index in kept]
    metadata = [{"columnName": column.name, "comment": "", "dataType": column.type} for column in columns]
    data: dict[str, object] = {"metadata": metadata, "totalPage": 0}
    if not page.is_text:
        data["totalColumn"] = len(narrowed.unmasked(page.columns))
    kind = "1" if page.is_text else "2"
    return {**data, "totalLine": len(rows), "page": page_number, "type": kind, "fileContent": rows}


def opened_script(text: str) -> dict[str, object]:
    """The data of openFile for a file of the workspace: its whole text in one cell."""
    shown = {"metadata": {}, "totalPage": 0, "totalLine": 1, "page": 1, "type": "script/text"}
    return {**shown, "fileContent": [[text]]}


def check_page(page: int, size: int) -> tuple[int, int]:
    """Page (from 1) and rows on it. Raises Invalid for more than a page may hold."""
    if size > LARGEST_PAGE:
        raise Invalid(codes.PAGE_TOO_LARGE, f"pageSize is at most {LARGEST_PAGE}; read more pages", field="pageSize")
    return max(1, page), size if size > 0 else DEFAULT_PAGE


def path_empty() -> Invalid:
    return Invalid(codes.PATH_EMPTY, "The path:null is empty(路径:null 为空)!", field="path")


def path_relative() -> Invalid:
    return Invalid(codes.PATH_RELATIVE, "Relative path not allowed", field="path")


def path_missing(path: str, why: str = "") -> NotFound:
    return NotFound(
        codes.PATH_MISSING, f"path {path[:LONGEST_SHOWN]} not exists{f': {why}' if why else ''}.", field="path"
    )


def path_forbidden(user: str, path: str) -> Invalid:
    path = path[:LONGEST_SHOWN]
    return Invalid(
        codes.PATH_FORBIDDEN,
        f"The user: {user} has no permission to view the contents of the directory:{path}"
        f"(该用户:{user}无权限查看该目录:{path}的内容).",
        field="path",
    )
