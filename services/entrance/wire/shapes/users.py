"""/user: log-ins, users, tokens; and whether the service is there."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from services.entrance.wire.shapes.envelopes import Shape, may_lack

UserName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.]{1,20}$")]
Password = Annotated[str, Field(min_length=8, max_length=200)]
Text = Annotated[str, Field(min_length=1)]


class Login(Shape):
    userName: Text
    password: Text


class NewUser(Shape):
    userName: UserName
    password: Password
    isAdmin: bool = False


class NewPassword(Shape):
    userName: str = may_lack()
    """By default the caller."""
    password: Password
    oldPassword: str = ""
    """To change one's own."""


class NewRights(Shape):
    userName: str = may_lack()
    isAdmin: bool


class NewToken(Shape):
    legalUsers: list[str] = Field(default=[], json_schema_extra={"minItems": 1})
    """Users it is for, or ["*"] for all; by default the caller alone."""
    expireDays: float | None = Field(None, gt=0, le=3650)
    """null: until it is revoked."""


class TokenId(Shape):
    id: int


class LoggedIn(Shape):
    userName: str
    isAdmin: bool = may_lack()
    """Lacks when the caller was logged in already."""
    enableWatermark: bool = may_lack()
    sessionTimeOut: int = may_lack()
    """A log-in without requests ends after so many milliseconds."""


class LoggedInByToken(Shape):
    userName: str
    isAdmin: bool


class PublicKey(Shape):
    enableSSL: bool
    enableLoginEncrypt: bool


class Cluster(Shape):
    resultSetExportEnable: bool
    engineLogOnlyAdminEnable: bool
    linkisClusterName: str


class OneUser(Shape):
    userName: str


class Token(Shape):
    id: int
    legalUsers: list[str]
    expireTime: int | None
    """Milliseconds since 1970."""


class FreshToken(Token):
    token: str


class User(Shape):
    userName: str
    isAdmin: bool
    createTime: int
    """Milliseconds since 1970."""
    tokens: list[Token]


class UserList(Shape):
    users: list[User]
