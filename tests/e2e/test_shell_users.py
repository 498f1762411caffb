"""A user who is no administrator runs his shell as an OS user of his own, and reaches only what is his."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from headgate import Client

from tests.conftest import Service, Start, stop
from tests.support.jobs import eventually, tables
from tests.support.rest import PREFIX, Rest

SHELL, OS_NUMBER = "shell-1", 65534


@pytest.fixture
def workspaces(temporary: Path) -> Path:
    temporary.chmod(0o711)
    return temporary / "workspaces"


@pytest.fixture
def alice(begin: Start, home: Path, workspaces: Path) -> Iterator[tuple[Service, Client]]:
    home.parent.chmod(0o755)
    settings = {"HEADGATE_SHELL_USERS": "alice=nobody", "HEADGATE_WORKSPACES": str(workspaces)}
    service = begin("--stop-engines", **settings)
    rest = Rest(service)
    for user in ("alice", "bob"):
        rest.http.post(f"{PREFIX}/user/create", json={"userName": user, "password": "long enough"})
    token = rest.http.post(f"{PREFIX}/user/token-create", json={"legalUsers": ["alice"]}).json()["data"]["token"]
    rest.http.close()
    with Client(service.url, "alice", token) as client:
        yield service, client
    assert stop(service) == 0


def test_the_os_user_reaches_nothing_of_the_service(
    alice: tuple[Service, Client], workspaces: Path, home: Path
) -> None:
    service, client = alice
    of_admin = service.admin.submit("id -u; echo secret > mine", engine=SHELL)
    assert of_admin.wait(60) == "Succeed" and tables(of_admin) == [[["0"]]]
    (home / "open.txt").write_text("secret")
    code = f"""
        id -u; id -G; echo hello > "$HOME/mine"; cat mine
        printf 'a\\n1\\n' > "$HEADGATE_RESULTS/r.csv"
        ln -s {home}/headgate.db "$HEADGATE_RESULTS/db.csv"; ln -s {home} link
        for file in {home}/headgate.db {home}/credentials.json {home}/open.txt {home}/node {home}/storage {home}/run \\
            link/headgate.db ../admin/mine ../../workspaces/admin/mine {workspaces}/admin \\
            /proc/{service.process.pid}/environ /proc/$PPID/environ /proc/$PPID/cwd/spec.json; do
            if cat "$file" >/dev/null 2>&1 || ls "$file/" >/dev/null 2>&1; then echo "reached $file"; fi
        done
    """
    job = client.submit(code, engine=SHELL)
    assert job.wait(60) == "Succeed", "\n".join(job.log())
    assert tables(job) == [[[str(OS_NUMBER)], [str(OS_NUMBER)], ["hello"]], [["1"]]]
    assert (workspaces / "alice" / "mine").stat().st_uid == OS_NUMBER
    again = client.submit('["cat", "mine"]', engine=SHELL, run_type="exec", configuration={"shell.results": "link/*"})
    assert again.wait(60) == "Succeed" and tables(again) == [[["hello"]]]


def test_a_kill_reaches_processes_of_the_os_user(alice: tuple[Service, Client]) -> None:
    _, client = alice
    job = client.submit("trap '' TERM; echo begun $$; while :; do sleep 1; done", engine=SHELL)
    eventually(lambda: any(" INFO begun" in line for line in job.log()), "it begins")
    pid = next(line for line in job.log() if " INFO begun" in line).split()[-1]
    job.kill()
    assert job.wait(30) == "Cancelled"
    eventually(lambda: not Path(f"/proc/{pid}").exists(), "its process is gone")
