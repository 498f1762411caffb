"""A shell engine that runs as an OS user: what it needs, and why it does not open without."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from commons.process.errors import Unavailable
from services.engineconn.engine import EngineSpec, Rows, Task, TaskEnded
from services.engineconn.shell import engine as shell

OS_USER, OS_NUMBER = "nobody", 65534


@pytest.fixture
def workspaces(tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that all may enter; temporary files lie beside it."""
    temporary.chmod(0o711)
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    (temporary / "workspaces").mkdir()
    yield temporary / "workspaces"
    assert sorted(path.name for path in temporary.iterdir()) == ["workspaces"], "an engine left something"


async def run(workspaces: Path, work: Path, code: str = "id -u", os_user: str = OS_USER) -> list[str]:
    """The lines of a task; its last one is the error, if there is one."""
    engine = shell.create()
    spec = EngineSpec(
        engine_id="e", kind="shell", version="1", user="alice", creator="IDE", cores=1, memory=1,
        workspace=workspaces / "alice", engines_home=work, labels={"os_user": os_user},
    )  # fmt: skip
    lines = []
    try:
        await engine.open(spec, work, lambda line: None)
        async for event in engine.run(Task(1, 1, code, "shell")):
            if isinstance(event, Rows):
                lines += event.batch.column(0).to_pylist()
            elif isinstance(event, TaskEnded) and event.message:
                lines.append(event.message)
    finally:
        await engine.close()
    return lines


async def test_the_workspace_and_the_task_folder_are_the_users(workspaces: Path, tmp_path: Path) -> None:
    code = 'umask 022; id -u; touch here "$HOME/there" "$TMPDIR/x"; stat -c %u:%a . "$TMPDIR" "$HEADGATE_RESULTS"; pwd'
    own = f"{OS_NUMBER}:700"
    wanted = [str(OS_NUMBER), own, own, own, str(workspaces / "alice")]
    assert await run(workspaces, tmp_path, code) == wanted
    assert (workspaces / "alice" / "here").stat().st_uid == (workspaces / "alice" / "there").stat().st_uid == OS_NUMBER


async def test_files_of_others_become_no_results(workspaces: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\nhunter22\n")
    code = f"ln -s {tmp_path}/secret.csv $HEADGATE_RESULTS/x.csv; printf 'a\\nmine\\n' > $HEADGATE_RESULTS/y.csv"
    assert await run(workspaces, tmp_path, code) == ["mine"]


@pytest.mark.parametrize(
    ("os_user", "said"), [("nosuchuser", "there is no OS user 'nosuchuser'"), ("root", "root, who reaches everything")]
)
async def test_the_os_user_must_be_one_apart(workspaces: Path, tmp_path: Path, os_user: str, said: str) -> None:
    with pytest.raises(Unavailable, match=said):
        await run(workspaces, tmp_path, os_user=os_user)


async def test_only_root_can_become_another(workspaces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1234)
    with pytest.raises(Unavailable, match="only a service that runs as root"):
        await run(workspaces, tmp_path)


async def test_the_way_there_must_be_open(workspaces: Path, tmp_path: Path) -> None:
    workspaces.chmod(0o700)
    with pytest.raises(Unavailable, match=f"nobody cannot enter {workspaces}, .*HEADGATE_WORKSPACES"):
        await run(workspaces, tmp_path)


async def test_another_users_workspace_must_be_closed(workspaces: Path, tmp_path: Path) -> None:
    other = workspaces / "bob"
    other.mkdir(mode=0o755)
    with pytest.raises(Unavailable, match=f"chmod go-rwx {other}"):
        await run(workspaces, tmp_path)
    other.chmod(0o700)
    (other / "file").write_text("secret")
    assert "exit code 1" in (await run(workspaces, tmp_path, f"cat {other}/file ../bob/file"))[-1]
