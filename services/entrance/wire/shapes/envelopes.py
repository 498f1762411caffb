"""What answers are wrapped in, and what all shapes share. Shapes are what the OpenAPI document says; nothing is parsed
by them."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Number = Annotated[int, Field(ge=-(2**53), le=2**53)]
Flag = Annotated[str, Field(examples=["true"])]
"""In a query: `true`, or anything else for no."""


class Shape(BaseModel):
    """A JSON object, or the parameters of a query; what stands below a field says what it means."""

    model_config = ConfigDict(use_attribute_docstrings=True)


Data = TypeVar("Data")


class Envelope(Shape, Generic[Data]):
    method: str | None
    """The route without its version prefix; null for /user."""
    status: Literal[0]
    message: str
    data: Data


def may_lack() -> Any:
    """The value of a field that an answer need not have."""
    return Field(default=None, json_schema_extra=_drop_default)


def _drop_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


class ErrorMsg(Shape):
    serviceKind: str
    level: int
    port: int
    errCode: int
    """One of the error codes."""
    ip: str
    desc: str
    """What is wrong, and how to mend it."""


class FailureData(Shape):
    errorMsg: ErrorMsg = may_lack()
    """Lacks where Linkis has a text of its own for the refusal."""
    trace_id: str = may_lack()
    """Under this id the service's log may have more."""
    field: str = may_lack()
    """The input at fault."""
    enableWatermark: bool = may_lack()
    """Only of /user/login, as in its good answers."""
    sessionTimeOut: int = may_lack()


class Failure(Shape):
    method: str | None
    status: Literal[1, -1, 2, 3, 4]
    """-1: log in first; 3: not allowed; 1: anything else."""
    message: str
    """What is wrong, and how to mend it."""
    data: FailureData


class Nothing(Shape):
    pass
