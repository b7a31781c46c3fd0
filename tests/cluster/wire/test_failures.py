import json

import pytest

from auricle.cluster.wire.failures import (
    MAX_ERROR_BYTES,
    MAX_MESSAGE_CHARS,
    error_of,
    pack_error,
    parse_error,
    remote_error,
)
from auricle.cluster.wire.messages import RemoteError
from auricle.values.errors import (
    AudioError,
    AuricleError,
    BadRequest,
    DeadlineExceeded,
    Draining,
    EmptyAudio,
    NoWorkerReady,
    Overloaded,
    PoisonJob,
    RateLimited,
    Superseded,
    TooLong,
    Unauthorized,
    WorkerError,
)

pytestmark = pytest.mark.unit

PLAIN = [
    AudioError,
    EmptyAudio,
    BadRequest,
    TooLong,
    Superseded,
    PoisonJob,
    WorkerError,
]
WITH_RETRY: list[type[Overloaded | RateLimited | DeadlineExceeded]] = [
    Overloaded,
    NoWorkerReady,
    Draining,
    RateLimited,
    DeadlineExceeded,
]


@pytest.mark.parametrize("error_class", PLAIN)
def test_an_error_arrives_as_its_class(error_class: type[AuricleError]) -> None:
    error = error_of(remote_error(error_class("what was wrong")))
    assert (type(error), str(error)) == (error_class, "what was wrong")


@pytest.mark.parametrize("error_class", WITH_RETRY)
def test_the_retry_time_arrives_too(
    error_class: type[Overloaded | RateLimited | DeadlineExceeded],
) -> None:
    error = error_of(remote_error(error_class("later", 7)))
    assert type(error) is error_class
    assert getattr(error, "retry_after_s", None) == 7


@pytest.mark.parametrize(("sent", "taken"), [(None, 1), (-5, 1), (0, 1), (10**9, 3600)])
def test_a_retry_time_is_kept_within_bounds(sent: int | None, taken: int) -> None:
    error = error_of(RemoteError("queue_full", "later", sent))
    assert getattr(error, "retry_after_s", None) == taken


@pytest.mark.parametrize("code", [Unauthorized.code, "protocol_error", "setup", "", "who knows"])
def test_errors_between_machines_are_not_shown_to_clients(code: str) -> None:
    error = error_of(RemoteError(code, "the key is secret", 3))
    assert type(error) is WorkerError
    assert "secret" not in str(error)


def test_a_message_is_short_and_printable() -> None:
    error = error_of(RemoteError("bad_audio", "a\0\x1b[31m\n" + "x" * 1000))
    assert str(error).startswith("a[31mxxx")
    assert len(str(error)) <= MAX_MESSAGE_CHARS


def test_an_error_before_the_answer_is_json() -> None:
    body = pack_error(Overloaded("full", 3))
    assert json.loads(body) == {
        "error": {"code": "queue_full", "message": "full", "retry_after_s": 3}
    }
    assert parse_error(body) == RemoteError("queue_full", "full", 3)
    assert parse_error(pack_error(AudioError("no"))) == RemoteError("bad_audio", "no")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Internal Server Error",
        b"null",
        b"{}",
        b'{"error": "x"}',
        b'{"error": {"code": 3, "message": ""}}',
        b'{"error": {"code": "\xff", "message": ""}}',
        b"[" * 4000,
        pack_error(AudioError("x" * MAX_ERROR_BYTES)),
    ],
)
def test_answers_of_other_programs_are_distinguished(body: bytes) -> None:
    assert parse_error(body) is None
