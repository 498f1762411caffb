"""/filesystem/*: a user's workspace folder, to write in."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from commons.process.errors import Invalid
from protocol import codes
from services.entrance.api.asking import asker_of
from services.entrance.api.bodies import WrongType, bounded, json_object
from services.entrance.api.declared import FORM, declared
from services.entrance.api.places import work_place
from services.entrance.wire import envelope
from services.entrance.wire.shapes import files as shapes
from services.entrance.wire.shapes.envelopes import Nothing
from services.entrance.workspace import Place, Workspaces, checked_file_name

router = APIRouter(prefix="/filesystem", tags=["filesystem"])

LARGEST_UPLOAD = 500 * 1024 * 1024
MOST_FILES = 100
MOST_FIELDS = 10
_FULL = {500: "It could not be written."}


@router.get("/getUserRootPath", **declared("userRootPath", shapes.Root, query=shapes.RootQuery))
async def user_root_path(request: Request) -> dict[str, object]:
    """The caller's workspace folder."""
    asker = await asker_of(request)
    if request.query_params.get("pathType", "file").lower() != "file":
        raise Invalid(codes.ROOT_MISSING, "there are only local workspaces; pathType must be file", field="pathType")
    workspaces: Workspaces = request.app.state.workspaces
    root = await asyncio.to_thread(workspaces.root, asker.user)
    return envelope.ok("/api/filesystem/getUserRootPath", {"userLocalRootPath": root})


@router.post("/createNewDir", **declared("createNewDir", Nothing, body=shapes.Folder))
async def create_new_dir(request: Request) -> dict[str, object]:
    """A new folder {path} in the caller's workspace, with those above it."""
    asker = await asker_of(request)
    body = await json_object(request)
    workspaces: Workspaces = request.app.state.workspaces
    await asyncio.to_thread(workspaces.make_folder, work_place(request, asker, body.get("path")))
    return envelope.ok("/api/filesystem/createNewDir")


@router.post("/upload", **declared("upload", Nothing, body=shapes.Upload, body_type=FORM, also=_FULL))
async def upload(request: Request) -> dict[str, object]:
    """Files into the folder `path` of the caller's workspace: a form with `path` and one or more `file`."""
    asker = await asker_of(request)
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        what = f"Content-Type must be multipart/form-data, not {kind[:60] or 'missing'}"
        raise WrongType(codes.REQUEST_INVALID, what, field="Content-Type")
    try:
        chunks = bounded(request, LARGEST_UPLOAD, "file")
        form = await MultiPartParser(request.headers, chunks, max_files=MOST_FILES, max_fields=MOST_FIELDS).parse()
    except (MultiPartException, KeyError) as error:
        raise Invalid(codes.REQUEST_INVALID, f"the form cannot be read: {error}", field="body") from None
    try:
        folder = work_place(request, asker, form.get("path"))
        files = [file for file in form.getlist("file") if isinstance(file, UploadFile)]
        if not files:
            raise Invalid(codes.FIELD_INVALID, "file is missing; send one or more", field="file")
        named = [(_within(folder, checked_file_name(file.filename or "")), file) for file in files]
        workspaces: Workspaces = request.app.state.workspaces
        await asyncio.to_thread(workspaces.check_names, [place for place, _ in named])
        for place, file in named:
            await asyncio.to_thread(workspaces.write, place, file.file)
    finally:
        await form.close()
    return envelope.ok("/api/filesystem/upload")


def _within(folder: Place, name: str) -> Place:
    return Place(folder.user, (*folder.parts, name), f"{folder.address.rstrip('/')}/{name}")
