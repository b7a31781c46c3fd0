from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import LogCapture

from tests.support.service import InProcess, in_process, keys

pytestmark = pytest.mark.server

TOKEN = "/v1/auth/token"


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[InProcess]:
    with in_process(tmp_path, api_keys=keys("alice:secret")) as service:
        yield service


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_a_token_is_given_for_a_key_and_does_in_its_place(
    locked: InProcess, logged: LogCapture
) -> None:
    answer = locked.client.post(TOKEN, headers=bearer("secret"))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    token = answer.json()["token"]
    assert answer.json() == {"token": token, "expires_in_s": 60}
    asked = locked.client.get("/jobs/none", headers=bearer(token))
    assert asked.status_code == 404
    assert token not in str(logged.entries)
    assert logged.entries[-1]["client"] == "alice"


@pytest.mark.parametrize("ttl_s", [1, 3600])
def test_the_validity_of_a_token_may_be_requested(locked: InProcess, ttl_s: int) -> None:
    answer = locked.client.post(TOKEN, headers=bearer("secret"), json={"ttl_s": ttl_s, "new": 1})
    assert answer.json()["expires_in_s"] == ttl_s


@pytest.mark.parametrize(
    "body",
    [
        '{"ttl_s": 0}',
        '{"ttl_s": 3601}',
        '{"ttl_s": 1.5}',
        '{"ttl_s": []}',
        "ttl",
        "[]",
        b"\xff",
        '{"a": ' + "[" * 3000,
    ],
)
def test_a_body_that_makes_no_sense_is_refused(locked: InProcess, body: Any) -> None:
    answer = locked.client.post(TOKEN, headers=bearer("secret"), content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


def test_a_body_that_is_long_is_refused(locked: InProcess) -> None:
    answer = locked.client.post(TOKEN, headers=bearer("secret"), content=b" " * 5000)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


def test_a_token_gets_no_other(locked: InProcess) -> None:
    token = locked.client.post(TOKEN, headers=bearer("secret")).json()["token"]
    for presented in (token, "wrong"):
        answer = locked.client.post(TOKEN, headers=bearer(presented))
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")


def test_a_page_of_another_site_gets_none(locked: InProcess) -> None:
    headers = {**bearer("secret"), "origin": "http://evil.example"}
    answer = locked.client.post(TOKEN, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden_origin")


def test_without_keys_a_token_is_issued_but_not_required(service: InProcess) -> None:
    answer = service.client.post(TOKEN)
    assert answer.json()["expires_in_s"] == 60
    assert (
        service.client.get("/jobs/none", headers=bearer(answer.json()["token"])).status_code == 404
    )
