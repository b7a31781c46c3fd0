"""Errors of responses, and when a request is repeated."""

import json

import pytest

from auricle.client.api.failures import Problem, Retries, error_of, error_of_response
from auricle.values.errors import (
    AuricleError,
    BadRequest,
    DeadlineExceeded,
    JobConflict,
    NoWorkerReady,
    Overloaded,
    PoisonJob,
    RateLimited,
    RemoteProtocolError,
    RequestError,
    Unreachable,
)

pytestmark = pytest.mark.unit

NOW = 100.0


def body(code: str, **fields: object) -> bytes:
    return json.dumps({"error": {"code": code, "message": "Why.", **fields}}).encode()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("bad_request", BadRequest),
        ("job_conflict", JobConflict),
        ("rate_limited", RateLimited),
        ("queue_full", Overloaded),
        ("no_worker_ready", NoWorkerReady),
        ("deadline_exceeded", DeadlineExceeded),
        ("poison_job", PoisonJob),
        ("internal", AuricleError),
    ],
)
def test_the_code_names_the_class(code: str, kind: type[AuricleError]) -> None:
    error = error_of_response(500, {}, body(code, retryable=True, retry_after_s=7))
    assert type(error) is kind
    assert str(error) == "Why."
    assert error.code == code
    assert error.retry_after_s == (7 if kind.retryable else None)


def test_an_unknown_code_is_part_of_the_text() -> None:
    error = error_of(Problem("too_blue", "Why."))
    assert type(error) is RequestError
    assert str(error) == "Why. (too_blue)"


def test_a_proxy_without_a_server_is_unreachable() -> None:
    error = error_of_response(502, {"Retry-After": "9"}, b"<h1>Bad Gateway</h1>")
    assert isinstance(error, Unreachable)
    assert error.retry_after_s == 9
    assert error_of_response(504, {"Retry-After": "Fri"}, b"").retry_after_s is None


def test_another_programs_response_is_reported() -> None:
    error = error_of_response(404, {}, b"<h1>Not found</h1>")
    assert isinstance(error, RemoteProtocolError)
    assert "HTTP 404" in str(error)


def retries(*, has_answered: bool = True, is_repeatable: bool = True) -> Retries:
    return Retries(
        60,
        has_answered=has_answered,
        is_repeatable=is_repeatable,
        random_fraction=lambda: 1.0,
    )


def test_a_busy_server_is_asked_again_after_the_delay_that_it_requests() -> None:
    busy = retries(has_answered=False, is_repeatable=False)
    assert busy.delay_s(Overloaded("Full.", 5), NOW) == 5.25
    assert busy.delay_s(Overloaded("Full.", 5), NOW + 10) == 5.5
    with pytest.raises(Overloaded):
        busy.delay_s(Overloaded("Full.", 5), NOW + 55)  # the patience is over


def test_what_would_fail_again_is_not_repeated() -> None:
    with pytest.raises(BadRequest):
        retries().delay_s(BadRequest("No."), NOW)


def test_a_lost_request_is_repeated_only_where_that_is_safe() -> None:
    lost = Unreachable("Lost.")
    assert retries().delay_s(lost, NOW) == 0.25
    for other in (retries(is_repeatable=False), retries(has_answered=False)):
        with pytest.raises(Unreachable):
            other.delay_s(lost, NOW)
