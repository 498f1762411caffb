"""/filesystem: result sets, logs and workspaces as files."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from services.entrance.wire import results
from services.entrance.wire.shapes.envelopes import Flag, Number, Shape, may_lack

Path = Annotated[str, Field(min_length=1)]


class PathQuery(Shape):
    path: Path
    """A job's log, folder of results or result set, as /jobhistory and /filesystem/getDirFileTrees tell it; or a place
    in the caller's workspace."""


class JobPathQuery(Shape):
    path: Path
    """A job's log, folder of results or result set, as /jobhistory and /filesystem/getDirFileTrees tell it."""


class Narrowed(Shape):
    maskedFieldNames: str = ""
    """Columns to leave out, with commas between."""
    columnPage: Number = 1
    """The page of columns, from 1."""
    columnPageSize: int = Field(0, ge=-(2**53), le=results.LARGEST_COLUMN_PAGE)
    """Columns on a page; 0: all."""
    nullValue: str = ""
    """How NULL is shown: NULL unless it is given, nothing with BLANK."""


class OpenQuery(PathQuery, Narrowed):
    page: Number = 1
    """The page, from 1."""
    pageSize: int = Field(results.DEFAULT_PAGE, ge=-(2**53), le=results.LARGEST_PAGE)
    """Rows on a page; below 1 as many as by default."""


class LogQuery(JobPathQuery):
    logLevel: str = "all"
    """Which of error, warn, info are wanted, with commas between."""


class SheetsQuery(JobPathQuery, Narrowed):
    limit: Number = 0
    """How many rows at most; below 1 all."""
    outputFileName: str = "downloadResultset"
    """Name of the download, without its ending."""
    autoFormat: Flag = ""
    """`true`: numbers are cells of numbers in .xlsx."""
    sheetName: str = ""
    """Name of the sheet in .xlsx."""


class SheetQuery(SheetsQuery):
    outputFileType: Literal["csv", "xlsx"] = "csv"
    """What it is written as."""
    csvSeparator: str = Field(",", max_length=1, pattern=r'^[^"\r\n\x00]?$')
    """What stands between the cells of the CSV."""
    quoteRetouchEnable: Flag = ""
    """`true`: each cell of the CSV stands in quotes."""


class RootQuery(Shape):
    pathType: Literal["file"] = "file"
    """There are only local workspaces."""


class Folder(Shape):
    path: Path
    """A place in the caller's workspace."""


class Upload(Shape):
    path: Path
    """A folder in the caller's workspace."""
    file: list[Annotated[str, Field(json_schema_extra={"format": "binary"})]] = Field(min_length=1, max_length=100)


class FileSize(Shape):
    size: str = may_lack()
    """Bytes; files have it."""
    modifytime: str = may_lack()
    """Milliseconds since 1970."""


class Entry(Shape):
    name: str
    path: str
    properties: FileSize
    children: None
    isLeaf: bool
    """It is a file."""
    parentPath: str


class Tree(Shape):
    name: str
    path: str
    properties: None
    children: list[Entry]
    isLeaf: Literal[False]
    parentPath: None


class FileTrees(Shape):
    dirFileTrees: Tree


class ColumnInfo(Shape):
    columnName: str
    comment: str
    dataType: str


class NoColumns(Shape):
    pass


class Opened(Shape):
    metadata: list[ColumnInfo] | NoColumns
    """The columns; an empty object for a text of the workspace."""
    totalPage: Literal[0]
    totalColumn: int = may_lack()
    """How many columns there are on all pages; only of tables."""
    totalLine: int
    """Rows on this page."""
    page: int
    type: Literal["1", "2", "script/text"]
    """1: a text, a line in each row; 2: a table; script/text: a file of the workspace, whole in one cell."""
    fileContent: list[list[str]]


class FourLogs(Shape):
    log: list[str] = Field(min_length=4, max_length=4)
    """error, warn, info, all."""


class Exists(Shape):
    isExist: bool


class FileInfo(Shape):
    path: str
    colNumber: int
    rowNumber: int


class Root(Shape):
    userLocalRootPath: str
