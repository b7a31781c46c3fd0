import json

import pytest

from auricle.apis.deepgram.errors import refusal
from auricle.values.errors import (
    AudioError,
    DeadlineExceeded,
    LocalProtocolError,
    MethodNotAllowed,
    Overloaded,
    PoisonJob,
    TooLong,
    Unauthorized,
    UnsupportedFormat,
)

pytestmark = pytest.mark.unit

REQUEST_ID = "8e7b9d1a-0c0e-4f6a-9a3c-2f1b5d7c9e10"


@pytest.mark.parametrize(
    ("error", "status", "words", "code"),
    [
        (AudioError("why"), 400, "Bad Request", "bad_audio"),
        (UnsupportedFormat("why"), 400, "Bad Request", "unsupported_format"),
        (Unauthorized("why"), 401, "INVALID_AUTH", "unauthorized"),
        (TooLong("why"), 413, "PAYLOAD_TOO_LARGE", "too_long"),
        (Overloaded("why", 3), 503, "SERVICE_UNAVAILABLE", "queue_full"),
        (MethodNotAllowed("why"), 405, "METHOD_NOT_ALLOWED", "method_not_allowed"),
        (DeadlineExceeded("why"), 504, "GATEWAY_TIMEOUT", "deadline_exceeded"),
        (PoisonJob("why"), 500, "INTERNAL_SERVER_ERROR", "poison_job"),
    ],
)
def test_an_error_has_the_code_of_deepgram_and_ours(
    error: Exception, status: int, words: str, code: str
) -> None:
    response = refusal(error, REQUEST_ID)
    body = json.loads(bytes(response.body))
    assert response.status_code == status
    assert (body["err_code"], body["err_msg"], body["code"]) == (words, "why", code)
    assert response.headers["dg-request-id"] == body["request_id"] == REQUEST_ID
    assert response.headers["dg-error"] == "why"


def test_overload_says_when_to_retry() -> None:
    assert refusal(Overloaded("why", 3), REQUEST_ID).headers["retry-after"] == "3"
    assert "retry-after" not in refusal(AudioError("why"), REQUEST_ID).headers


def test_bugs_reveal_nothing_and_a_reason_may_have_any_letters() -> None:
    response = refusal(LocalProtocolError("what somebody said"), REQUEST_ID)
    assert b"somebody" not in response.body
    assert refusal(AudioError("µ-law"), REQUEST_ID).headers["dg-error"] == "?-law"
