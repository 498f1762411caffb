"""Once jobs as Linkis' Java client sends them: the job's JSON as a material, then an engine for it, then what it asks.

Told by the client's source (SimpleOnceJob, LinkisManagerClient): the order of its requests, their keys, and the types
that it casts to, at which it fails otherwise. `getAs[Double]` takes no whole number, `getAs[Int]` no text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx2

from tests.conftest import Service
from tests.support.document import contradictions
from tests.support.rest import PREFIX

POSTED = {"Content-Type": "application/json", "Content-Encoding": "utf-8"}
COMPLETED, RUNNING = {"success", "failed", "shuttingdown"}, {"unlock", "running", "idle", "busy"}


class OnceClient:
    """SimpleOnceJob of one user, with its token."""

    def __init__(self, service: Service, user: str = "", token: str = "", engine: str = "shell-1") -> None:
        self.user, self.engine_type = user or service.user, engine
        headers = {"Token-Code": token or service.token, "Token-User": self.user}
        self.http = httpx2.Client(base_url=service.url + PREFIX, headers=headers, timeout=60)
        self.data: dict[str, Any] = {}

    def close(self) -> None:
        self.http.close()

    def upload(self, content: object) -> str:
        """The value of onceExecutorContent."""
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        file = {"file": ("shell-1", raw, "application/octet-stream")}
        answer = self.http.post("/bml/upload", params={"system": "WTSS"}, data={"system": "WTSS"}, files=file).json()
        assert answer["status"] == 0, answer
        id, version = answer["data"]["resourceId"], answer["data"]["version"]
        return f"resource_{len(id):03d}{id}{version}"

    def body(self, content: str, run_type: str = "shell", **startup: str) -> dict[str, Any]:
        """Of createEngineConn."""
        labels = {"engineType": self.engine_type, "userCreator": f"{self.user}-Streamis", "engineConnMode": "once"}
        properties = {"onceExecutorContent": content, "label.codeType": run_type, **startup}
        return {
            "properties": properties, "labels": labels, "createService": "Streamis", "timeOut": 300_000,
            "description": None, "ignoreTimeout": True,
        }  # fmt: skip

    def submit(self, code: str, run_type: str = "shell", **more: Mapping[str, object]) -> Any:
        """The node's information of the new engine, which the client keeps."""
        content = {"source": {"jobName": "x"}, "variable": {}, "runtime": {}, **more}
        content["jobContent"] = {"runType": run_type, "code": code, **more.get("jobContent", {})}
        self.data = self.good("createEngineConn", self.body(self.upload(content), run_type))
        info = self.data["engine"]
        assert (type(info["ticketId"]), type(info["nodeStatus"])) == (str, str)
        for name in ("serviceInstance", "ecmServiceInstance"):
            assert {type(info[name][key]) for key in ("applicationName", "instance")} == {str}
        return info

    def post(self, action: str, body: object) -> httpx2.Response:
        content = json.dumps(body).encode()
        reply = self.http.post(f"/linkisManager/{action}", content=content, headers=POSTED)
        assert contradictions(reply) == []
        return reply

    def good(self, action: str, body: object) -> Any:
        reply = self.post(action, body)
        answer = reply.json()
        assert (reply.status_code, answer["status"]) == (200, 0), answer
        assert answer["method"] == f"/api/linkisManager/{action}"
        return answer["data"]

    def named(self, **more: object) -> dict[str, object]:
        service = self.data["engine"]["serviceInstance"]
        return {"applicationName": service["applicationName"], "instance": service["instance"], **more}

    def status(self) -> str:
        node = self.good("getEngineConn", self.named(ticketId=self.data["engine"]["ticketId"]))["engine"]
        assert node["serviceInstance"]["instance"] == self.data["engine"]["serviceInstance"]["instance"]
        return str(node["nodeStatus"])

    def operate(self, operator: str, **parameters: object) -> dict[str, Any]:
        """What it gives; it goes well."""
        told = self.operated(operator, **parameters)
        assert not told["isError"] and told["errorMsg"] == "", told
        return dict(told["result"])

    def failed(self, operator: str, **parameters: object) -> str:
        told = self.operated(operator, **parameters)
        assert told["isError"] is True and told["result"] == {}, told
        return str(told["errorMsg"])

    def operated(self, operator: str, **parameters: object) -> Any:
        asked = {"__operator_name__": operator, **parameters} if operator else parameters
        return self.good("executeEngineConnOperation", self.named(parameters=asked))

    def log(self, action: str = "executeECMOperation", **parameters: object) -> Any:
        """One page, as EngineConnLogOperator asks for it."""
        engine, name = (
            self.data["engine"],
            "ecmServiceInstance" if action == "executeECMOperation" else "serviceInstance",
        )
        body = {
            "applicationName": engine[name]["applicationName"], "instance": engine[name]["instance"],
            "parameters": {
                "__operator_name__": "engineConnLog", "pageSize": 100, "fromLine": 1, "ticketId": engine["ticketId"],
                "creator": self.user, "engineConnInstance": engine["serviceInstance"]["instance"],
                "engineConnType": self.engine_type, **parameters,
            },
        }  # fmt: skip
        told = self.good(action, body)
        assert not told["isError"], told
        result = told["result"]
        assert (type(result["logs"]), type(result["rows"]), type(result["endLine"])) == (list, int, int)
        assert type(result["logPath"]) is str and result["rows"] == len(result["logs"])
        return result

    def kill(self) -> None:
        self.good("killEngineConn", self.named(ticketId=self.data["engine"]["ticketId"]))
