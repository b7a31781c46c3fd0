import pytest

from stt_resilience.drivers.websocket import refusal


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": {"message": "full", "code": 1}}',
        b'{"error": "full"}',
        b'{"err_code": "X", "err_msg": "full"}',
        b'{"detail": "full"}',
        b"full",
    ],
)
def test_a_refusal_has_the_message_of_its_body(body: bytes) -> None:
    assert refusal(503, {}, body).reason == "HTTP 503 full"


def test_other_bodies_are_shown_as_they_are() -> None:
    assert (
        refusal(400, {}, b'{"detail": [{"loc": 1}]}').reason == 'HTTP 400 {"detail": [{"loc": 1}]}'
    )
    assert refusal(502, {}, None).reason == "HTTP 502"


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("Wed, 21 Oct 2026", None)])
def test_the_time_to_retry_is_that_of_the_header(header: str, seconds: float | None) -> None:
    assert refusal(503, {"Retry-After": header}, b"").retry_after_s == seconds
