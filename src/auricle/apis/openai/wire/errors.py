"""Errors in OpenAI's format."""

from typing import TypedDict


class ErrorFields(TypedDict):
    """The ``error`` object of a response."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorResponse(TypedDict):
    """The JSON body of an error response."""

    error: ErrorFields


def error_fields(message: str, *, status: int, code: str, param: str | None = None) -> ErrorFields:
    """Return the ``error`` object of a response."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"message": message, "type": kind, "param": param, "code": code}
