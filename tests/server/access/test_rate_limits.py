"""Quotas of a key, with numbers for time; and the error of each dialect above them."""

from pathlib import Path
from typing import Any

import pytest

from auricle.server.access.rate_limits import (
    NO_OWN_LIMITS,
    SESSION_RETRY_S,
    KeyLimits,
    RateLimiter,
    parse_limits,
)
from auricle.values.errors import RateLimited
from auricle.values.types import ANONYMOUS, ClientId
from tests.support.service import CLIP, WAV, InProcess, in_process, keys

pytestmark = pytest.mark.server

ALICE, BOB = ClientId("alice"), ClientId("bob")
NOW = 1000.0
KEY = {"authorization": "Bearer secret"}


def rate_limiter(defaults: KeyLimits, **own: KeyLimits) -> RateLimiter:
    known = {ALICE: NO_OWN_LIMITS, BOB: NO_OWN_LIMITS, **own}
    return RateLimiter(defaults, lambda client: known.get(client))


def pause_s(caught: pytest.ExceptionInfo[RateLimited]) -> int:
    return caught.value.retry_after_s


def test_the_requests_of_a_minute_may_be_used_at_once_and_are_restored_evenly() -> None:
    used = rate_limiter(KeyLimits(requests=6))
    for _ in range(6):
        used.charge_request(ALICE, NOW)
    with pytest.raises(RateLimited, match="6 requests per minute") as caught:
        used.charge_request(ALICE, NOW)
    assert pause_s(caught) == 10
    used.charge_request(BOB, NOW)
    with pytest.raises(RateLimited) as caught:
        used.charge_request(ALICE, NOW + 9.5)
    assert pause_s(caught) == 1
    used.charge_request(ALICE, NOW + 10)
    with pytest.raises(RateLimited):
        used.charge_request(ALICE, NOW + 10)


def test_what_is_refused_costs_nothing_and_rest_is_not_saved_up() -> None:
    used = rate_limiter(KeyLimits(requests=1))
    used.charge_request(ALICE, NOW)
    for _ in range(5):
        with pytest.raises(RateLimited):
            used.charge_request(ALICE, NOW + 59)
    used.charge_request(ALICE, NOW + 60)
    used.charge_request(ALICE, NOW + 3600)
    with pytest.raises(RateLimited):
        used.charge_request(ALICE, NOW + 3600)


def test_audio_over_the_limit_is_owed() -> None:
    used = rate_limiter(KeyLimits(audio_s=60))
    used.check_audio(ALICE, NOW)
    used.charge_audio(ALICE, 59.5, NOW)
    used.check_audio(ALICE, NOW)
    used.charge_audio(ALICE, 120.5, NOW)
    with pytest.raises(RateLimited, match="60 seconds of audio per minute") as caught:
        used.check_audio(ALICE, NOW)
    assert pause_s(caught) == 120
    used.check_audio(BOB, NOW)
    with pytest.raises(RateLimited):
        used.check_audio(ALICE, NOW + 119)
    used.check_audio(ALICE, NOW + 121)


def test_sessions_are_counted_by_owner() -> None:
    used = rate_limiter(KeyLimits(sessions=2))
    used.check_sessions(ALICE, 1)
    with pytest.raises(RateLimited, match="2 concurrent live sessions") as caught:
        used.check_sessions(ALICE, 2)
    assert pause_s(caught) == SESSION_RETRY_S


def test_a_keys_own_limits_win_and_zero_is_none() -> None:
    used = rate_limiter(
        KeyLimits(sessions=1, audio_s=1, requests=1),
        alice=KeyLimits(sessions=0, audio_s=0, requests=2),
    )
    used.check_sessions(ALICE, 1000)
    used.charge_audio(ALICE, 1000, NOW)
    used.check_audio(ALICE, NOW)
    used.charge_request(ALICE, NOW)
    used.charge_request(ALICE, NOW)
    with pytest.raises(RateLimited):
        used.charge_request(ALICE, NOW)


def test_a_client_without_a_key_has_no_limits() -> None:
    used = rate_limiter(KeyLimits(sessions=1, audio_s=1, requests=1))
    for _ in range(3):
        used.check_sessions(ANONYMOUS, 1)
        used.charge_request(ANONYMOUS, NOW)
        used.check_audio(ANONYMOUS, NOW)
        used.charge_audio(ANONYMOUS, 100, NOW)


def test_limits_are_read_as_they_are_written() -> None:
    limits = KeyLimits(sessions=4, requests=0)
    assert limits.text() == "sessions=4 requests=0"
    assert parse_limits(limits.text().split()) == limits
    assert parse_limits([]) == KeyLimits()


@pytest.mark.parametrize(
    "word",
    ["sessions", "sessions=", "sessions=-1", "sessions=1.5", "speed=1", "sessions=1 sessions=1"],
)
def test_invalid_limits_are_ignored(word: str) -> None:
    assert parse_limits(word.split()) is None


# Through the server.


def post(service: InProcess, path: str = "/utterance") -> Any:
    return service.client.post(path, content=CLIP.path.read_bytes(), headers=WAV | KEY)


@pytest.mark.parametrize(
    ("path", "where", "code"),
    [
        ("/utterance", "code", "rate_limited"),
        ("/v1/audio/transcriptions", "code", "rate_limit_exceeded"),
        ("/v1/realtime/client_secrets", "code", "rate_limit_exceeded"),
        ("/v1/listen", "err_code", "TOO_MANY_REQUESTS"),
        ("/v1/auth/grant", "err_code", "TOO_MANY_REQUESTS"),
        ("/v1/auth/token", "code", "rate_limited"),
    ],
)
def test_each_dialect_reports_it_in_its_own_shape(
    tmp_path: Path, path: str, where: str, code: str
) -> None:
    with in_process(tmp_path, api_keys=keys("alice:secret"), key_requests=1) as service:
        assert post(service).status_code == 200
        answer = post(service, path)
        body = answer.json()
        assert (answer.status_code, body.get("error", body)[where]) == (429, code)
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert service.is_at_rest()


@pytest.mark.parametrize("path", ["/utterance", "/utterance?wait=0", "/v1/listen"])
def test_audio_is_charged_and_then_refused_before_its_body_is_read(
    tmp_path: Path, path: str
) -> None:
    with in_process(tmp_path, api_keys=keys("alice:secret", "bob:b"), key_audio_s=1) as service:
        first = post(service)
        assert first.status_code == 200
        answer = post(service, path)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 1
        assert service.is_at_rest()
        assert len(service.transcriber.jobs) == 1
        other = {"authorization": "Bearer b"}
        status = service.client.post(
            "/utterance", content=CLIP.path.read_bytes(), headers=WAV | other
        ).status_code
        assert status == 200
