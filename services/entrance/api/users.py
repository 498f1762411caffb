"""/user/*: log in and out, who am I; users and their tokens."""

from __future__ import annotations

from typing import TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from commons.process.errors import Invalid, Refused
from protocol import codes
from services.entrance.api.asking import TICKET, address_of, asker_of, ticket_of
from services.entrance.api.bodies import LARGEST_LOG_IN, json_object
from services.entrance.api.declared import declared
from services.entrance.users import TokenInfo, Users
from services.entrance.wire import envelope
from services.entrance.wire.shapes import users as shapes
from services.entrance.wire.shapes.envelopes import Nothing

T = TypeVar("T")
_KINDS: dict[type, str] = {bool: "true or false", str: "a text", list: "a list"}
router = APIRouter(prefix="/user", tags=["user"])
_REVOKE = {"revokeToken": {"operationId": "revokeToken", "requestBody": {"id": "$response.body#/data/id"}}}
_TRIES = {429: "Too many wrong passwords came from the caller's address; try again later."}
_ADMINISTRATORS = {403: "For administrators only."}


@router.get("/login", include_in_schema=False)
@router.post("/login", **declared("login", shapes.LoggedIn, body=shapes.Login, anybody=True, also=_TRIES))
async def login(request: Request) -> Response:
    """Log in with {userName, password}, of at most 64 KiB; the answer sets the session's cookie."""
    users: Users = request.app.state.users
    known = await users.by_ticket(ticket_of(request)) if ticket_of(request) else None
    if known is not None:
        text = f"{known.user} already logged in, please log out before signing in(已经登录，请先退出再进行登录)！"
        return JSONResponse(envelope.ok(None, {"userName": known.user}, text))
    form = await json_object(request, may_lack=bool(request.query_params), largest=LARGEST_LOG_IN)
    body = {**request.query_params, **form}
    more: dict[str, object] = {"enableWatermark": False, "sessionTimeOut": users.session_ms}
    name, password = body.get("userName"), body.get("password")
    for value, text in (
        (name, "Username can not be empty(用户名不能为空)！"),
        (password, "Password can not be blank(密码不能为空)！"),
    ):
        if not isinstance(value, str) or not value:
            return JSONResponse(envelope.failed(None, text, more), 400)
    try:
        asker, ticket = await users.log_in(str(name), str(password), address_of(request))
    except Invalid as error:
        return JSONResponse(envelope.failed(None, error.message, more), 400)
    return _logged_in({**more, "isAdmin": asker.is_admin, "userName": asker.user}, ticket)


@router.post("/token-login", **declared("tokenLogin", shapes.LoggedInByToken))
async def token_login(request: Request) -> Response:
    """Log in with a token, in headers or cookies; the answer sets the session's cookie."""
    users: Users = request.app.state.users
    asker = await asker_of(request)
    return _logged_in({"isAdmin": asker.is_admin, "userName": asker.user}, await users.new_ticket(asker.user))


@router.get("/logout", include_in_schema=False)
@router.post("/logout", **declared("logout", Nothing, anybody=True))
async def logout(request: Request) -> Response:
    """End the session."""
    users: Users = request.app.state.users
    if ticket_of(request):
        await users.log_out(ticket_of(request))
    answer = JSONResponse(envelope.ok(None, message="Logout successful(退出登录成功)！"))
    answer.delete_cookie(TICKET, path="/", httponly=True, samesite="lax")
    return answer


@router.get("/userInfo", **declared("userInfo", shapes.LoggedInByToken))
async def user_info(request: Request) -> dict[str, object]:
    """Who the caller is."""
    asker = await asker_of(request)
    return envelope.ok(None, {"userName": asker.user, "isAdmin": asker.is_admin}, "get user information succeed!")


@router.get("/heartbeat", **declared("heartbeat", Nothing))
async def heartbeat(request: Request) -> dict[str, object]:
    """The session is alive, and stays so."""
    await asker_of(request)
    return envelope.ok(None, message="Maintain heartbeat success(维系心跳成功)")


@router.get("/publicKey", **declared("publicKey", shapes.PublicKey, anybody=True))
async def public_key(request: Request) -> dict[str, object]:
    """Passwords are sent as they are: TLS is what encrypts them."""
    data = {"enableSSL": request.url.scheme == "https", "enableLoginEncrypt": False}
    return envelope.ok(None, data, "Gain success(获取成功)！")


@router.get("/baseinfo", **declared("baseInfo", shapes.Cluster))
async def base_info(request: Request) -> dict[str, object]:
    """What consoles ask of the cluster."""
    await asker_of(request)
    data = {"resultSetExportEnable": True, "engineLogOnlyAdminEnable": False, "linkisClusterName": ""}
    return envelope.ok(None, data, "get baseinfo success(获取成功)！")


