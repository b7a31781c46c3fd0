"""Errors in Deepgram's format, for handshakes and files.

Deepgram's SDKs retry 429 and 5xx after ``Retry-After``, and no other statuses. Agents read the
reason from ``dg-error``, because a WebSocket client can't read the body.
"""

from collections.abc import Mapping

from starlette.responses import Response

from auricle.apis.deepgram.wire.errors import DeepgramError
from auricle.server.http.errors import error_body, error_response
from auricle.server.http.responses import json_response

_WORDS: Mapping[int, str] = {
    401: "INVALID_AUTH",
    403: "INSUFFICIENT_PERMISSIONS",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    429: "TOO_MANY_REQUESTS",
    500: "INTERNAL_SERVER_ERROR",
    503: "SERVICE_UNAVAILABLE",
    504: "GATEWAY_TIMEOUT",
}
_BAD_AUDIO = frozenset({415, 422})
"""Deepgram returns 400 for audio that can't be decoded."""


def refusal(error: BaseException, request_id: str) -> Response:
    """Return the HTTP response for an error in Deepgram's format, plus Auricle's ``code``."""
    native, native_body = error_response(error), error_body(error)
    status = 400 if native.status_code in _BAD_AUDIO else native.status_code
    body: DeepgramError = {
        "err_code": _WORDS.get(status, "Bad Request"),
        "err_msg": native_body["message"],
        "request_id": request_id,
        "code": native_body["code"],
    }
    reason = body["err_msg"].encode("ascii", "replace").decode()
    headers = {"dg-request-id": request_id, "dg-error": reason}
    if (after_s := native.headers.get("retry-after")) is not None:
        headers["retry-after"] = after_s
    if status == 401:
        headers["www-authenticate"] = "Token"
    return json_response(body, status, headers)
