"""What the tests of utterance share."""

from typing import Any

from tests.support.service import CLIP

CLIP_BYTES = CLIP.path.read_bytes()


def assert_error(answer: Any, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["message"]
    assert set(error) == {"code", "message", "retryable", "retry_after_s"}
