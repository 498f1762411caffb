"""One job's SQL session in the Flink JVM, through py4j. Blocking: used from one thread of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError, Py4JJavaError, Py4JNetworkError

from commons.process.errors import HeadgateError
from protocol import codes
from services.engineconn.flink.jvm import Jvm
from services.engineconn.flink.limits import SelectLimits
from services.engineconn.flink.reach import Reach

MODE = "execution.runtime-mode"
SAVEPOINT = ("execution.state-recovery.path", "execution.savepoint.path")
"""From 1.20 on, and before."""
JOB_ID = "$internal.pipeline.job-id"
_TOKEN_LINE = re.compile(r"^\s+[\"<].*\.\.\.|^\s+<EOF>|^Was expecting one of:")
_PLAIN = (
    "ValidationException", "SqlParserException", "SqlParserEOFException", "TableException", "CalciteContextException",
    "SecurityException",
)  # fmt: skip
"""Exceptions whose message needs no name in front of it."""
_OPERATIONS = "org.apache.flink.table.operations."
_MODIFY_TOO = (
    "TruncateTableOperation",
    "AnalyzeTableOperation",
    "PlannerCallProcedureOperation",
    "CompilePlanOperation",
    "ExecutePlanOperation",
    "CompileAndExecutePlanOperation",
    "StopJobOperation",
)
"""Operations that have an effect although Flink does not count them among the modifying ones."""


class Meaning(Enum):
    """What Flink's parser says a statement is, as far as it matters here."""

    SET = auto()
    RESET = auto()
    SESSION = auto()
    """Changes the session alone: USE, DDL in its own catalogs, ADD JAR, LOAD MODULE …"""
    QUERY = auto()
    MODIFY = auto()
    """Writes: INSERT, statement sets, CREATE TABLE AS, DELETE …"""
    SHOW = auto()
    """Gives rows without running a job: SHOW, DESCRIBE, EXPLAIN …"""


class SqlError(HeadgateError):
    """What Flink has against a statement: its root cause in `message`, the Java stack in `stack`."""

    http_status = 400
    grpc_status = "INVALID_ARGUMENT"

    def __init__(self, message: str, stack: str) -> None:
        super().__init__(codes.STATEMENT_FAILED, message)
        self.stack = stack


class Unanswered(SqlError):
    """The JVM does not answer: it is gone."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A statement as Flink's parser understood it; `operation` is the JVM's object."""

    meaning: Meaning
    operation: Any
    name: str
    """The class of the operation, such as SinkModifyOperation."""

    @property
    def creates_as(self) -> bool:
        """Whether it is CREATE TABLE … AS, in one of its forms."""
        return self.name in ("CreateTableASOperation", "ReplaceTableAsOperation")

    @property
    def explained(self) -> bool:
        """Whether EXPLAIN takes it."""
        return self.name not in _MODIFY_TOO


@dataclass(frozen=True, slots=True)
class Listing:
    """A small result: column names, Flink's types of them, and rows."""

    names: Sequence[str]
    types: Sequence[str]
    rows: Iterator[Sequence[object]]


