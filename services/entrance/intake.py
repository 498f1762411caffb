"""The ordered steps a request passes before it is a job: each takes the request and gives it back, or refuses it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from commons.process import telemetry
from commons.process.errors import Invalid, Refused
from commons.process.settings import Settings
from protocol import codes, names
from protocol.flink import jar, policy
from protocol.flink.deployment import Deployment
from protocol.values import Labels
from services.entrance.users import Asker
from services.entrance.variables import has_statement, substitute
from services.entrance.wire.jobs import Submit

_DIST = re.compile(r"^flink-dist-(\d[\w.]*)\.jar$")


@dataclass(frozen=True, slots=True)
class JobRequest:
    """All that running a job needs; kept as JSON on its live row."""

    code: str
    """Empty when it lies in a file, see `long_code`."""
    run_type: str
    kind: str
    version: str
    configuration: Mapping[str, str]
    execute_once: bool = False
    queuing_timeout_seconds: int = 0
    running_timeout_seconds: int = 0
    retries: int = 0
    traceparent: str = ""
    """Where the job's trace goes on, after a restart too."""
    secrets: Sequence[str] = ()
    """What the code does not tell to be secrets, such as the values of variables."""
    artifacts: Sequence[Mapping[str, Any]] = ()
    """Files that the job uses: name, location (under the storage root), sha256, size."""
    resume: str = ""
    """The path of the savepoint that the job goes on from, and its id in the history."""
    savepoint_id: int = 0
    needs: Mapping[str, str] = field(default_factory=dict)
    """What the job asks for of its engine beside kind and version, as labels of the engine."""
    os_user: str = ""
    """Whose processes a shell's are; empty: the service's own."""
    warnings: Sequence[str] = ()
    """Told in the job's log before it runs."""

    def labels(self, job_id: int) -> Labels:
        """Of the engine that may run it; an engine for once has a label that no other job's has."""
        once = {"once": str(job_id)} if self.execute_once else {}
        whose = {"os_user": self.os_user} if self.os_user else {}
        return Labels.make({"kind": self.kind, "version": self.version, **self.needs, **once, **whose})

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> JobRequest:
        return cls(**json.loads(text))


class Intake:
    """`offered` maps each engine kind to its versions, the default one first."""

    def __init__(self, settings: Settings) -> None:
        self._workspaces = settings.workspaces_folder
        self.offered = offered(settings)
        self._os_users = os_users(settings)
        self._jar_users = settings.jar_user_names

    def accept(self, submit: Submit, asker: Asker, now_ms: int) -> JobRequest:
        """Pass every step in order. Raises Invalid or Refused naming the field and what there is."""
        _own(submit, asker)
        kind, version = self._engine(submit.engine)
        request = JobRequest(
            submit.code, submit.run_type, kind, version, dict(submit.configuration), submit.execute_once,
            submit.queuing_timeout_seconds, submit.running_timeout_seconds, submit.retries,
            traceparent=telemetry.traceparent(),
        )  # fmt: skip
        request = self._shell(request, asker)
        self._jars(request, asker)
        _run_type(request)
        request = self._variables(request, submit, asker, now_ms)
        _statement(request)
        return _flink(request)

    def _engine(self, label: str) -> tuple[str, str]:
        kind, dash, version = label.partition("-")
        versions = self.offered.get(kind)
        if versions is None or (dash and version not in versions):
            what = f"there is no engine {label[:40]!r}; there are: {', '.join(self._labels())}"
            raise Invalid(codes.ENGINE_UNKNOWN, what, field="labels.engineType")
        return kind, version or versions[0]

    def _labels(self) -> list[str]:
        return [f"{kind}-{version}" for kind, versions in self.offered.items() for version in versions]

    def _shell(self, request: JobRequest, asker: Asker) -> JobRequest:
        """A shell is for who may do everything anyway, or who is kept apart by an OS user of his own."""
        if request.kind != "shell":
            return request
        os_user = self._os_users.get(asker.user, "")
        if not asker.is_admin and not os_user:
            what = "shell is for administrators only, and for users whom HEADGATE_SHELL_USERS gives an OS user"
            raise Refused(codes.ADMINISTRATORS_ONLY, what, field="labels.engineType")
        return replace(request, os_user=os_user)

    def _jars(self, request: JobRequest, asker: Asker) -> None:
        """Who brings a jar brings code that may do whatever the service's OS user may."""
        brings = request.run_type == jar.RUN_TYPE or jar.JARS in request.configuration
        if brings and not asker.is_admin and not {asker.user, "*"} & self._jar_users:
            what = "jars are for administrators only, and for users whom HEADGATE_JAR_USERS names"
            field = (
                "executionContent.runType"
                if request.run_type == jar.RUN_TYPE
                else f"params.configuration.runtime.{jar.JARS}"
            )
            raise Refused(codes.ADMINISTRATORS_ONLY, what, field=field)

    def _variables(self, request: JobRequest, submit: Submit, asker: Asker, now_ms: int) -> JobRequest:
        builtins = {"workspace": str(self._workspaces / asker.user)}
        builtins |= dict.fromkeys(("user", "submit_user", "execute_user"), asker.user)
        now = datetime.fromtimestamp(now_ms / 1000)  # the user's calendar is this machine's
        code = substitute(request.code, request.run_type, submit.variables, builtins, now)
        return replace(request, code=code)


