"""The artifacts of a job: the last step of its intake, which asks the database."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from commons.process.errors import Invalid
from protocol import codes
from protocol.flink import jar
from services.entrance.artifacts import Artifact, Artifacts
from services.entrance.intake import JobRequest
from services.entrance.users import Asker

MOST_JARS = 50
_FIELD = f"params.configuration.runtime.{jar.JARS}"


async def with_artifacts(request: JobRequest, asker: Asker, artifacts: Artifacts) -> tuple[JobRequest, list[Artifact]]:
    """The request with the versions that its jars are now, and these. Raises Invalid or NotFound naming the field."""
    if (request.kind, request.run_type) == ("flink", jar.RUN_TYPE):
        return await _with_its_jar(request, asker, artifacts)
    if jar.JARS not in request.configuration:
        return request, []
    configuration = {name: value for name, value in request.configuration.items() if name != jar.JARS}
    texts = [text.strip() for text in request.configuration[jar.JARS].split(",") if text.strip()]
    if texts and (request.kind, request.run_type) != ("flink", "sql"):
        raise Invalid(codes.FIELD_INVALID, f"{jar.JARS} is for Flink SQL; leave it out", field=_FIELD)
    if len(texts) > MOST_JARS:
        raise Invalid(codes.FIELD_INVALID, f"{jar.JARS} takes at most {MOST_JARS} artifacts", field=_FIELD)
    found = {artifact.row_id: artifact for text in texts for artifact in [await artifacts.resolve(asker, text, _FIELD)]}
    for artifact in found.values():
        if artifact.jar is None:
            what = f"{artifact.name} {artifact.version} is no jar, but {artifact.file_name}; leave it out"
            raise Invalid(codes.FIELD_INVALID, what, field=_FIELD)
    name, count = Counter(artifact.name for artifact in found.values()).most_common(1)[0] if found else ("", 0)
    if count > 1:
        what = f"{count} of the artifacts are called {name}; a job takes one of a name"
        raise Invalid(codes.FIELD_INVALID, what, field=_FIELD)
    jars = list(found.values())
    warnings = [f"{each.name}: {warning}" for each in jars if (warning := _warning(each, request.version))]
    return replace(request, configuration=configuration, artifacts=[*map(_value, jars)], warnings=warnings), jars


async def _with_its_jar(request: JobRequest, asker: Asker, artifacts: Artifacts) -> tuple[JobRequest, list[Artifact]]:
    """The same of a jar job, which calls its jar as its code does."""
    if jar.JARS in request.configuration:
        raise Invalid(codes.FIELD_INVALID, f"{jar.JARS} is for Flink SQL; leave it out", field=_FIELD)
    written, field = jar.JarJob.parse(request.code, request.configuration).artifact, "executionContent.code.artifact"
    found = await artifacts.resolve(asker, written, field)
    if found.jar is None:
        what = f"{found.name} {found.version} is no jar, but {found.file_name}; name one"
        raise Invalid(codes.FIELD_INVALID, what, field=field)
    warnings = [f"{found.name}: {warning}"] if (warning := _warning(found, request.version)) else []
    return replace(request, artifacts=[_value(found) | {"name": written}], warnings=warnings), [found]


def _value(artifact: Artifact) -> dict[str, str | int]:
    return {
        "name": artifact.name,
        "location": artifact.location,
        "sha256": artifact.sha256,
        "size": artifact.size,
    }


def _warning(artifact: Artifact, flink_version: str) -> str:
    return "" if artifact.jar is None else artifact.jar.mismatch([flink_version])
