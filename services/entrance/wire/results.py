"""Directories and result sets, as Linkis clients read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from commons.process.errors import Invalid, NotFound
from protocol import codes

LARGEST_PAGE, DEFAULT_PAGE = 100_000, 5_000


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name and Linkis data type."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a result set as texts; None is NULL."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str | None]]
    is_text: bool


def tree(name: str, address: str, files: Sequence[tuple[str, int, int]]) -> dict[str, object]:
    """A directory with its files (name, bytes, modified ms), in the order given; never null."""
    children = [
        {
            "name": file,
            "path": f"{address}/{file}",
            "properties": {"size": str(size), "modifytime": str(modified)},
            "children": None,
            "isLeaf": True,
            "parentPath": address,
        }
        for file, size, modified in files
    ]
    return {
        "name": name,
        "path": address,
        "properties": None,
        "children": children,
        "isLeaf": False,
        "parentPath": None,
    }


def opened(page: Page, number: int, null_value: str) -> dict[str, object]:
    """The data of openFile. `totalPage` is 0 and `totalLine` counts this page, as in the original."""
    shown = {"": "NULL", "BLANK": ""}.get(null_value, null_value)
    rows = [[shown if cell is None else cell for cell in row] for row in page.rows]
    metadata = [{"columnName": column.name, "comment": "", "dataType": column.type} for column in page.columns]
    data: dict[str, object] = {"metadata": metadata, "totalPage": 0}
    if not page.is_text:
        data["totalColumn"] = len(metadata)
    return {**data, "totalLine": len(rows), "page": number, "type": "1" if page.is_text else "2", "fileContent": rows}


def check_page(page: int, size: int) -> tuple[int, int]:
    """Page (from 1) and rows on it. Raises Invalid for more than a page may hold."""
    if size > LARGEST_PAGE:
        raise Invalid(codes.PAGE_TOO_LARGE, f"pageSize is at most {LARGEST_PAGE}; read more pages", field="pageSize")
    return max(1, page), size if size > 0 else DEFAULT_PAGE


def path_empty() -> Invalid:
    return Invalid(codes.PATH_EMPTY, "The path:null is empty(路径:null 为空)!", field="path")


def path_relative() -> Invalid:
    return Invalid(codes.PATH_RELATIVE, "Relative path not allowed", field="path")


def path_missing(path: str) -> NotFound:
    return NotFound(codes.PATH_MISSING, f"path {path} not exists.", field="path")


def path_forbidden(user: str, path: str) -> Invalid:
    return Invalid(
        codes.PATH_FORBIDDEN,
        f"The user: {user} has no permission to view the contents of the directory:{path}"
        f"(该用户:{user}无权限查看该目录:{path}的内容).",
        field="path",
    )
