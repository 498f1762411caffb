"""The Python client of Headgate: submit code, follow it, read its results. REST only."""

from headgate.asynchronous import AsyncClient, AsyncJob, AsyncResultSet
from headgate.client import Client, Job, ResultSet
from headgate.errors import HeadgateError, NoSuchResult, NotLoggedIn, Refused, Unreachable
from headgate.values import Column, Progress, Savepoint, Update

__all__ = [
    "AsyncClient",
    "AsyncJob",
    "AsyncResultSet",
    "Client",
    "Column",
    "HeadgateError",
    "Job",
    "NoSuchResult",
    "NotLoggedIn",
    "Progress",
    "Refused",
    "ResultSet",
    "Savepoint",
    "Unreachable",
    "Update",
]
