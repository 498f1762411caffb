"""/user/*: log in and out, who am I, new users."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from commons.process.errors import HeadgateError, Invalid, Refused
from protocol import codes
from services.entrance.api.asking import TICKET, asker_of, ticket_of
from services.entrance.api.bodies import json_object
from services.entrance.users import Users
from services.entrance.wire import envelope

router = APIRouter(prefix="/user", tags=["user"])


@router.get("/login", include_in_schema=False)
@router.post("/login")
async def login(request: Request) -> Response:
    """Log in with {userName, password}; the answer sets the session's cookie."""
    users: Users = request.app.state.users
    known = await users.by_ticket(ticket_of(request)) if ticket_of(request) else None
    if known is not None:
        text = f"{known.user} already logged in, please log out before signing in(已经登录，请先退出再进行登录)！"
        return JSONResponse(envelope.ok(None, {"userName": known.user}, text))
    body = {**request.query_params, **await json_object(request, may_lack=bool(request.query_params))}
    more: dict[str, object] = {"enableWatermark": False, "sessionTimeOut": users.session_ms}
    name, password = body.get("userName"), body.get("password")
    for value, text in (
        (name, "Username can not be empty(用户名不能为空)！"),
        (password, "Password can not be blank(密码不能为空)！"),
    ):
        if not isinstance(value, str) or not value:
            return JSONResponse(envelope.failed(None, text, more), 400)
    try:
        asker, ticket = await users.log_in(str(name), str(password))
    except Invalid as error:
        return JSONResponse(envelope.failed(None, error.message, more), 400)
    return _logged_in({**more, "isAdmin": asker.is_admin, "userName": asker.user}, ticket)


@router.post("/token-login")
async def token_login(request: Request) -> Response:
    """Log in with a token, in headers or cookies; the answer sets the session's cookie."""
    users: Users = request.app.state.users
    asker = await asker_of(request)
    return _logged_in({"isAdmin": asker.is_admin, "userName": asker.user}, await users.new_ticket(asker.user))


@router.get("/logout", include_in_schema=False)
@router.post("/logout")
async def logout(request: Request) -> Response:
    """End the session."""
    users: Users = request.app.state.users
    if ticket_of(request):
        await users.log_out(ticket_of(request))
    answer = JSONResponse(envelope.ok(None, message="Logout successful(退出登录成功)！"))
    answer.delete_cookie(TICKET, path="/", httponly=True, samesite="lax")
    return answer


@router.get("/userInfo")
async def user_info(request: Request) -> dict[str, object]:
    """Who the caller is."""
    asker = await asker_of(request)
    return envelope.ok(None, {"userName": asker.user, "isAdmin": asker.is_admin}, "get user information succeed!")


@router.get("/heartbeat")
async def heartbeat(request: Request) -> dict[str, object]:
    """The session is alive, and stays so."""
    await asker_of(request)
    return envelope.ok(None, message="Maintain heartbeat success(维系心跳成功)")


@router.get("/publicKey")
async def public_key(request: Request) -> dict[str, object]:
    """Passwords are sent as they are: TLS is what encrypts them."""
    data = {"enableSSL": request.url.scheme == "https", "enableLoginEncrypt": False}
    return envelope.ok(None, data, "Gain success(获取成功)！")


@router.get("/baseinfo")
async def base_info(request: Request) -> dict[str, object]:
    """What consoles ask of the cluster."""
    await asker_of(request)
    data = {"resultSetExportEnable": True, "engineLogOnlyAdminEnable": False, "linkisClusterName": ""}
    return envelope.ok(None, data, "get baseinfo success(获取成功)！")


@router.post("/create")
async def create(request: Request) -> dict[str, object]:
    """A new user {userName, password, isAdmin}; administrators only."""
    asker = await asker_of(request)
    if not asker.is_admin:
        raise Refused(codes.ADMINISTRATORS_ONLY, "only administrators create users")
    body = await json_object(request)
    name, password, is_admin = body.get("userName"), body.get("password"), body.get("isAdmin", False)
    if not isinstance(name, str) or not isinstance(password, str) or not isinstance(is_admin, bool):
        field = next((f for f in ("userName", "password") if not isinstance(body.get(f), str)), "isAdmin")
        raise _wrong(field)
    users: Users = request.app.state.users
    await users.create(name, password, is_admin=is_admin)
    return envelope.ok(None, {"userName": name})


def _logged_in(data: dict[str, object], ticket: str) -> Response:
    answer = JSONResponse(envelope.ok(None, data, "login successful(登录成功)！"))
    answer.set_cookie(TICKET, ticket, path="/", httponly=True, samesite="lax")
    return answer


def _wrong(field: str) -> HeadgateError:
    kind = "true or false" if field == "isAdmin" else "a text"
    return Invalid(codes.FIELD_INVALID, f"{field} must be {kind}", field=field)
