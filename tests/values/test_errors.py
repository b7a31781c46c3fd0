"""The tree of errors: codes and statuses are stable, since clients depend on them."""

from collections.abc import Iterator

import pytest

from auricle.values.errors import (
    AudioError,
    AuricleError,
    BadRequest,
    DeadlineExceeded,
    Overloaded,
    RateLimited,
    RequestError,
    SetupError,
)

pytestmark = pytest.mark.unit


def subclasses(error: type[AuricleError]) -> Iterator[type[AuricleError]]:
    yield error
    for each in error.__subclasses__():
        yield from subclasses(each)


ERRORS = [
    error for error in subclasses(AuricleError) if error.__module__ == "auricle.values.errors"
]


@pytest.mark.parametrize("error", ERRORS)
def test_every_class_has_valid_codes(error: type[AuricleError]) -> None:
    assert error.code.isidentifier()
    assert 400 <= error.http_status <= 599
    assert 1000 <= error.close_code <= 1015


def test_no_two_errors_that_clients_receive_have_the_same_code() -> None:
    own = [error for error in ERRORS if "code" in vars(error)]
    codes = [error.code for error in own if error is not RequestError]
    assert sorted(set(codes) - {"bad_request"}) == sorted(
        code for code in codes if code != "bad_request"
    )


@pytest.mark.parametrize("kind", [RequestError, AudioError])
def test_what_the_request_caused_is_a_4xx(kind: type[AuricleError]) -> None:
    assert {error.http_status // 100 for error in subclasses(kind)} == {4}


def test_what_load_caused_can_be_retried() -> None:
    for error in (Overloaded("full", 3), RateLimited("used up", 3)):
        assert error.retryable
        assert (str(error), error.retry_after_s) == (error.args[0], 3)
    assert DeadlineExceeded().retry_after_s == 1
    assert all(error.retryable for error in subclasses(Overloaded))


def test_a_bad_request_may_name_its_field() -> None:
    assert BadRequest("Invalid.", field="language").field == "language"
    assert BadRequest("Invalid.").field is None


def test_errors_of_settings_are_not_retried() -> None:
    assert not any(error.retryable for error in subclasses(SetupError))
