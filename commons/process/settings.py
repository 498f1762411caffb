"""Settings of the whole installation, read once from the environment (prefix `HEADGATE_`)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from commons.process.errors import HeadgateError
from commons.process.masking import masked


class Settings(BaseSettings):
    """Each field is an environment variable `HEADGATE_<NAME>`; the description is its documentation."""

    model_config = SettingsConfigDict(env_prefix="HEADGATE_", frozen=True)

    host: str = Field("127.0.0.1", description="Address the REST door listens on.")
    port: int = Field(9001, ge=0, le=65535, description="Port of the REST door; 0 takes a free one.")
    home: Path = Field(Path("~/.headgate"), description="State folder: database, storage, workspaces, engines at work.")
    engines_home: Path = Field(Path("~/.headgate/engines"), description="Engine files, shared by homes.")
    engines: str = Field(
        "flink,seatunnel", description="Engine kinds offered, comma separated: flink, seatunnel, shell."
    )
    storage: str = Field(
        "",
        pattern=r"^(|[a-z0-9]+://.+)$",
        description="URI of the storage root for results and logs; empty: file://<home>/storage.",
    )
    database: str = Field(
        "",
        pattern=r"^(|sqlite\+aiosqlite:///.+)$",
        description="SQLAlchemy URL of the database (sqlite+aiosqlite:///…); empty: SQLite in the home folder.",
    )
    workspaces: str = Field(
        "",
        description="Folder of users' workspaces, for nothing else; empty: <home>/workspace. OS users of "
        "HEADGATE_SHELL_USERS must be able to enter it.",
    )
    shell_users: str = Field(
        "",
        pattern=r"^(|[^=,\s]+=[^=,\s]+(,[^=,\s]+=[^=,\s]+)*)$",
        description="Users who may use shell, each with an OS user of his own: user=osuser, comma separated. Needs a "
        "service that runs as root, and HEADGATE_WORKSPACES.",
    )
    flink_home: str = Field("", description="A Flink distribution to use instead of a downloaded one.")
    seatunnel_home: str = Field("", description="A SeaTunnel distribution to use instead of a downloaded one.")
    java_home: str = Field("", description="A Java 17 to use instead of a downloaded one.")
    maven_repository: str = Field(
        "",
        pattern=r"^(|https?://.+)$",
        description="Base address of the Maven repository that jars are fetched from; empty: a mirror of central that "
        "Maven's settings name, else the mvn on the PATH.",
    )
    flink_runtime_mode: str = Field(
        "",
        pattern="^(|streaming|batch)$",
        description="Default runtime mode of Flink SQL; empty: Flink's own.",
    )
    flink_paths: str = Field(
        "", description="Folders that Flink SQL reaches beside the workspace, and may load jars from; comma separated."
    )
    flink_set_keys: str = Field(
        "", description="Settings (or beginnings of them) that SET may change though they reach beyond a job."
    )
    seatunnel_paths: str = Field(
        "", description="Folders that SeaTunnel's LocalFile reaches beside the workspace; comma separated."
    )
    seatunnel_rest_path: str = Field(
        "/hazelcast/rest/maps", pattern="^/", description="Where a SeaTunnel server has its REST v1."
    )
    jar_users: str = Field(
        "",
        description="Users beside administrators whose jobs may bring jars, comma separated, or *: their code runs as "
        "the service's OS user.",
    )
    flink_select_rows: int = Field(
        10_000_000,
        ge=1,
        description="Rows that one SELECT gives at most; a job may SET 'headgate.select.rows' to less.",
    )
    flink_select_seconds: float = Field(
        0.0,
        ge=0,
        description="Seconds that one SELECT is read for at most, 0: until it ends; a job may SET "
        "'headgate.select.seconds' to less.",
    )
    tenant_engines: int = Field(2, ge=1, description="Engines one tenant (user and creator) may have at once.")
    tenant_running_jobs: int = Field(2, ge=1, description="Jobs one tenant may have on engines at once.")
    tenant_queued_jobs: int = Field(1000, ge=1, description="Jobs of one tenant that may wait.")
    engine_cores: float = Field(1.0, gt=0, description="Cores of a `mini` Flink.")
    engine_memory_mb: int = Field(1024, ge=512, description="Memory of a `mini` Flink, in MiB.")
    seatunnel_cores: float = Field(0.5, gt=0, description="Cores of a SeaTunnel server.")
    seatunnel_memory_mb: int = Field(768, ge=384, description="Memory of a SeaTunnel server, in MiB.")
    engine_idle_seconds: float = Field(300.0, gt=0, description="An idle engine is stopped after this long.")
    engine_start_seconds: float = Field(900.0, gt=0, description="An engine not ready after this long is given up.")
    engine_alone_seconds: float = Field(
        120.0, gt=0, description="An engine with nothing to do and without its node's daemon ends after this long."
    )
    engine_modules: str = Field(
        "",
        pattern=r"^(|\w+=[\w.]+(,\w+=[\w.]+)*)$",
        description="Modules to use for engine kinds instead of the built-in ones: kind=module, comma separated.",
    )
    history_days: float = Field(180.0, ge=0, description="An ended job's history is kept this long; 0: for ever.")
    result_days: float = Field(
        30.0, ge=0, description="An ended job's log and results are kept this long; 0: as long as its history."
    )
    storage_mb: int = Field(
        0,
        ge=0,
        description="Above this size (MiB) the logs and results of the jobs that ended first are removed; 0: no limit.",
    )
    artifact_mb: int = Field(512, ge=1, description="The largest file that is taken as an artifact, in MiB.")
    sweep_seconds: float = Field(
        600.0,
        gt=0,
        description="Pause between two looks for what is too old or too much; what one marks, the next removes.",
    )
    task_folder_days: float = Field(7.0, gt=0, description="What an ended engine left unfetched is kept this long.")
    session_seconds: float = Field(7200.0, gt=0, description="A log-in without requests ends after this long.")
    lease_seconds: float = Field(
        15.0, gt=0, description="An entrance silent for this long has lost its jobs; a node twice as long, its engines."
    )
    stop_engines: bool = Field(False, description="End running tasks and all engines at shutdown.")

    @property
    def home_folder(self) -> Path:
        return self.home.expanduser().absolute()

    @property
    def engines_folder(self) -> Path:
        return self.engines_home.expanduser().absolute()

    @property
    def storage_root(self) -> str:
        return self.storage or f"file://{self.home_folder}/storage"

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite+aiosqlite:///{self.home_folder}/headgate.db"

    @property
    def workspaces_folder(self) -> Path:
        return Path(self.workspaces).expanduser().absolute() if self.workspaces else self.home_folder / "workspace"

    @property
    def os_users(self) -> dict[str, str]:
        return dict(pair.split("=", 1) for pair in self.shell_users.split(",") if pair)

    @property
    def engine_module_names(self) -> dict[str, str]:
        return dict(pair.split("=", 1) for pair in self.engine_modules.split(",") if pair)

    @property
    def jar_user_names(self) -> set[str]:
        return {name.strip() for name in self.jar_users.split(",") if name.strip()}

    @property
    def offered_kinds(self) -> tuple[str, ...]:
        return tuple(kind.strip() for kind in self.engines.split(",") if kind.strip())


STOPPING = (ValidationError, HeadgateError, OSError, ValueError)
"""What ends a command with a line for its user instead of a stack."""


_HOLDING_PASSWORDS = ("HEADGATE_DATABASE", "HEADGATE_MAVEN_REPOSITORY", "HEADGATE_STORAGE")


def complaint(error: Exception) -> str:
    """The line, without secrets."""
    return masked(f"headgate: {explained(error) if isinstance(error, ValidationError) else error}")


def explained(error: ValidationError) -> str:
    """What is wrong with a setting, and where its values are told; without what may hold a password."""
    first = error.errors()[0]
    name, value = f"HEADGATE_{str(first['loc'][-1]).upper()}", first["input"]
    shown = name if name in _HOLDING_PASSWORDS else f"{name}={value}"
    return f"{shown}: {first['msg']}; see docs/settings.md for what it takes"
