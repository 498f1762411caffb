"""Programs and scripts with an environment, a folder and a time-out; files they leave as result sets."""

from __future__ import annotations

import json
import os
from pathlib import Path

import psutil
import pytest
from headgate import Job

from tests.conftest import Service
from tests.support.jobs import eventually, run, tables
from tests.support.leftovers import processes_of

SHELL = "shell-1"
MOST_GROWTH = 100 * 2**20


def program(service: Service, *argv: str, expected: str = "Succeed", **options: object) -> Job:
    code = json.dumps({"argv": argv, **options})
    return run(service, code, expected, engine=SHELL, run_type="exec")


def script(service: Service, code: str, expected: str = "Succeed", **options: str) -> Job:
    configuration = {f"shell.{name.replace('__', '.')}": value for name, value in options.items()}
    return run(service, code, expected, engine=SHELL, configuration=configuration)


def lines(job: Job) -> list[str | None]:
    return [row[0] for row in tables(job)[0]]


def workspace(service: Service) -> Path:
    return service.home / "workspace" / "admin"


def reason(job: Job) -> str:
    return str(job.history()["errDesc"])


def test_exec_runs_a_program_without_a_shell(service: Service) -> None:
    assert lines(program(service, "printf", "%s\\n", "$HOME; echo x", "*", "a b")) == ["$HOME; echo x", "*", "a b"]
    assert lines(run(service, '["echo", "hi"]', engine=SHELL, run_type="exec")) == ["hi"]
    assert reason(program(service, "false", expected="Failed")) == "The program ended with exit code 1"


def test_the_environment_is_small_and_the_users(service: Service) -> None:
    job = program(service, "env", environment={"MODE": "fast", "LANG": "de_DE.UTF-8"})
    found = dict(str(line).split("=", 1) for line in lines(job))
    ours = {name for name in found if name.startswith("HEADGATE_")}
    assert set(found) - ours <= {
        "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "TRACEPARENT", "MODE",
        "SSL_CERT_FILE", "SSL_CERT_DIR",
    }  # fmt: skip
    assert ours == {"HEADGATE_JOB_ID", "HEADGATE_RESULTS", "HEADGATE_ENGINE_ID", "HEADGATE_ENGINE_NODE"}
    assert (found["MODE"], found["LANG"], found["HOME"]) == ("fast", "de_DE.UTF-8", str(workspace(service)))
    assert found["HEADGATE_JOB_ID"] == str(job.id)
    assert not Path(found["TMPDIR"]).exists() and not Path(found["HEADGATE_RESULTS"]).exists()
    assert lines(script(service, "echo $MODE", environment__MODE="slow")) == ["slow"]


def test_a_secret_of_the_environment_is_masked_and_on_no_command_line(service: Service) -> None:
    secret = "hunter22xyz"
    gate = workspace(service) / "gate"
    code = f'echo "is $DB_PASSWORD" >&2; while [ ! -e gate ]; do sleep 0.1; done; echo "{secret[:3]}"'
    configuration = {"shell.environment.DB_PASSWORD": secret}
    job = service.client().submit(code, engine=SHELL, configuration=configuration)
    eventually(lambda: any("is ***" in line for line in job.log()), "it says its secret")
    for process in psutil.process_iter():
        with psutil.Process().oneshot():
            try:
                assert secret not in " ".join(process.cmdline()) and "is $DB_PASSWORD" not in " ".join(
                    process.cmdline()
                )
            except psutil.Error:
                continue
    gate.touch()
    assert job.wait(60) == "Succeed"
    gate.unlink()
    assert secret not in "\n".join(job.log()) + json.dumps(job.history())


def test_a_task_works_in_the_folder_it_names(service: Service, tmp_path: Path) -> None:
    inner = workspace(service) / "jobs" / "one"
    inner.mkdir(parents=True, exist_ok=True)
    assert lines(program(service, "pwd", folder="jobs/one")) == [str(inner)]
    assert lines(script(service, "pwd", folder="jobs/one")) == [str(inner)]
    assert lines(script(service, "pwd")) == [str(workspace(service))]
    link = workspace(service) / "link"
    link.unlink(missing_ok=True)
    link.symlink_to(tmp_path)
    for name, said in (("link", "a symbolic link"), ("nosuch", "No such file"), ("..", "leads out of the workspace")):
        assert said in reason(program(service, "pwd", folder=name, expected="Failed"))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ('["echo",]', "line 1, column 9"),
        ('{"argv": ["echo"], "result": []}', "do you mean results"),
        ('["nosuchprogram"]', "there is no program 'nosuchprogram' in PATH"),
        ('["./nosuch"]', "there is no program './nosuch' relative to the folder"),
        ('["/etc"]', "'/etc' cannot be started: Permission denied"),
    ],
)
def test_what_cannot_run_says_why(service: Service, code: str, said: str) -> None:
    job = run(service, code, "Failed", engine=SHELL, run_type="exec")
    assert said in reason(job) and job.history()["errCode"] == 102000


