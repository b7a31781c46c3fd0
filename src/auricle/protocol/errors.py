"""Errors in the native format."""

from typing import NotRequired, TypedDict


class ErrorBody(TypedDict):
    """An error in the native format; the code ``server_full`` has numbers of speakers."""

    code: str
    message: str
    retryable: bool
    retry_after_s: int | None
    speakers: NotRequired[int]
    capacity: NotRequired[int]


class ErrorResponse(TypedDict):
    """The JSON body of an error response in the native format."""

    error: ErrorBody
