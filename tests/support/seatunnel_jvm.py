"""SeaTunnel's own classes, asked through py4j: what its parser makes of a text, which options its plug-ins take.

    python -P -m tests.support.seatunnel_jvm <SEATUNNEL_HOME> <java>

writes `services/engineconn/seatunnel/options.json` anew.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from py4j.java_gateway import GatewayParameters, JavaGateway, find_jar_path
from py4j.protocol import Py4JJavaError

OPTIONS = Path(__file__).parents[2] / "services" / "engineconn" / "seatunnel" / "options.json"
_FACTORY = "org.apache.seatunnel.api.table.factory."
_KINDS = {"source": "TableSourceFactory", "sink": "TableSinkFactory", "transform": "TableTransformFactory"}
_TYPES = {
    "java.lang.String": "string", "java.lang.Boolean": "boolean", "java.lang.Integer": "integer",
    "java.lang.Long": "integer", "java.lang.Double": "number", "java.lang.Float": "number",
    "java.math.BigDecimal": "number",
}  # fmt: skip
_OTHER = ("MultiTableSink", "DynamicCompile", "Embedding", "LLM")
"""Not to be named in a job: SeaTunnel's own, and what this SeaTunnel has and does not offer."""


class SeaTunnelJvm:
    """A JVM with SeaTunnel's starter, connectors and py4j on its class path."""

    def __init__(self, gateway: JavaGateway, jars: Sequence[Path]) -> None:
        self._gateway, self.root = gateway, gateway.jvm
        urls = gateway.new_array(self.root.java.net.URL, len(jars))
        for index, jar in enumerate(jars):
            urls[index] = self.root.java.io.File(str(jar)).toURI().toURL()
        thread = self.root.java.lang.Thread.currentThread()
        self._loader = self.root.java.net.URLClassLoader.newInstance(urls, thread.getContextClassLoader())
        thread.setContextClassLoader(self._loader)

    def parsed(self, path: Path, variables: Mapping[str, str]) -> dict[str, Any]:
        """What SeaTunnel's parser makes of a file. Raises ValueError with its own words."""
        pairs = [f"{name}={value}" for name, value in variables.items()]
        config = self.root.org.apache.seatunnel.shade.com.typesafe.config
        try:
            made = self.root.org.apache.seatunnel.core.starter.utils.ConfigBuilder.of(str(path), pairs)
            return dict(json.loads(made.root().render(config.ConfigRenderOptions.concise())))
        except Py4JJavaError as error:
            raise ValueError(str(error.java_exception.toString())) from None

    def refusal(self, kind: str, name: str, options: Mapping[str, Any]) -> str:
        """What SeaTunnel's own validator says against a plug-in's options; empty when it takes them."""
        api = self.root.org.apache.seatunnel.api
        config = self.root.org.apache.seatunnel.shade.com.typesafe.config
        parsed = config.ConfigFactory.parseString(
            json.dumps(options), config.ConfigParseOptions.defaults().setSyntax(config.ConfigSyntax.JSON)
        )
        readonly = api.configuration.ReadonlyConfig.fromConfig(parsed)
        try:
            api.configuration.util.ConfigValidator.of(readonly).validate(self._factories()[kind, name].optionRule())
        except Py4JJavaError as error:
            return str(error.java_exception.toString())
        return ""

    def options(self) -> dict[str, dict[str, Any]]:
        """Of each kind and name of plug-in, its jar, its options and which of them it needs."""
        found: dict[str, dict[str, Any]] = {kind: {} for kind in _KINDS}
        for (kind, name), factory in sorted(self._factories().items()):
            found[kind][name] = _plugin(self.root, factory)
        return found

    def _factories(self) -> dict[tuple[str, str], Any]:
        classes = {kind: self._class(_FACTORY + name) for kind, name in _KINDS.items()}
        offered = self.root.java.util.ServiceLoader.load(self._class(_FACTORY + "Factory"), self._loader).iterator()
        found = {}
        while offered.hasNext():
            factory = offered.next()
            kinds = [kind for kind, its in classes.items() if its.isInstance(factory)]
            if kinds and factory.factoryIdentifier() not in _OTHER:
                found[kinds[0], str(factory.factoryIdentifier())] = factory
        return found

    def _class(self, name: str) -> Any:
        return self.root.java.lang.Class.forName(name, True, self._loader)