def _own(submit: Submit, asker: Asker) -> None:
    if submit.user != asker.user:
        own = f"{asker.user}-{submit.creator}"
        what = f"labels.userCreator names user {submit.user[:30]!r}, but you are {asker.user}; write {own}"
        raise Invalid(codes.USER_CREATOR_OTHER, what, field="labels.userCreator")


def _run_type(request: JobRequest) -> None:
    known: Sequence[str] = names.RUN_TYPES[request.kind]
    if request.run_type not in known:
        what = f"{request.kind} has no run type {request.run_type[:40]!r}; it has: {', '.join(known)}"
        raise Invalid(codes.ENGINE_UNKNOWN, what, field="executionContent.runType")


def _statement(request: JobRequest) -> None:
    if request.run_type == "sql" and not has_statement(request.code):
        what = "the code holds no statement, only comments; give one"
        raise Invalid(codes.CODE_EMPTY, what, field="executionContent.code")


def _flink(request: JobRequest) -> JobRequest:
    """What a job says of itself and of its Flink can be, and becomes labels of its engine."""
    if request.kind != "flink":
        return request
    policy.check(request.configuration)
    if request.run_type == jar.RUN_TYPE:
        jar.JarJob.parse(request.code, request.configuration)
    return replace(request, needs=Deployment.of(request.configuration).labels())


def os_users(settings: Settings) -> dict[str, str]:
    """The OS user of each user who has one. Raises Invalid for settings that would not keep them apart."""
    found, name = settings.os_users, "HEADGATE_SHELL_USERS"
    wrong = ""
    if len(found) < len(settings.shell_users.split(",")) and found:
        wrong = "names a user twice"
    elif len(set(found.values())) < len(found):
        wrong = "gives one OS user to several users; each needs one of his own"
    elif "root" in found.values():
        wrong = "names the OS user root, who reaches everything; name another"
    elif found and settings.workspaces_folder.is_relative_to(settings.home_folder):
        wrong = "needs HEADGATE_WORKSPACES, a folder outside of HEADGATE_HOME, which stays closed to OS users"
    if wrong:
        raise Invalid(codes.SETTINGS_INVALID, f"{name}={settings.shell_users[:100]} {wrong}", field=name)
    return found


def offered(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Each engine kind and its versions, the default one first. Raises Invalid for settings that name none."""
    versions: dict[str, tuple[str, ...]] = dict(names.ENGINE_VERSIONS)
    if settings.flink_home:
        jars = Path(settings.flink_home).expanduser().glob("lib/flink-dist-*.jar")
        found = tuple(match[1] for jar in jars if (match := _DIST.match(jar.name)))
        if not found:
            what = f"HEADGATE_FLINK_HOME={settings.flink_home} has no lib/flink-dist-<version>.jar"
            raise Invalid(codes.SETTINGS_INVALID, what, field="HEADGATE_FLINK_HOME")
        versions["flink"] = found
    if not settings.offered_kinds:
        what = f"HEADGATE_ENGINES names no engine; there are: {', '.join(versions)}"
        raise Invalid(codes.SETTINGS_INVALID, what, field="HEADGATE_ENGINES")
    unknown = [kind for kind in settings.offered_kinds if kind not in versions]
    if unknown:
        what = f"HEADGATE_ENGINES names {unknown[0]!r}; there are: {', '.join(versions)}"
        raise Invalid(codes.SETTINGS_INVALID, what, field="HEADGATE_ENGINES")
    return {kind: versions[kind] for kind in settings.offered_kinds}
