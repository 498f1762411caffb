"""/bml: artifacts, which Linkis calls materials: upload, versions, download, sharing, deletion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from commons.process.errors import Invalid
from protocol import codes
from services.entrance.api.asking import asker_of
from services.entrance.api.bodies import json_object
from services.entrance.api.declared import FORM, declared
from services.entrance.api.downloads import disposition
from services.entrance.api.forms import read_form
from services.entrance.artifacts import ID, Artifact, Artifacts
from services.entrance.jobs import Jobs
from services.entrance.references import parse_reference
from services.entrance.wire import artifacts as wire
from services.entrance.wire import envelope
from services.entrance.wire.shapes import artifacts as shapes
from services.entrance.wire.shapes.envelopes import Nothing

router = APIRouter(prefix="/bml", tags=["bml"])

LONGEST_SYSTEM = 64
PIECE = 2**20
_TYPE = "application/x-msdownload"
_FILE: dict[str, dict[str, object]] = {_TYPE: {"type": "string", "format": "binary"}}
_NOT_YOURS = {403: "It is another user's, and only shared with the caller."}
_TAKEN = {409: "The name is taken, or the version is there with another content."}
_USED = {409: "Jobs that have not ended use it."}
_LINKS = {
    name: {"operationId": name, "parameters": {"resourceId": "$response.body#/data/resourceId"}}
    for name in ("bmlGetBasic", "bmlGetVersions", "bmlDownload")
}


@router.post(
    "/upload", **declared("bmlUpload", shapes.Stored, body=shapes.Upload, body_type=FORM, also=_TAKEN, links=_LINKS)
)
async def upload(request: Request) -> dict[str, object]:
    """A new artifact: a form with one `file`, of at most HEADGATE_ARTIFACT_MB. A jar is opened and checked."""
    asker, artifacts = await asker_of(request), _artifacts(request)
    async with artifacts.receive() as file:
        form = await read_form(request, artifacts.largest, file.write)
        system = form.fields.get("system", "")
        if len(system) > LONGEST_SYSTEM:
            what = f"system is over {LONGEST_SYSTEM} characters; shorten it"
            raise Invalid(codes.FIELD_INVALID, what, field="system")
        await file.finish(form.fields.get("sha256", ""))
        stored = await artifacts.create(asker, file, form.file_name, form.fields.get("name", ""), system)
    return envelope.ok("/bml/upload", _stored(request, stored), wire.UPLOADED)


@router.post(
    "/updateVersion",
    **declared(
        "bmlUpdateVersion", shapes.Stored, body=shapes.Update, body_type=FORM, also=_NOT_YOURS | _TAKEN, links=_LINKS
    ),
)
async def update_version(request: Request) -> dict[str, object]:
    """The next version of an artifact: a form with `resourceId` and one `file`."""
    asker, artifacts = await asker_of(request), _artifacts(request)
    async with artifacts.receive() as file:
        form = await read_form(request, artifacts.largest, file.write)
        await file.finish(form.fields.get("sha256", ""))
        reference, version = wire.text_of(form.fields, ID), form.fields.get("version", "")
        stored = await artifacts.add_version(asker, file, form.file_name, reference, version)
    return envelope.ok("/api/bml/updateVersion", _stored(request, stored), wire.UPDATED)


@router.get("/download", response_class=StreamingResponse, **declared("bmlDownload", _FILE, query=shapes.DownloadQuery))
async def download(request: Request) -> StreamingResponse:
    """A version's content, with its sha256 as the ETag."""
    asker, artifacts, query = await asker_of(request), _artifacts(request), request.query_params
    reference = parse_reference(wire.text_of(query, ID), ID).with_version(query.get("version", ""), "version")
    found = await artifacts.find(asker, reference, version_field="version" if query.get("version") else "")
    content = _pieces(await artifacts.open(found))
    headers = {"Content-Length": str(found.size), "ETag": f'"{found.sha256}"', **disposition(found.file_name)}
    return StreamingResponse(content, media_type=f"{_TYPE};charset=utf-8", headers=headers)


@router.get("/getBasic", **declared("bmlGetBasic", shapes.Basics, query=shapes.IdQuery))
async def get_basic(request: Request) -> dict[str, object]:
    """What is known of an artifact; for those who may change it also who reads and who uses it."""
    asker = await asker_of(request)
    found = await _artifacts(request).basics(asker, wire.text_of(request.query_params, ID))
    return envelope.ok("/bml/getBasic", wire.basics(found), wire.BASICS)


@router.get("/getVersions", **declared("bmlGetVersions", shapes.Versions, query=shapes.VersionsQuery))
async def get_versions(request: Request) -> dict[str, object]:
    """An artifact's versions, page by page."""
    asker, query = await asker_of(request), request.query_params
    newest, some = await _artifacts(request).versions(asker, wire.text_of(query, ID), *wire.page_of(query))
    return envelope.ok("/bml/getVersions", wire.versions(newest, some), wire.VERSIONS)


@router.get("/getResources", **declared("bmlGetResources", shapes.Resources, query=shapes.ResourcesQuery))
async def get_resources(request: Request) -> dict[str, object]:
    """Your artifacts and those that are shared with you, page by page."""
    asker, query = await asker_of(request), request.query_params
    everything = query.get("isAdminView", "").lower() == "true"
    skip, most = wire.page_of(query)
    found = await _artifacts(request).visible(asker, query.get("system", ""), skip, most, all_users=everything)
    return envelope.ok("/bml/getResources", {"Resources": [wire.resource(each) for each in found]}, wire.RESOURCES)


@router.post(
    "/deleteVersion",
    **declared("bmlDeleteVersion", Nothing, body=shapes.OneVersion, also=_NOT_YOURS | _USED),
)
async def delete_version(request: Request) -> dict[str, object]:
    """One version goes, the artifact with its last one; refused while a job that has not ended uses it."""
    asker, body = await asker_of(request), await json_object(request)
    await _artifacts(request).delete(asker, wire.text_of(body, ID), wire.text_of(body, "version"))
    return envelope.ok("/bml/deleteVersion", message=wire.VERSION_DELETED)


@router.post(
    "/deleteResource",
    **declared("bmlDeleteResource", Nothing, body=shapes.OneResource, also=_NOT_YOURS | _USED),
)
async def delete_resource(request: Request) -> dict[str, object]:
    """An artifact goes with all its versions; refused while a job that has not ended uses one of them."""
    asker, body = await asker_of(request), await json_object(request)
    await _artifacts(request).delete(asker, wire.text_of(body, ID))
    return envelope.ok("/bml/deleteResource", message=wire.DELETED)


@router.post("/share", **declared("bmlShare", shapes.Shared, body=shapes.Share, also=_NOT_YOURS))
async def share(request: Request) -> dict[str, object]:
    """Who may read an artifact, all of its versions, and use it in jobs."""
    asker, body = await asker_of(request), await json_object(request)
    reference, users = wire.text_of(body, ID), wire.users_of(body)
    found, readers = await _artifacts(request).share(asker, reference, users)
    return envelope.ok("/bml/share", {"resourceId": found.resource_id, "sharedWith": readers})


def _artifacts(request: Request) -> Artifacts:
    artifacts: Artifacts = request.app.state.artifacts
    return artifacts


def _stored(request: Request, artifact: Artifact) -> dict[str, object]:
    jobs: Jobs = request.app.state.jobs
    return wire.stored(artifact, jobs.offered.get("flink", ()))


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece
