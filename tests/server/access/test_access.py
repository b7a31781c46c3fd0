"""Who may use the server; the refusals of each API are tested with it."""

from typing import Any

import pytest
from starlette.requests import Request
from starlette.websockets import WebSocket

from auricle.config.sections.server import ServerSettings
from auricle.server.access.access import Access
from auricle.server.access.connection_limits import ConnectionLimiter
from auricle.server.access.keyring import Keyring
from auricle.server.access.origins import Origins
from auricle.server.access.rate_limits import NO_OWN_LIMITS, KeyLimits, RateLimiter
from auricle.values.errors import ForbiddenOrigin, RateLimited, Unauthorized
from auricle.values.types import ANONYMOUS, ClientId
from tests.support.service import keys

pytestmark = pytest.mark.unit

KEY = (b"authorization", b"Bearer secret")


def access(*, requests: int = 100, waiting: bool = False, has_keys: bool = True) -> Access:
    settings = ServerSettings(api_keys=keys("anna:secret") if has_keys else ())
    return Access(
        Keyring(settings.api_keys, None, None),
        Origins.of(settings),
        RateLimiter(KeyLimits(requests=requests), lambda client: NO_OWN_LIMITS),
        ConnectionLimiter.of(settings),
        count_request=lambda client: None,
        has_waiting_session=lambda client: waiting,
    )


def scope(kind: str, *headers: tuple[bytes, bytes], query: str = "") -> dict[str, Any]:
    return {
        "type": kind,
        "method": "POST",
        "path": "/",
        "scheme": "http",
        "headers": [(b"host", b"localhost"), *headers],
        "query_string": query.encode(),
        "state": {},
    }


def socket(query: str = "") -> WebSocket:
    return WebSocket(scope("websocket", KEY, query=query), None, None)  # type: ignore[arg-type]  # sends nothing


def test_a_port_without_keys_has_an_owner_only_if_the_api_has_no_keys_either() -> None:
    assert access().keyless_owner is None
    assert access(has_keys=False).keyless_owner == ANONYMOUS


def test_a_request_needs_a_key_and_no_foreign_page() -> None:
    assert access().admit(Request(scope("http", KEY))) == ClientId("anna")
    with pytest.raises(Unauthorized):
        access().admit(Request(scope("http")))
    with pytest.raises(ForbiddenOrigin):
        access().admit(Request(scope("http", KEY, (b"origin", b"https://other.example"))))


def test_a_key_beyond_its_requests_may_still_resume_a_session_that_waits() -> None:
    limited = access(requests=1, waiting=True)
    assert limited.admit_socket(socket()) == ClientId("anna")
    with pytest.raises(RateLimited):
        limited.admit_socket(socket())
    assert limited.admit_socket(socket("resume=1")) == ClientId("anna")
    limited = access(requests=1)
    limited.admit_socket(socket())
    with pytest.raises(RateLimited):
        limited.admit_socket(socket("resume=1"))
