"""Errors in Deepgram's format."""

from typing import TypedDict


class DeepgramError(TypedDict):
    """The JSON body of an error response in Deepgram's format."""

    err_code: str
    err_msg: str
    request_id: str
    code: str
