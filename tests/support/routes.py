"""The routes as the document tells them, and how to call one: what is tested of every route is tested of a new one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2

from tests.support.document import document
from tests.support.rest import PREFIX, Rest

ALERT = {
    "receiver": "alice,bob", "extra": {"title": "late", "detail": "more"}, "monitorLevel": "MINOR", "subSystemId": "1",
}  # fmt: skip
ARTIFACT = "asked"
"""By this name an artifact is asked about; who asks makes it."""
ASKED = {
    "executeEngineConnOperation": "status",
    "executeECMOperation": "engineConnLog",
    "executeECMOperationByEC": "engineConnLog",
}
"""Routes that ask something of a job through its engine, and what they are asked here."""


@dataclass(frozen=True)
class Route:
    """One operation of the document; `path` has its prefix, and places such as {id}."""

    method: str
    path: str
    said: dict[str, Any]

    def __str__(self) -> str:
        return str(self.said["operationId"])

    def parameters(self, place: str) -> dict[str, dict[str, Any]]:
        """The schemas of its parameters in `query`, `path` or `header`, by name."""
        return {each["name"]: each["schema"] for each in self.said["parameters"] if each["in"] == place}

    @property
    def needs_log_in(self) -> bool:
        return "security" in self.said

    @property
    def takes_json(self) -> bool:
        return "application/json" in self.said.get("requestBody", {}).get("content", {})

    @property
    def takes_form(self) -> bool:
        return "multipart/form-data" in self.said.get("requestBody", {}).get("content", {})

    @property
    def fields(self) -> dict[str, Any]:
        """The schemas of a form's fields, by name."""
        content = self.said.get("requestBody", {}).get("content", {}).get("multipart/form-data", {})
        return dict(content.get("schema", {}).get("properties", {}))

    @property
    def names_a_job(self) -> bool:
        in_body = self.observes or self.names_an_engine
        return "{id}" in self.path or bool({"jobId", "taskId"} & self.parameters("query").keys()) or in_body

    @property
    def names_an_engine(self) -> bool:
        return str(self) in ("getEngineConn", "killEngineConn", *ASKED)

    @property
    def observes(self) -> bool:
        return self.path.endswith("/addObserveInfo")

    @property
    def takes_path(self) -> bool:
        """Whether it takes a path of a file: in the query, or in the body."""
        return "path" in {**self.parameters("query"), **self.fields} or self.path.endswith("/createNewDir")

    def body(self, key: str | int) -> object:
        """A good body, about the job `key` where it is about one."""
        if self.observes:
            return {"taskId": key, **ALERT}
        if self.names_an_engine:
            operation = {"__operator_name__": ASKED.get(str(self)), "engineConnInstance": key}
            return {"applicationName": "linkis-cg-engineconn", "instance": key, "parameters": operation}
        return {"idList": [key], "taskIDList": [key]} if self.path.endswith("/killJobs") else {}

    def _required(self) -> list[str]:
        return [each["name"] for each in self.said["parameters"] if each["required"] and each["in"] == "query"]

    def ask(self, rest: Rest, key: str | int = 1, *, path: str = "", query: Any = None, **more: Any) -> httpx2.Response:
        """Call it about the job `key` or the file `path`, as far as it takes these; `query` is asked beside them."""
        place = {name: "0" for name in self.parameters("path")} | {"id": quote(str(key), safe="")}
        usual = {"jobId": key, "taskId": key, "taskID": key, "path": path, "resourceId": ARTIFACT}
        needed = {name: usual[name] for name in self._required()}
        if self.takes_json and not {"json", "content"} & more.keys():
            more["json"] = {"path": path} if self.takes_path else self.body(key)
        if self.takes_form and not {"data", "content"} & more.keys():
            more |= {"data": {"path": path}, "files": {"file": ("new.txt", b"new")}}
        return rest.http.request(self.method, self.path.format(**place), params={**needed, **(query or {})}, **more)


ROUTES = [
    Route(method.upper(), path, said)
    for path, operations in document()["paths"].items()
    for method, said in operations.items()
    if path.startswith(f"{PREFIX}/")
]