class Session:
    """A fresh TableEnvironment."""

    def __init__(self, jvm: Jvm, fixed: Mapping[str, str], chosen: Mapping[str, str], reach: Reach) -> None:
        """`fixed` settings are the engine's own; `chosen` ones the user's, as SET would. Raises SqlError."""
        self.jvm = jvm
        self._reach = reach
        self._fixed = dict(fixed)
        for key, value in chosen.items():
            _refuse(reach.setting(key, value))
        settings = {**fixed, **chosen}
        self._settings = dict(settings)
        self._history: list[tuple[str, Callable[[], Any]]] = []
        self.env = self._environment()

    @property
    def streaming(self) -> bool:
        mode = self.env.getConfig().getConfiguration().getString(MODE, "STREAMING")
        return str(mode).upper() != "BATCH"

    @property
    def select_limits(self) -> SelectLimits:
        """How much a SELECT may give now."""
        return self._reach.select.chosen(self._settings)

    def parse(self, text: str) -> Parsed:
        """Raises SqlError."""
        with_flink = self.call(lambda: self.env.getParser().parse(text))
        operation = with_flink.get(0)
        name = str(operation.getClass().getSimpleName())
        return Parsed(self._meaning(operation, name), operation, name)

    def set(self, parsed: Parsed) -> str:
        """Apply a SET; a SET without a key gives all settings as text, for the log."""
        key, value = parsed.operation.getKey(), parsed.operation.getValue()
        if not key.isPresent():
            return "\n".join(f"'{name}' = '{text}'" for name, text in sorted(self._settings.items()))
        self.put(str(key.get()), str(value.get()))
        return ""

    def put(self, key: str, value: str) -> None:
        """Set one setting. Another runtime mode takes a new environment, in which the session's DDL runs again."""
        _refuse(self._reach.setting(key, value))
        self._settings[key] = value
        if key == MODE:
            self._again()
        else:
            self.call(lambda: self.env.getConfig().set(key, value))

    def reset(self, parsed: Parsed) -> None:
        key = parsed.operation.getKey()
        names = [str(key.get())] if key.isPresent() else list(self._settings)
        for name in names:
            if name not in self._fixed:
                self._settings.pop(name, None)
        self._again()

    def execute(self, text: str) -> Any:
        """Run a statement and return Flink's TableResult. Raises SqlError."""
        return self.call(lambda: self.env.executeSql(text))

    def change(self, text: str, parsed: Parsed) -> None:
        """Run a statement that changes the session, and remember it. Raises SqlError."""
        for uri in _jars(parsed):
            _refuse(self._reach.jar(uri))
        _refuse(_language(parsed))
        jar = f"jar {parsed.operation.getPath()}" if parsed.name in ("AddJarOperation", "RemoveJarOperation") else ""
        if parsed.name == "RemoveJarOperation":  # a TableEnvironment cannot, so it is made anew without the jar
            self._history = [(what, again) for what, again in self._history if what != jar]
            self._again()
        else:
            self.execute(text)
            self._history.append((jar, lambda: self.env.executeSql(text)))

    def load(self, jar: Path) -> None:
        """Add a jar that was registered to the class path of this session. Raises SqlError."""
        text = f"ADD JAR '{jar}'"
        self.execute(text)
        self._history.append((f"jar {jar}", lambda: self.env.executeSql(text)))

    def create_without_rows(self, parsed: Parsed) -> None:
        """Of CREATE TABLE … AS: the table alone, here and in what this session becomes."""
        create = parsed.operation.getCreateTableOperation()
        self.call(lambda: self.env.executeInternal(create))
        self.remember_table(parsed)

    def remember_table(self, parsed: Parsed) -> None:
        """CREATE TABLE … AS has run: its table belongs to what this session becomes."""
        create = parsed.operation.getCreateTableOperation()
        self._history.append(("", lambda: self.env.executeInternal(create)))

    def name_job(self, job_id: str, name: str) -> None:
        """The id and name of the next Flink job of this session."""
        self.env.getConfig().set(JOB_ID, job_id)
        if "pipeline.name" not in self._settings:
            self.env.getConfig().set("pipeline.name", name)

    def go_on_from(self, savepoint: str) -> None:
        """The state that the next jobs of this session go on from; empty: none."""
        for key in SAVEPOINT:
            if savepoint or key in self._settings:
                self.env.getConfig().set(key, savepoint or self._settings[key])
            else:
                self.env.getConfig().getConfiguration().removeKey(key)

    def listing(self, text: str) -> Listing:
        """What SHOW, DESCRIBE or EXPLAIN gives. Raises SqlError."""
        result = self.execute(text)
        columns = [column for column in result.getResolvedSchema().getColumns()]
        names = [str(column.getName()) for column in columns]
        return Listing(names, [str(column.getDataType().getLogicalType()) for column in columns], self._rows(result))

    def _rows(self, result: Any) -> Iterator[Sequence[object]]:
        width = result.getResolvedSchema().getColumnCount()
        rows = result.collect()
        try:
            while rows.hasNext():
                row = rows.next()
                yield [row.getField(index) for index in range(width)]
        finally:
            rows.close()

    def call(self, call: Any) -> Any:
        """What the JVM answers; its exceptions become SqlErrors. Raises Unanswered when it is gone."""
        try:
            return call()
        except Py4JJavaError as error:
            raise from_java(error) from None
        except Py4JNetworkError:
            raise Unanswered("Flink's JVM does not answer", "") from None
        except Py4JError as error:
            raise SqlError(str(error), "") from None

    def _again(self) -> None:
        self.env = self._environment()
        for _, again in self._history:
            self.call(again)

    def _environment(self) -> Any:
        flink = self.jvm.root.org.apache.flink
        configuration = flink.configuration.Configuration()
        for key, value in self._settings.items():
            configuration.setString(key, value)
        settings = (
            flink.table.api.EnvironmentSettings.newInstance()
            .withConfiguration(configuration)
            .withClassLoader(self.jvm.loader)
            .build()
        )
        return self.call(lambda: flink.table.api.TableEnvironment.create(settings))

    def _meaning(self, operation: Any, name: str) -> Meaning:
        if name in ("SetOperation", "ResetOperation"):
            return Meaning.SET if name == "SetOperation" else Meaning.RESET
        types = self.jvm.root.org.apache.flink.api.python.shaded.py4j.reflection.TypeUtil
        for kind, meaning in (
            ("ModifyOperation", Meaning.MODIFY),
            ("StatementSetOperation", Meaning.MODIFY),
            ("QueryOperation", Meaning.QUERY),
            ("ShowOperation", Meaning.SHOW),
            ("ExplainOperation", Meaning.SHOW),
        ):
            if types.isInstanceOf(_OPERATIONS + kind, operation):
                return meaning
        if name.startswith(("Describe", "Show")):
            return Meaning.SHOW
        if name in _MODIFY_TOO:
            return Meaning.MODIFY
        return Meaning.SESSION


