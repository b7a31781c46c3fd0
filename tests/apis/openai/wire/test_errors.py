import pytest

from auricle.apis.openai.wire.errors import error_fields

pytestmark = pytest.mark.unit


def test_errors_say_whose_fault_they_are() -> None:
    assert error_fields("Do this.", status=400, code="bad_request", param="model") == {
        "message": "Do this.",
        "type": "invalid_request_error",
        "param": "model",
        "code": "bad_request",
    }
    assert error_fields("Wait.", status=503, code="queue_full")["type"] == "server_error"
