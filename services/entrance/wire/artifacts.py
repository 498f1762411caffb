"""Artifacts as Linkis' /bml tells them, and what we tell beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from commons.process.errors import Invalid
from protocol import codes
from services.entrance.artifacts import Artifact, Basics
from services.entrance.wire.queries import number

UPLOADED = "The task of submitting and uploading resources was successful(提交上传资源任务成功)"
UPDATED = "The update resource task was submitted successfully(提交更新资源任务成功)"
VERSIONS = "Version information obtained successfully (成功获取版本信息)"
BASICS = "Acquisition of resource basic information successfully(获取资源基本信息成功)"
RESOURCES = "Get all your resources successfully(获取您的所有资源成功)"
VERSION_DELETED = "Deleted version successfully(删除版本成功)"
DELETED = "Resource deleted successfully(删除资源成功)"
LARGEST_PAGE = 1000
_PAGE = 10


def stored(artifact: Artifact, flink_versions: Sequence[str]) -> dict[str, object]:
    """A version that has just come; `warnings` says what may hinder a jar on the Flink there is."""
    warning = "" if artifact.jar is None else artifact.jar.mismatch(flink_versions)
    return {
        "resourceId": artifact.resource_id,
        "version": artifact.version,
        "taskId": artifact.row_id,
        "name": artifact.name,
        "sha256": artifact.sha256,
        "size": artifact.size,
        "warnings": [warning] if warning else [],
    }


def version(artifact: Artifact) -> dict[str, object]:
    """One version; of a jar also what it says of itself."""
    said = {
        "version": artifact.version,
        "resource": artifact.address,
        "sha256": artifact.sha256,
        "size": artifact.size,
        "fileName": artifact.file_name,
        "createTime": artifact.created_ms,
    }
    if artifact.jar is None:
        return said
    jar = {
        "mainClass": artifact.jar.main_class,
        "entryClasses": list(artifact.jar.entry_classes),
        "flinkVersion": artifact.jar.flink,
    }
    return {**said, "jar": jar}


def versions(newest: Artifact, some: Sequence[Artifact]) -> dict[str, object]:
    said = {
        "resourceId": newest.resource_id,
        "user": newest.owner,
        "versions": [version(each) for each in some],
    }
    return {"ResourceVersions": said}


def basics(found: Basics) -> dict[str, object]:
    """Linkis' fields, and whom it is shared with and who uses it, for those who may know."""
    shown = found.version
    said: dict[str, object] = {
        "resourceId": shown.resource_id,
        "owner": shown.owner,
        "downloadedFileName": shown.file_name,
        "system": found.system,
        "expireTime": "Resource not expired(资源不过期)",
        "numberOfVerions": found.versions,
        "createTime": found.created_ms,
        "name": shown.name,
        "versionInfo": version(shown),
    }
    if found.readers is not None:
        said["sharedWith"] = list(found.readers)
    if found.users is not None:
        said["usedBy"] = [
            {"taskID": user.job_id, "user": user.user, "status": user.status, "version": f"v{user.number:06d}"}
            for user in found.users
        ]
    return {"basic": said}


def resource(artifact: Artifact) -> dict[str, object]:
    """A line of the list: an artifact by its newest version."""
    return {
        "user": artifact.owner,
        "resourceId": artifact.resource_id,
        "name": artifact.name,
        **version(artifact),
    }


def page_of(query: Mapping[str, str]) -> tuple[int, int]:
    """How many to leave out, and how many to tell. Raises Invalid naming the parameter."""
    page, size = number(query, "currentPage", 1, 2**31 - 1), number(query, "pageSize", _PAGE, LARGEST_PAGE)
    size = size if size > 0 else _PAGE
    return (max(1, page) - 1) * size, size


def text_of(body: Mapping[str, object], field: str) -> str:
    """A text that must be there. Raises Invalid naming the field."""
    value = body.get(field)
    if not isinstance(value, str) or not value.strip():
        raise Invalid(codes.FIELD_INVALID, f"{field} is missing; it is a text", field=field)
    return value.strip()


def users_of(body: Mapping[str, object]) -> list[str]:
    """The users to share with. Raises Invalid."""
    users = body.get("users")
    if not isinstance(users, list) or not all(isinstance(name, str) and name for name in users):
        what = 'users must be a list of user names, ["*"] for everybody, [] for nobody'
        raise Invalid(codes.FIELD_INVALID, what, field="users")
    return users
