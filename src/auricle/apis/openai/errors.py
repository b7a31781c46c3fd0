"""Errors in OpenAI's format.

OpenAI's SDKs map the status to an exception class, retry 408, 409, 429 and 5xx after
``Retry-After``, and show the message. OpenAI returns 400 for audio that can't be decoded.
"""

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from auricle.apis.openai.wire.errors import ErrorFields, ErrorResponse, error_fields
from auricle.server.http.errors import error_body, error_response
from auricle.values.errors import RequestError

_BAD_AUDIO = frozenset({415, 422})
_CODES: Mapping[str, str] = {
    "unauthorized": "invalid_api_key",
    "token_expired": "invalid_api_key",
    "rate_limited": "rate_limit_exceeded",
}
"""OpenAI's codes for those that programs check; all other codes are Auricle's."""


def openai_error(error: BaseException) -> tuple[int, ErrorFields]:
    """Return an error's status, and the value of ``error`` in the JSON body."""
    status, body = error_response(error).status_code, error_body(error)
    status = 400 if status in _BAD_AUDIO else status
    code = _CODES.get(body["code"], body["code"])
    param = error.field if isinstance(error, RequestError) else None
    return status, error_fields(body["message"], status=status, code=code, param=param)


def openai_refusal(error: BaseException, request_id: str = "") -> Response:
    """Return the HTTP response for an error in OpenAI's format."""
    status, fields = openai_error(error)
    response = error_response(error)
    kept = ("retry-after", "www-authenticate")
    headers = {name: value for name, value in response.headers.items() if name in kept}
    body = msgspec.json.encode(ErrorResponse(error=fields))
    return Response(body, status, headers, media_type="application/json")
