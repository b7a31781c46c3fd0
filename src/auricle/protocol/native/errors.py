"""Errors in the native format."""

from typing import TypedDict


class ErrorBody(TypedDict):
    """An error in the native format."""

    code: str
    message: str
    retryable: bool
    retry_after_s: int | None


class ErrorResponse(TypedDict):
    """The JSON body of an error response in the native format."""

    error: ErrorBody
