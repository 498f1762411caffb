"""The Python client of Headgate: submit code, follow it, read its results. REST only."""

from headgate.client import Client, Job, ResultSet
from headgate.errors import HeadgateError, NotLoggedIn, Refused, Unreachable

__all__ = ["Client", "HeadgateError", "Job", "NotLoggedIn", "Refused", "ResultSet", "Unreachable"]