def _refuse(why: str | None) -> None:
    if why is not None:
        raise SqlError(why, "")


def _language(parsed: Parsed) -> str | None:
    """Why the function that a statement defines is refused, or None."""
    if not parsed.name.endswith("FunctionOperation") or "Drop" in parsed.name:
        return None
    if str(parsed.operation.getCatalogFunction().getFunctionLanguage()) != "PYTHON":
        return None
    return "functions in Python are not offered: they would run as the service's own user"


def _jars(parsed: Parsed) -> list[str]:
    """The jars that a statement would load."""
    if parsed.name == "AddJarOperation":
        return [str(parsed.operation.getPath())]
    if parsed.name in ("CreateCatalogFunctionOperation", "CreateTempSystemFunctionOperation"):
        return [str(resource.getUri()) for resource in parsed.operation.getCatalogFunction().getFunctionResources()]
    return []


def from_java(error: Py4JJavaError) -> SqlError:
    """The root cause of a Java exception, in one line that users can read; the stack beside it."""
    messages: list[str] = []
    cause = error.java_exception
    while cause is not None and len(messages) < 20:
        text = cause.getMessage()
        name = str(cause.getClass().getSimpleName())
        messages.append(f"{name}: {text}" if text and name not in _PLAIN else (text or name))
        cause = cause.getCause()
    try:
        stack = str(error)
    except Py4JError:
        stack = ""
    best = next((text for text in messages if "line " in text and "column" in text), messages[-1])
    return SqlError(" ".join(best.partition("Was expecting")[0].split()), _without_grammar(stack))


def _without_grammar(stack: str) -> str:
    """The stack without the parser's lists of every token it would have taken."""
    return "\n".join(line for line in stack.splitlines() if line.strip() and not _TOKEN_LINE.match(line))
