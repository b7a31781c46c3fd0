from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from auricle.apis.deepgram.spec import SPEC
from auricle.server.access.key_style import BEARER, KeyStyle
from auricle.server.access.keyring import Keyring
from tests.support.service import InProcess, in_process, keys

pytestmark = pytest.mark.server

GRANT = "/v1/auth/grant"
KEY = {"authorization": "Token secret"}


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[InProcess]:
    with in_process(tmp_path, api_keys=keys("alice:secret")) as service:
        yield service


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_a_token_is_given_for_a_key_and_does_in_its_place(locked: InProcess) -> None:
    answer = locked.client.post(GRANT, headers=KEY, json={"ttl_seconds": 90.0})
    token = answer.json()["access_token"]
    assert answer.json() == {"access_token": token, "expires_in": 90}
    assert answer.headers["cache-control"] == "no-store"
    assert locked.client.get("/jobs/none", headers=bearer(token)).status_code == 404
    assert locked.client.post(GRANT, headers=KEY).json()["expires_in"] == 30


def test_a_token_gets_no_other(locked: InProcess) -> None:
    token = locked.client.post(GRANT, headers=KEY).json()["access_token"]
    for presented in (token, "wrong"):
        answer = locked.client.post(GRANT, headers=bearer(presented))
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


def test_deepgram_s_name_of_the_scheme_is_known() -> None:
    style = KeyStyle.all_of([BEARER, SPEC.key_style])
    ring = Keyring(keys("alice:secret"), style=style)
    assert ring.identify(Headers({"authorization": "Token secret"}), now=0.0) == "alice"
