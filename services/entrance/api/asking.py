"""Who asks: by log-in ticket or by token, in headers or cookies; and for which job."""

from __future__ import annotations

from fastapi import Request

from commons.process.errors import Invalid, NotFound, NotLoggedIn
from protocol import codes
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from services.entrance.jobs import Jobs
from services.entrance.users import Asker, Users
from services.entrance.wire.envelope import NOT_LOGGED_IN
from services.entrance.wire.exec_id import parse_job_key

TICKET = "linkis_user_session_ticket_id_v1"


def ticket_of(request: Request) -> str:
    return request.cookies.get(TICKET, "")


def address_of(request: Request) -> str:
    """Where the request comes from."""
    return request.client.host if request.client else ""


async def asker_of(request: Request) -> Asker:
    """The user behind a request. Raises NotLoggedIn."""
    users: Users = request.app.state.users
    token = request.headers.get("Token-Code") or request.cookies.get("Token-Code")
    if token:
        name = request.headers.get("Token-User") or request.cookies.get("Token-User") or ""
        return await users.by_token(token, name)
    ticket = ticket_of(request)
    asker = await users.by_ticket(ticket) if ticket else None
    if asker is None:
        raise NotLoggedIn(codes.NOT_LOGGED_IN, NOT_LOGGED_IN)
    return asker


async def job_of(request: Request, id: str, asker: Asker | None = None) -> pb.Job | None:
    """The job, or None when it is unknown or another user's: the two look alike."""
    jobs: Jobs = request.app.state.jobs
    try:
        return await jobs.find(parse_job_key(id), asker or await asker_of(request))
    except (NotFound, Invalid):
        return None
