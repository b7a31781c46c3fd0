"""Errors in the service's format: FastAPI's ``detail``, with Auricle's status and code."""

from starlette.responses import Response

from auricle.apis.asr_webservice.wire.answers import ErrorBody
from auricle.server.http.errors import error_body, error_response
from auricle.server.http.responses import json_response


def refusal(error: BaseException, request_id: str = "") -> Response:
    """Return the HTTP response for an error; a missing key asks for a password."""
    native, body = error_response(error), error_body(error)
    headers = {}
    if (after_s := native.headers.get("retry-after")) is not None:
        headers["retry-after"] = after_s
    if native.status_code == 401:
        headers["www-authenticate"] = 'Basic realm="Auricle"'
    fields: ErrorBody = {"detail": body["message"], "code": body["code"]}
    return json_response(fields, native.status_code, headers)