@contextmanager
def running(home: Path, java: Path) -> Iterator[SeaTunnelJvm]:
    """Such a JVM for as long as the block runs."""
    starter = sorted(home.glob("starter/*.jar"), key=lambda jar: ("config-shade" not in jar.name, jar.name))
    jars = [*starter, *sorted(home.glob("lib/*.jar")), Path(find_jar_path())]
    command = [str(java), "-cp", ":".join(map(str, jars)), "py4j.GatewayServer", "--die-on-broken-pipe", "0"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        gateway = JavaGateway(
            gateway_parameters=GatewayParameters(port=int(process.stdout.readline()), auto_convert=True)
        )
        try:
            yield SeaTunnelJvm(gateway, [*home.glob("connectors/*.jar"), *home.glob("plugins/*/lib/*.jar")])
        finally:
            gateway.shutdown()
            process.stdin.close()


def _plugin(root: Any, factory: Any) -> dict[str, Any]:
    rule = factory.optionRule()
    options: dict[str, Any] = {}
    made: dict[str, Any] = {"jar": _jar(factory), "options": options}
    for optional in rule.getOptionalOptions():
        options[str(optional.key())] = _option(root, optional)
    for required in rule.getRequiredOptions():
        keys = []
        for option in required.getOptions():
            _add(options, str(option.key()), _option(root, option))
            keys.append(str(option.key()))
        kind = str(required.getClass().getSimpleName()).removesuffix("RequiredOptions").lower().removesuffix("ly")
        if kind == "conditional":
            made.setdefault(kind, []).append({"when": _when(required.getExpression()), "need": keys})
        else:
            made.setdefault(kind, []).append(keys)
    made["options"] = dict(sorted(options.items()))
    return made


def _add(options: dict[str, Any], key: str, option: dict[str, Any]) -> None:
    """An option may come with other values in other circumstances."""
    if "values" in option and "values" in options.get(key, {}):
        option = {**option, "values": sorted({*option["values"], *options[key]["values"]})}
    options[key] = option


def _jar(factory: Any) -> str:
    """The artifact that the plug-in comes from, without its version."""
    location = str(factory.getClass().getProtectionDomain().getCodeSource().getLocation())
    return location.rsplit("/", 1)[1].rsplit("-", 1)[0]


def _option(root: Any, option: Any) -> dict[str, Any]:
    described = str(root.java.lang.String.valueOf(option.typeReference().getType()))
    java = described.removeprefix("class ")
    values: list[str] = []
    if java.startswith(("java.util.List", "java.util.Map", "java.util.Set")):
        kind = "map" if java.startswith("java.util.Map") else "list"
    else:
        kind = _TYPES.get(java, "any")
    if str(option.getClass().getSimpleName()) == "SingleChoiceOption":
        values = sorted(str(value) for value in option.getOptionValues())
    elif _is_choice(described, option):
        values = sorted(str(value) for value in option.typeReference().getType().getEnumConstants())
    default, fallback = option.defaultValue(), [str(key) for key in option.getFallbackKeys()]
    told = default if isinstance(default, bool | int | float | str) or default is None else str(default)
    return {
        "type": "choice" if values else kind,
        **({"values": values} if values else {}),
        **({"default": told} if told is not None else {}),
        **({"also": fallback} if fallback else {}),
    }


def _is_choice(described: str, option: Any) -> bool:
    """Formats of times are read by their patterns, not by the names that their classes list."""
    if not described.startswith("class ") or "Formatter" in described:
        return False
    return bool(option.typeReference().getType().isEnum())


def _when(expression: Any) -> list[list[Any]]:
    """Any of these option-value pairs; SeaTunnel's own rules have no "and"."""
    pairs = []
    while expression is not None:
        condition = expression.getCondition()
        while condition is not None:
            pairs.append([str(condition.getOption().key()), _plain(condition.getExpectValue())])
            assert not getattr(condition, "and")()
            condition = condition.getNext()
        expression = expression.getNext() if expression.hasNext() else None
    return pairs


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str) else str(value)


if __name__ == "__main__":
    with running(Path(sys.argv[1]), Path(sys.argv[2])) as jvm:
        OPTIONS.write_text(json.dumps(jvm.options(), indent=1) + "\n")