@pytest.mark.parametrize("code", ["echo begun; sleep 600", "trap '' TERM; echo begun; while :; do sleep 1; done"])
def test_a_time_out_ends_all_of_it_as_failed(service: Service, code: str) -> None:
    job = script(service, code, "Failed", timeoutSeconds="1")
    assert reason(job) == "The program was ended after 1 s, the limit of timeoutSeconds"
    assert job.history()["errCode"] == 102020 and lines(job) == ["begun"]


def test_files_in_the_folder_for_results_are_result_sets(service: Service) -> None:
    code = """
        cd "$HEADGATE_RESULTS"; ls -A; mkdir sub
        printf 'id,name\\n1,x\\n2,\\n' > b.csv
        printf '[{"n": 1}, {"n": 2.5}]' > c.json
        printf '{"t": {"k": 1}}\\n' > sub/d.jsonl
        printf 'id\\n1\\n2,3\\n' > a.csv; echo > note.txt; echo done; exit 3
    """
    job = script(service, code, "Failed")
    text, *sets = tables(job)
    assert text == [["done"]]
    assert sets == [[["1", "x"], ["2", None]], [["1.0"], ["2.5"]], [['{"k": 1}']]]
    assert [[column.name for column in result.columns] for result in job.results()][1:] == [
        ["id", "name"],
        ["n"],
        ["t"],
    ]
    log = "\n".join(job.log())
    assert "WARN a.csv becomes no result set: Row #3: Expected 1 columns, got 2" in log
    assert "WARN note.txt becomes no result set: its name ends in none of .csv" in log
    assert "INFO result set 1: b.csv, 2 rows" in log and reason(job).startswith("The shell ended with exit code 3")


def test_files_that_match_in_the_workspace_are_result_sets(service: Service) -> None:
    code = "mkdir -p out/deep; for file in out/x out/deep/y z; do printf 'a\\n%s\\n' $file > $file.csv; done"
    assert tables(script(service, code))[1:] == []
    job = script(service, code, results="out/**/*.csv, nosuch.csv")
    assert tables(job)[1:] == [[["out/deep/y"]], [["out/x"]]]
    assert any("no file matches nosuch.csv, which results asks for" in line for line in job.log())


def test_an_arrow_file_is_a_result_set(service: Service, tmp_path: Path) -> None:
    import pyarrow as pa

    table = pa.table({"n": range(200_000)})
    with pa.ipc.new_file(str(tmp_path / "t.arrow"), table.schema) as writer:
        writer.write_table(table)
    job = program(service, "cp", str(tmp_path / "t.arrow"), ".", results=["t.arrow"])
    (_, result) = job.results()
    assert sum(1 for _ in result.rows()) == 200_000


def peak(service: Service) -> int:
    """The most memory that any engine connection of the service ever had, in bytes."""
    most = 0
    for process in processes_of(service.home):
        if "services.engineconn" in process.cmdline():
            status = Path(f"/proc/{process.pid}/status").read_text()
            most = max(most, int(status.partition("VmHWM:")[2].split()[0]) * 1024)
    return most


def test_output_without_end_stays_in_bounded_memory(service: Service) -> None:
    script(service, "echo warm")
    before = peak(service)
    job = script(service, "head -c 1000000000 /dev/zero | tr '\\0' x >&2; echo; echo end")
    assert lines(job) == ["", "end"]
    assert len([line for line in job.log() if " WARN xxx" in line]) == 1
    endless = script(service, "yes", "Failed", timeoutSeconds="1")
    assert reason(endless).startswith("The program was ended after 1 s")
    assert peak(service) - before < MOST_GROWTH


def test_a_kill_ends_whoever_ignores_it(service: Service) -> None:
    job = service.client().submit("trap '' TERM; echo begun $$; while :; do sleep 1; done", engine=SHELL)
    eventually(lambda: any(" INFO begun" in line for line in job.log()), "it begins")
    pid = int(next(line for line in job.log() if " INFO begun" in line).split()[-1])
    job.kill()
    assert job.wait(30) == "Cancelled"
    eventually(lambda: not Path(f"/proc/{pid}").exists() or os.getpgid(pid) != pid, "its process is gone")
