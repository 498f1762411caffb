"""The numbers of the operations page are those of the code."""

from __future__ import annotations

import re

from commons.calls import rpc
from commons.process.settings import Settings
from services.engineconn import journal
from services.entrance import artifacts, idempotency, job_artifacts, jobs, serving, spreadsheet, users, workspace, zips
from services.entrance.api import bodies, files
from services.entrance.api import jobs as job_routes
from services.entrance.api import workspace as workspace_routes
from services.entrance.wire import exec_id, logs, objects, queries, results
from services.entrance.wire import jobs as submits
from services.jobhistory import jobs as history
from services.jobhistory.tables import GROUP
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "operations.md").read_text()
MIB, HOUR_MS = 2**20, 3_600_000
SETTINGS = Settings.model_fields


def _limits() -> list[str]:
    shortest = users.SHORTEST_PASSWORD
    return [
        f"{bodies.LARGEST_BODY // MIB} MiB",
        f"{bodies.LARGEST_LOG_IN // 1024} KiB",
        f"{bodies.LARGEST_AT_ONCE // MIB} MiB",
        f"{bodies.LONGEST_READ_SECONDS:.0f} s",
        f"{objects.DEEPEST}",
        f"{serving.LARGEST_HEAD // 1024} KiB",
        f"{submits.LARGEST_CODE // MIB} MiB",
        f"{jobs.LONGEST_CODE:,} bytes",
        f"{history.LONGEST_TEXT:,} bytes",
        f"{GROUP.c.observe_info.type.length:,} bytes",  # type: ignore[attr-defined]
        f"{exec_id.LONGEST_NAME} characters",
        f"{shortest} to {users.LONGEST_PASSWORD} characters",
        f"{users.MOST_LEGAL_USERS}",
        f"{users.LONGEST_TOKEN_DAYS:,} days",
        f"{SETTINGS['session_seconds'].default:,.0f} s",
        f"{SETTINGS['tenant_queued_jobs'].default:,}",
        f"{SETTINGS['tenant_running_jobs'].default:,}",
        f"{SETTINGS['tenant_engines'].default:,}",
        f"{idempotency.LONGEST_KEY} characters",
        f"{idempotency.KEPT_MS // HOUR_MS} h",
        f"{job_routes.LONGEST_WAIT_SECONDS} s",
        f"{submits.LONGEST_SECONDS:,} s",
        f"{submits.MOST_RETRIES}",
        f"{job_routes.MOST_KILLS:,}",
        f"{queries.LARGEST_PAGE:,} jobs",
        f"{queries.MOST_IDS}",
        f"{journal.LONGEST_LINE:,} characters",
        f"{logs.LARGEST_SIZE:,}",
        f"{logs.LARGEST_LOG:,} characters",
        f"{results.LARGEST_PAGE:,} rows",
        f"{results.DEFAULT_PAGE:,} rows",
        f"{results.LARGEST_COLUMN_PAGE}",
        f"{SETTINGS['flink_select_rows'].default:,} rows",
        f"{spreadsheet.MOST_ROWS:,}",
        f"{spreadsheet.LONGEST_CELL:,} characters",
        f"{files.LARGEST_TEXT // MIB} MiB",
        f"{workspace_routes.LARGEST_UPLOAD // MIB} MiB",
        f"{workspace_routes.MOST_FILES}",
        f"{workspace.LONGEST_NAME} bytes",
        f"{SETTINGS['artifact_mb'].default} MiB",
        f"{zips.MOST_ENTRIES:,}",
        f"{zips.LARGEST_UNPACKED // 2**30} GiB",
        f"{artifacts.MOST_READERS}",
        f"{job_artifacts.MOST_JARS}",
        f"{rpc.LARGEST_MESSAGE // MIB} MiB",
    ]


def test_every_limit_on_the_page_is_that_of_the_code() -> None:
    table = PAGE.partition("## Sizes and limits")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", table, re.M)[1:]
    assert [limit for _, limit in rows] == _limits()


def test_the_ages_on_the_page_are_the_defaults() -> None:
    for name in ("RESULT_DAYS", "HISTORY_DAYS", "TASK_FOLDER_DAYS"):
        assert f"`HEADGATE_{name}` ({SETTINGS[name.lower()].default:g})" in PAGE


def test_every_setting_on_the_page_is_one() -> None:
    named = set(re.findall(r"HEADGATE_([A-Z_]+)", PAGE))
    assert named <= {name.upper() for name in SETTINGS}
