"""What SQL may reach: files, settings and jars beyond the job are refused, whatever names them."""

from __future__ import annotations

import pytest

from tests.conftest import Service
from tests.support.jobs import BATCH, run, tables

TABLE = "CREATE TABLE f (line STRING) WITH ('connector'='filesystem', 'format'='raw', 'path'='{}')"


@pytest.mark.parametrize("mode", ["batch", "streaming"])
@pytest.mark.parametrize(
    "script",
    [
        TABLE.format("{home}/credentials.json") + "; SELECT * FROM f",
        TABLE.format("/etc/passwd") + "; SELECT * FROM f",
        TABLE.format("../../credentials.json") + "; SELECT * FROM f",
        TABLE.format("file:///etc/passwd") + "; SELECT * FROM f",
        TABLE.format("link/passwd") + "; SELECT * FROM f",
        TABLE.format("in") + "; SELECT * FROM f /*+ OPTIONS('path'='/etc/passwd') */",
        TABLE.format("in") + "; SELECT 1 FROM (VALUES ('a')) t(a) WHERE a IN "
        "(SELECT line FROM f /*+ OPTIONS('path'='/etc/passwd') */)",
        TABLE.format("{home}/out") + "; INSERT INTO f VALUES ('x')",
        TABLE.format("in") + "; INSERT INTO f /*+ OPTIONS('path'='{home}/out') */ VALUES ('x')",
        "CREATE TABLE f WITH ('connector'='filesystem', 'format'='raw', 'path'='{home}/out') AS SELECT 'x' AS line",
    ],
)
def test_a_file_beyond_the_workspace_is_refused(service: Service, script: str, mode: str) -> None:
    workspace = service.home / "workspace" / "admin"
    workspace.mkdir(parents=True, exist_ok=True)
    (workspace / "in").write_text("a\n")
    if not (workspace / "link").exists():
        (workspace / "link").symlink_to("/etc")
    job = run(
        service, script.replace("{home}", str(service.home)), "Failed", configuration={"execution.runtime-mode": mode}
    )
    assert "lies outside of your workspace" in job.history()["errDesc"]
    assert not (service.home / "out").exists()
    assert all(not rows for rows in tables(job)) and service.token not in "\n".join(job.log())


@pytest.mark.parametrize(
    "key",
    ["rest.port", "execution.target", "pipeline.jars", "$internal.pipeline.job-id", "state.backend.rocksdb.localdir"],
)
def test_a_setting_beyond_the_job_is_refused(service: Service, key: str) -> None:
    for job in (
        run(service, f"SET '{key}' = '1'", "Failed"),
        run(service, "SELECT 1", "Failed", configuration={key: "1"}),
    ):
        assert f"setting {key} reaches beyond the job" in job.history()["errDesc"]


@pytest.mark.parametrize("statement", ["ADD JAR '/x.jar'", "CREATE FUNCTION f AS 'a.B' USING JAR '/x.jar'"])
def test_a_jar_is_refused(service: Service, statement: str) -> None:
    assert (
        "jar /x.jar is not in a folder" in run(service, statement, "Failed", configuration=BATCH).history()["errDesc"]
    )


def test_connectors_that_open_files_by_themselves_are_not_offered(service: Service) -> None:
    options = "'connector'='python-input-format', 'python.file-path'='/etc/passwd', 'python.batch-mode'='true'"
    job = run(service, f"CREATE TABLE f (line STRING) WITH ({options}); SELECT * FROM f", "Failed")
    assert "Could not find any factory for identifier 'python-input-format'" in job.history()["errDesc"]


@pytest.mark.parametrize("kind", ["TEMPORARY SYSTEM ", "TEMPORARY ", ""])
def test_functions_in_python_are_refused(service: Service, kind: str) -> None:
    job = run(service, f"CREATE {kind}FUNCTION f AS 'os.system' LANGUAGE PYTHON; SELECT f('x')", "Failed")
    assert "functions in Python are not offered" in job.history()["errDesc"]
