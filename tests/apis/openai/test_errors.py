"""Errors in OpenAI's format: statuses that its SDKs map to exceptions and retries."""

import json

import pytest

from auricle.apis.openai.errors import openai_error, openai_refusal
from auricle.values.errors import (
    AudioError,
    AuricleError,
    BadRequest,
    EmptyAudio,
    ModelNotFound,
    Overloaded,
    RateLimited,
    TokenExpired,
    Unauthorized,
    UnsupportedFormat,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Unauthorized("No key."), 401, "invalid_api_key"),
        (TokenExpired("Expired."), 401, "invalid_api_key"),
        (RateLimited("Used up.", 7), 429, "rate_limit_exceeded"),
        (ModelNotFound("No model."), 404, "model_not_found"),
        (UnsupportedFormat("No format."), 400, "unsupported_format"),
        (AudioError("Broken."), 400, "bad_audio"),
        (EmptyAudio("Empty."), 400, "empty_audio"),
        (Overloaded("Full.", 7), 503, "queue_full"),
    ],
)
def test_status_and_code(error: AuricleError, status: int, code: str) -> None:
    found, fields = openai_error(error)
    assert (found, fields["code"], fields["message"]) == (status, code, str(error))


def test_the_invalid_field_is_named() -> None:
    assert openai_error(BadRequest("Invalid.", field="language"))[1]["param"] == "language"
    assert openai_error(BadRequest("Invalid."))[1]["param"] is None


def test_a_bug_reveals_nothing() -> None:
    status, fields = openai_error(ValueError("a transcript"))
    assert status == 500
    assert "a transcript" not in json.dumps(fields)


def test_a_response_says_when_to_retry() -> None:
    response = openai_refusal(Overloaded("Full.", 7))
    assert (response.status_code, response.headers["retry-after"]) == (503, "7")
    assert json.loads(bytes(response.body))["error"]["message"] == "Full."
    assert "www-authenticate" in openai_refusal(Unauthorized("No key.")).headers
