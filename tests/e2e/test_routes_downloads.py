"""Result sets as CSV and .xlsx files, streamed, and opened column by column."""

from __future__ import annotations

import csv
import io
import zipfile

import httpx2
import pytest
from headgate import Job

from tests.conftest import Service
from tests.support.jobs import BATCH, run
from tests.support.rest import PREFIX, Rest

ROWS = [["1", 'a,"b"', "2.50"], ["2", "NULL", "NULL"], ["3", "名", "0.10"]]


@pytest.fixture(scope="module")
def location(service: Service) -> str:
    """Where a job's two result sets lie: a table, and one number."""
    code = """SELECT * FROM (VALUES (1, 'a,"b"', 2.50), (2, CAST(NULL AS STRING), CAST(NULL AS DECIMAL(3, 2))),
                                    (3, '名', 0.10)) AS t(id, name, price) ORDER BY id;
              SELECT 7 AS n"""
    return str(run(service, code, configuration=BATCH).history()["resultLocation"])


def download(rest: Rest, route: str, **query: str | int) -> httpx2.Response:
    reply = rest.http.get(f"{PREFIX}/filesystem/{route}", params=query)
    assert reply.status_code == 200, reply.text
    return reply


def test_a_csv_file_holds_everything(rest: Rest, location: str) -> None:
    path = f"{location}/_0.dolphin"
    reply = download(rest, "resultsetToExcel", path=path, outputFileType="csv", outputFileName="o")
    assert reply.headers["content-type"] == "text/plain;charset=utf-8"
    assert reply.headers["content-disposition"] == "attachment;filename=o.csv"
    assert list(csv.reader(io.StringIO(reply.text))) == [["id", "name", "price"], *ROWS]
    assert reply.text.startswith('id,name,price\n1,"a,""b""",2.50\n')
    other = download(
        rest, "resultsetToExcel", path=path, csvSeparator="\t", nullValue="BLANK", limit=2, maskedFieldNames="PRICE",
        quoteRetouchEnable="true", outputFileName="结果 1",
    )  # fmt: skip
    assert other.text == '"id"\t"name"\n"1"\t"a,""b"""\n"2"\t""\n'
    assert other.headers["content-disposition"].startswith("attachment;filename*=UTF-8''%E7%BB%93")


def test_an_xlsx_file_holds_one_result_set_or_all(rest: Rest, location: str) -> None:
    path = f"{location}/_0.dolphin"
    one = download(rest, "resultsetToExcel", path=path, outputFileType="xlsx", sheetName="s", autoFormat="true")
    assert one.headers["content-disposition"] == "attachment;filename=downloadResultset.xlsx"
    book = zipfile.ZipFile(io.BytesIO(one.content))
    sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<c><v>1</v></c>" in sheet and ">a,&quot;" not in sheet and "<c><v>2.50</v></c>" in sheet
    assert 'name="s"' in book.read("xl/workbook.xml").decode()
    both = zipfile.ZipFile(io.BytesIO(download(rest, "resultsetsToExcel", path=location).content))
    names = both.read("xl/workbook.xml").decode()
    assert 'name="result_0"' in names and 'name="result_1"' in names
    assert "<c><v>" not in both.read("xl/worksheets/sheet2.xml").decode()


def test_a_long_result_set_is_not_cut(rest: Rest, service: Service) -> None:
    job = run(service, "seq 1 20000", engine="shell-1")
    path = f"{job.history()['resultLocation']}/_0.dolphin"
    lines = download(rest, "resultsetToExcel", path=path).text.splitlines()
    assert (len(lines), lines[0], lines[-1]) == (20_001, "line", "20000")


def test_columns_are_masked_and_paged(rest: Rest, location: str) -> None:
    path = f"{location}/_0.dolphin"
    part = rest.get("/filesystem/openFile", path=path, columnPage=2, columnPageSize=1, maskedFieldNames="Id")
    assert [column["columnName"] for column in part["metadata"]] == ["price"]
    assert (part["fileContent"], part["totalColumn"]) == ([["2.50"], ["NULL"], ["0.10"]], 2)
    assert rest.refused("/filesystem/openFile", path=path, columnPageSize=501)[:2] == (80036, "columnPageSize")


def test_what_cannot_be_downloaded_is_said(rest: Rest, location: str, ended: Job) -> None:
    path = f"{location}/_0.dolphin"
    assert rest.refused("/filesystem/resultsetToExcel", path=f"{location}/_7.dolphin")[:2] == (80013, "path")
    assert rest.refused("/filesystem/resultsetToExcel", path=location)[:2] == (80013, "path")
    assert rest.refused("/filesystem/resultsetsToExcel", path=ended.history()["logPath"])[:2] == (80013, "path")
    assert rest.refused("/filesystem/resultsetsToExcel", path="/etc")[:2] == (80010, "path")
    for name, value in (("outputFileType", "pdf"), ("csvSeparator", "::"), ("csvSeparator", '"'), ("limit", "x")):
        assert rest.refused("/filesystem/resultsetToExcel", path=path, **{name: value})[:2] == (21304, name)