@router.post(
    "/create",
    **declared(
        "createUser", shapes.OneUser, body=shapes.NewUser, also=_ADMINISTRATORS | {409: "There is such a user already."}
    ),
)
async def create(request: Request) -> dict[str, object]:
    """A new user {userName, password, isAdmin}; administrators only."""
    asker = await asker_of(request)
    if not asker.is_admin:
        raise Refused(codes.ADMINISTRATORS_ONLY, "only administrators create users")
    body = await json_object(request)
    users: Users = request.app.state.users
    name = _given(body, "userName", str)
    await users.create(name, _given(body, "password", str), is_admin=_given(body, "isAdmin", bool, False))
    return envelope.ok(None, {"userName": name})


@router.get("/list", **declared("listUsers", shapes.UserList))
async def list_users(request: Request) -> dict[str, object]:
    """Every user, for administrators; for others only themselves. Tokens are told by id: only their hashes are kept."""
    users: Users = request.app.state.users
    listed = [
        {
            "userName": account.name,
            "isAdmin": account.is_admin,
            "createTime": account.created_ms,
            "tokens": [_told(token) for token in account.tokens],
        }
        for account in await users.accounts(await asker_of(request))
    ]
    return envelope.ok(None, {"users": listed})


@router.post(
    "/update",
    **declared("updateUser", shapes.OneUser, body=shapes.NewPassword | shapes.NewRights, also=_ADMINISTRATORS | _TRIES),
)
async def update(request: Request) -> dict[str, object]:
    """Change {userName, password, oldPassword}, by default your own; or {userName, isAdmin} of another user."""
    asker = await asker_of(request)
    body = await json_object(request)
    users: Users = request.app.state.users
    name = _given(body, "userName", str, asker.user)
    if ("password" in body) == ("isAdmin" in body):
        raise Invalid(codes.FIELD_INVALID, "give either password or isAdmin", field="password")
    if "password" in body:
        old = _given(body, "oldPassword", str, "")
        await users.change_password(asker, name, _given(body, "password", str), old, address_of(request))
    else:
        await users.set_administrator(asker, name, _given(body, "isAdmin", bool))
    return envelope.ok(None, {"userName": name})


@router.post(
    "/token-create",
    **declared(
        "createToken", shapes.FreshToken, body=shapes.NewToken, body_may_lack=True, also=_ADMINISTRATORS, links=_REVOKE
    ),
)
async def create_token(request: Request) -> dict[str, object]:
    """A token {legalUsers, expireDays}: by default your own, for good. The answer is the only one that holds it."""
    asker = await asker_of(request)
    body = await json_object(request, may_lack=True)
    names = _given(body, "legalUsers", list, [asker.user])
    if not names or not all(isinstance(name, str) for name in names):
        raise Invalid(codes.FIELD_INVALID, 'legalUsers must be a list of user names, or ["*"]', field="legalUsers")
    days = body.get("expireDays")
    if days is not None and (isinstance(days, bool) or not isinstance(days, int | float)):
        raise Invalid(codes.FIELD_INVALID, "expireDays must be a number", field="expireDays")
    users: Users = request.app.state.users
    info, secret = await users.create_token(asker, names, days)
    return envelope.ok(None, {**_told(info), "token": secret})


@router.post("/token-revoke", **declared("revokeToken", shapes.TokenId, body=shapes.TokenId))
async def revoke_token(request: Request) -> dict[str, object]:
    """A token {id} is void from now on: your own, or as an administrator anybody's."""
    asker = await asker_of(request)
    body = await json_object(request)
    token_id = body.get("id")
    if isinstance(token_id, bool) or not isinstance(token_id, int):
        raise Invalid(codes.FIELD_INVALID, "id must be a token's number, as /user/list tells it", field="id")
    users: Users = request.app.state.users
    await users.revoke_token(asker, token_id)
    return envelope.ok(None, {"id": token_id})


def _logged_in(data: dict[str, object], ticket: str) -> Response:
    answer = JSONResponse(envelope.ok(None, data, "login successful(登录成功)！"))
    answer.set_cookie(TICKET, ticket, path="/", httponly=True, samesite="lax")
    return answer


def _told(token: TokenInfo) -> dict[str, object]:
    return {"id": token.id, "legalUsers": token.legal_users, "expireTime": token.expires_ms}


def _given(body: dict[str, object], field: str, kind: type[T], default: T | None = None) -> T:
    value = body.get(field, default)
    if not isinstance(value, kind):
        raise Invalid(codes.FIELD_INVALID, f"{field} must be {_KINDS[kind]}", field=field)
    return value
