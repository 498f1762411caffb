"""What can be said of a job before anything starts: what is wrong with it, and what looks doubtful. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from services.engineconn.seatunnel import doors, graph, options
from services.engineconn.seatunnel.classpath import ClassPath
from services.engineconn.seatunnel.reach import Reach

_NEWER = {"plugin_output": graph.OUTPUT, "plugin_input": graph.INPUT}
_MODES = ("BATCH", "STREAMING")
_SECTIONS = ("env", "source", "transform", "sink")


@dataclass(frozen=True, slots=True)
class Findings:
    """Each one line. A job with faults does not start; doubts are told in its log."""

    faults: list[str]
    doubts: list[str]


def normal(config: Mapping[str, Any]) -> dict[str, Any]:
    """The job as this SeaTunnel reads it: newer names of options under their older ones, inputs as lists."""
    made = dict(config)
    for section in ("source", "transform", "sink"):
        if isinstance(made.get(section), list):
            made[section] = [_older(plugin) if isinstance(plugin, dict) else plugin for plugin in made[section]]
    made.setdefault("transform", [])
    return made


def is_stream(config: Mapping[str, Any]) -> bool:
    """Whether the job runs until it is stopped."""
    return str(config["env"].get("job.mode", "")).upper() == "STREAMING"


def look(config: Mapping[str, Any], class_path: ClassPath, reach: Reach) -> Findings:
    """What is found; `config` is `normal`."""
    structure = [*_structure(config), *doors.keys({name: config.get(name) for name in _SECTIONS})]
    if structure:
        return Findings(structure, [])
    faults, doubts = [*_environment(config["env"]), *doors.environment(config["env"])], []
    for section in ("source", "transform", "sink"):
        for number, plugin in enumerate(config[section], 1):
            where = graph.title(section, number, plugin)
            faults += [f"{where}: {fault}" for fault in _plugin(section, plugin, class_path)]
            faults += [f"{where}: {fault}" for fault in (*reach.faults(plugin), *doors.options(plugin))]
            if known := options.find(section, plugin["plugin_name"]):
                doubts += [f"{where}: {doubt}" for doubt in known.unknown(plugin)]
    nodes = graph.nodes(config)
    doubts += [*graph.doubts(nodes), *_strangers(config)]
    return Findings([*faults, *graph.faults(nodes)], doubts)


def _older(plugin: Mapping[str, Any]) -> dict[str, Any]:
    made = {_NEWER.get(key, key) if _NEWER.get(key) not in plugin else key: value for key, value in plugin.items()}
    inputs = made.get(graph.INPUT)
    if isinstance(inputs, str):
        made[graph.INPUT] = [name.strip() for name in inputs.split(",")]
    return made


def _structure(config: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(config.get("env"), dict):
        yield 'the section env is missing: write env { job.mode = "BATCH" }'
    for section in ("source", "transform", "sink"):
        plugins = config.get(section)
        if not plugins and section != "transform":
            yield f"the section {section} is missing, or has no plug-in: a job needs at least one source and one sink"
        elif not isinstance(plugins, list):
            yield f"the section {section} must be a list of plug-ins"
        else:
            for number, plugin in enumerate(plugins, 1):
                if not isinstance(plugin, dict):
                    yield f"{section} {number} is no object with options"
                elif not isinstance(plugin.get("plugin_name"), str):
                    yield f"{section} {number} has no plugin_name"


def _environment(env: Mapping[str, Any]) -> Iterator[str]:
    if "job.mode" in env and str(env["job.mode"]).upper() not in _MODES:
        yield f"env: job.mode must be one of {', '.join(_MODES)}"
    for key in ("parallelism", "checkpoint.interval", "checkpoint.timeout", "job.retry.times"):
        if key in env and not str(env[key]).isdecimal():
            yield f"env: {key} must be a whole number"


def _plugin(section: str, plugin: Mapping[str, Any], class_path: ClassPath) -> Iterator[str]:
    name = plugin["plugin_name"]
    names = class_path.names(section)
    if name.lower() not in {known.lower() for known in names}:
        elsewhere = [other for other in _SECTIONS[1:] if name.lower() in {n.lower() for n in class_path.names(other)}]
        yield _unknown(section, name, names, elsewhere)
        return
    yield from class_path.missing(section, plugin)
    if known := options.find(section, name):
        yield from known.faults(plugin)


def _unknown(section: str, name: str, names: set[str], elsewhere: list[str]) -> str:
    if elsewhere:
        return f"{name} is a {' and a '.join(elsewhere)}, and no {section}"
    near = options.nearest(name, names)
    meant = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sorted(names))}"
    return f"there is no {section} {name}; {meant}"


def _strangers(config: Mapping[str, Any]) -> Iterator[str]:
    """A value may stand at the top to be referred to; a list of plug-ins stands there by mistake."""
    for key, value in config.items():
        if key not in _SECTIONS and isinstance(value, list) and any(isinstance(item, dict) for item in value):
            yield f"the section {key} means nothing here"
