"""The OpenAPI document at /openapi.json: what holds for all routes. What holds for one stands in its decorator."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from services.entrance.api.declared import SECURITY

_DESCRIPTION = """\
Headgate speaks Apache Linkis' REST contract. Every route under `/api/rest_j/v1` is there under `/api` too.

Callers show who they are by the headers `Token-Code` and `Token-User` (or cookies of these names), or by the cookie
that `POST /user/login` sets. Answers are an envelope, `{method, status, message, data}`: `status` is 0 when all is
well, otherwise `message` says what is wrong and how to mend it, mostly with an error code in `data.errorMsg.errCode`,
the input at fault in `data.field`, and a `data.trace_id` under which the service's log may have more. HTTP 429 and 503
carry `Retry-After`: the same request may work later. `POST` takes JSON of at most 12 MiB unless a route says otherwise;
fields and parameters that are not named here are passed over."""

_TAGS = [
    {"name": "user", "description": "Log-ins, users and their tokens."},
    {"name": "entrance", "description": "Jobs: submit, watch, kill, and read their results."},
    {"name": "jobhistory", "description": "Jobs that are and were, and what is noted beside them."},
    {"name": "filesystem", "description": "Result sets, logs and the caller's workspace as files."},
    {"name": "bml", "description": "Artifacts: files that jobs bring with them, in versions that never change."},
    {"name": "linkisManager", "description": "Once jobs, by the engines that Linkis creates for them."},
    {"name": "operation", "description": "The service at work."},
    {"name": "health", "description": "Whether the service is there; no log-in, no envelope."},
]


class Door(FastAPI):
    """The REST door's application."""

    def __init__(self) -> None:
        super().__init__(title="Headgate", description=_DESCRIPTION, openapi_tags=_TAGS, docs_url=None, redoc_url=None)

    def openapi(self) -> dict[str, Any]:
        fresh = self.openapi_schema is None
        whole = super().openapi()
        if fresh:
            components = whole["components"]
            components["securitySchemes"] = SECURITY
            for name in ("HTTPValidationError", "ValidationError"):  # refusals are the envelope instead
                components["schemas"].pop(name)
            for path in whole["paths"].values():
                for operation in path.values():
                    operation["responses"].pop("422", None)
        return whole
