"""/bml: artifacts, as Linkis' clients and ours see them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from services.entrance.wire import artifacts as wire
from services.entrance.wire.shapes.envelopes import Number, Shape, may_lack

Reference = Annotated[str, Field(min_length=1)]
Version = Annotated[str, Field(examples=["v000001"])]
File = Annotated[str, Field(json_schema_extra={"format": "binary"})]
PageSize = Annotated[int, Field(ge=-(2**53), le=wire.LARGEST_PAGE)]
Page = Annotated[int, Field(ge=-(2**31) + 1, le=2**31 - 1)]


class IdQuery(Shape):
    resourceId: Reference
    """Its id, its name, or <owner>/<name>; a version may follow: @v000001."""


class DownloadQuery(IdQuery):
    version: str = ""
    """The newest when it is not given."""


class Paged(Shape):
    currentPage: Page = 1
    """The page, from 1."""
    pageSize: PageSize = 10
    """How many on a page; below 1 as many as by default."""


class VersionsQuery(IdQuery, Paged):
    pass


class ResourcesQuery(Paged):
    system: str = ""
    """Only those uploaded with it."""
    isAdminView: str = ""
    """`true`: those of all users, for administrators."""


class Upload(Shape):
    file: File
    name: str = may_lack()
    """By which jobs name it, unique among your artifacts; by default that of the file, of a jar without its ending."""
    system: str = may_lack()
    sha256: str = may_lack()
    """What was sent: a file that comes otherwise is refused."""


class Update(Shape):
    file: File
    resourceId: Reference
    """Its id, its name, or <owner>/<name>."""
    version: str = may_lack()
    """The one it shall be: the next, or one that has this content already; so an update may be repeated."""
    sha256: str = may_lack()
    """What was sent: a file that comes otherwise is refused."""


class OneVersion(Shape):
    resourceId: Reference
    version: Version


class OneResource(Shape):
    resourceId: Reference


class Share(OneResource):
    users: list[str]
    """Who may read it from now on, and no others; ["*"] is everybody."""


class Shared(Shape):
    resourceId: str
    sharedWith: list[str]


class Stored(Shape):
    resourceId: str
    version: Version
    taskId: int
    name: str
    """The id of one that was given none."""
    sha256: str
    size: int
    warnings: list[str]
    """What may hinder it, such as a jar built for another Flink."""


class JarInfo(Shape):
    mainClass: str
    """Of its manifest; may be empty."""
    entryClasses: list[str]
    """Classes with a `main`; some of them when there are very many."""
    flinkVersion: str
    """What it was built for; empty when that cannot be told."""


class VersionInfo(Shape):
    version: Version
    resource: str
    """Where it lies."""
    sha256: str
    size: int
    fileName: str
    createTime: int
    """Milliseconds since 1970."""
    jar: JarInfo = may_lack()


class VersionList(Shape):
    resourceId: str
    user: str
    """Its owner."""
    versions: list[VersionInfo]
    """The newest first."""


class Versions(Shape):
    ResourceVersions: VersionList


class Using(Shape):
    taskID: Number
    """0: it is being submitted."""
    user: str
    status: str
    version: Version


class Basic(Shape):
    resourceId: str
    owner: str
    downloadedFileName: str
    system: str | None
    expireTime: str
    """Nothing expires."""
    numberOfVerions: int
    createTime: int
    """Milliseconds since 1970."""
    name: str
    versionInfo: VersionInfo
    """The version that was asked for; without one the newest."""
    sharedWith: list[str] = may_lack()
    """This and usedBy: for its owner and administrators."""
    usedBy: list[Using] = may_lack()
    """Jobs that have not ended, the oldest first, at most 100."""


class Basics(Shape):
    basic: Basic


class Resource(VersionInfo):
    user: str
    """Its owner."""
    resourceId: str
    name: str


class Resources(Shape):
    Resources: list[Resource]
    """The newest first, each by its newest version."""
