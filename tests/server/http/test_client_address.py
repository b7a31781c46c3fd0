"""Whose request it is: over real sockets, and what each form of an entry means."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.requests import Request
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect

from auricle.config.sections.server import ServerSettings
from auricle.config.settings import Settings
from auricle.server.http.client_address import TrustedProxies, client_address
from auricle.values.errors import SetupError
from tests.support.service import listening, opened

pytestmark = pytest.mark.server


@asynccontextmanager
async def server(tmp_path: Path, trusted: str) -> AsyncIterator[str]:
    """The application with two more routes, which return what they know of their client."""

    async def http(request: Request) -> dict[str, Any]:
        return {"client": str(client_address(request.scope)), **forwarded(request.scope)}

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_json(
            {"client": str(client_address(websocket.scope)), **forwarded(websocket.scope)}
        )
        await websocket.close()

    async with opened(tmp_path, trusted_proxies=trusted) as service:
        service.app.add_api_route("/who", http)
        service.app.add_api_websocket_route("/who", socket)
        async with listening(service.app) as port:
            yield f"127.0.0.1:{port}"


def forwarded(scope: Scope) -> dict[str, Any]:
    return {"in_scope": scope["client"][0], "scheme": scope["scheme"]}


async def received(where: str, headers: dict[str, str]) -> list[dict[str, Any]]:
    """What a request and a WebSocket are taken for."""
    async with httpx2.AsyncClient() as client:
        http = (await client.get(f"http://{where}/who", headers=headers)).json()
    async with connect(f"ws://{where}/who", additional_headers=headers) as websocket:
        return [http, json.loads(await websocket.recv())]


FORWARDED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}


async def test_forwarded_addresses_are_ignored_unless_configured(tmp_path: Path) -> None:
    for trusted in ("", "192.0.2.7, 10.0.0.0/8, ::1"):
        async with server(tmp_path, trusted) as where:
            http, socket = await received(where, FORWARDED)
        assert http == {"client": "127.0.0.1", "in_scope": "127.0.0.1", "scheme": "http"}
        assert socket == {"client": "127.0.0.1", "in_scope": "127.0.0.1", "scheme": "ws"}


@pytest.mark.parametrize("trusted", ["127.0.0.1", "10.0.0.1,127.0.0.0/8"])
async def test_a_trusted_proxy_is_believed_for_http_and_websockets(
    tmp_path: Path, trusted: str
) -> None:
    async with server(tmp_path, trusted) as where:
        http, socket = await received(where, FORWARDED)
        assert http == {"client": "203.0.113.9", "in_scope": "203.0.113.9", "scheme": "https"}
        assert socket == {"client": "203.0.113.9", "in_scope": "203.0.113.9", "scheme": "wss"}
        http, socket = await received(where, {})
        assert http == {"client": "127.0.0.1", "in_scope": "127.0.0.1", "scheme": "http"}


async def test_forged_forwarded_addresses_are_ignored(
    tmp_path: Path,
) -> None:
    async with server(tmp_path, "127.0.0.1, 10.0.0.0/8") as where:
        for spoofed in (
            "6.6.6.6, 203.0.113.9",
            "127.0.0.1, 203.0.113.9, 10.0.0.2",
            "x, 203.0.113.9",
        ):
            for address in await received(where, {"X-Forwarded-For": spoofed}):
                assert address["client"] == "203.0.113.9"


async def resolved(
    forwarded: Sequence[str],
    trusted: Sequence[str] = ("127.0.0.1", "10.0.0.0/8", "fd00::/8"),
    peer: object = ("10.0.0.1", 5),
    proto: Sequence[str] = (),
    kind: str = "http",
) -> Scope:
    """Return the changed scope; each of ``told`` is a separate header."""
    settings = ServerSettings.model_validate({"trusted_proxies": ",".join(trusted)})
    address: Scope = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        address.update(scope)

    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    headers += [(b"x-forwarded-proto", value.encode()) for value in proto]
    scheme = "ws" if kind == "websocket" else "http"
    scope = {"type": kind, "client": peer, "scheme": scheme, "headers": headers}
    await TrustedProxies(app, settings.trusted_proxies)(scope, None, None)  # type: ignore[arg-type]  # not used
    return address


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        (["192.0.2.1"], "192.0.2.1"),
        (["192.0.2.1:8080"], "192.0.2.1"),
        ([" 192.0.2.1 "], "192.0.2.1"),
        (["2001:DB8:0::1"], "2001:db8::1"),
        (["[2001:db8::1]"], "2001:db8::1"),
        (["[2001:db8::1]:443"], "2001:db8::1"),
        (["::ffff:192.0.2.1"], "192.0.2.1"),
        (["[::ffff:192.0.2.1]:1"], "192.0.2.1"),
        (["fe80::1%eth0"], "fe80::1"),
        # Several proxies, in one header or in several.
        (["192.0.2.1, 10.0.0.2"], "192.0.2.1"),
        (["192.0.2.1", "10.0.0.2"], "192.0.2.1"),
        (["192.0.2.1, [fd00::1]:80, ::ffff:10.0.0.2"], "192.0.2.1"),
        (["10.0.0.3, 10.0.0.2"], "10.0.0.3"),  # the client is itself in a trusted network
        # No addresses: their writer is the last known one.
        ([""], "10.0.0.1"),
        (["unknown"], "10.0.0.1"),
        (["_hidden"], "10.0.0.1"),
        (["192.0.2.1, "], "10.0.0.1"),
        (["192.0.2.1, unknown, 10.0.0.2"], "10.0.0.2"),
        (["192.0.2.1:port"], "10.0.0.1"),
        (["192.0.2.1:99999"], "10.0.0.1"),
        (["192.0.2.1:-1"], "10.0.0.1"),
        (["[2001:db8::1"], "10.0.0.1"),
        (["[2001:db8::1]x"], "10.0.0.1"),
        (["[192.0.2.1"], "10.0.0.1"),
        (["192.0.2"], "10.0.0.1"),
        (["0300.0.2.1"], "10.0.0.1"),  # octal to some
        (["192.0.2.1;192.0.2.2"], "10.0.0.1"),
        (["\xb9.0.2.1"], "10.0.0.1"),
        (["x" * 60_000], "10.0.0.1"),
        (["10.0.0.2," * 7000], "10.0.0.1"),
    ],
)
async def test_each_form_of_an_address_is_known_and_all_else_ignored(
    forwarded: list[str], client: str
) -> None:
    scope = await resolved(forwarded)
    assert scope["client"][0] == client
    assert str(client_address(scope)) == client


async def test_a_port_is_the_connections_own_or_none() -> None:
    assert (await resolved([]))["client"] == ("10.0.0.1", 5)
    assert (await resolved(["192.0.2.1:8080"]))["client"] == ("192.0.2.1", 0)


@pytest.mark.parametrize("peer", ["::ffff:10.0.0.1", "fd00::1", "fd00::1%eth0"])
async def test_a_proxy_is_known_in_each_form_of_its_address(peer: str) -> None:
    assert (await resolved(["192.0.2.1"], peer=(peer, 5)))["client"][0] == "192.0.2.1"


async def test_a_clients_own_address_has_one_form_too() -> None:
    assert (await resolved(["1.1.1.1"], peer=("::ffff:192.0.2.1", 5)))["client"][0] == "192.0.2.1"


@pytest.mark.parametrize("peer", [None, ("testclient", 1)])
async def test_a_connection_without_an_address_stays_as_it_is(peer: object) -> None:
    scope = await resolved(["192.0.2.1"], peer=peer, proto=["https"])
    assert (scope["client"], scope["scheme"]) == (peer, "http")
    assert client_address(scope) is None


@pytest.mark.parametrize(
    ("forwarded", "proto", "http", "websocket"),
    [
        ([], ["https"], "https", "wss"),
        ([], ["wss"], "https", "wss"),
        ([], ["HTTPS"], "https", "wss"),
        ([], ["http"], "http", "ws"),
        ([], ["gopher"], "http", "ws"),
        ([], [""], "http", "ws"),
        # One proxy that appends to what the client made up.
        (["192.0.2.1"], ["https, http"], "http", "ws"),
        (["192.0.2.1"], ["https", "http"], "http", "ws"),
        (["6.6.6.6, 192.0.2.1"], ["https, http"], "http", "ws"),
        # Two of them; the first one speaks TLS with the client.
        (["192.0.2.1, 10.0.0.2"], ["https, http"], "https", "wss"),
        (["192.0.2.1, 10.0.0.2"], ["http, https, http"], "https", "wss"),
        (["192.0.2.1, 10.0.0.2"], ["https"], "https", "wss"),
    ],
)
async def test_the_scheme_is_what_the_clients_own_proxy_saw(
    forwarded: list[str], proto: list[str], http: str, websocket: str
) -> None:
    assert (await resolved(forwarded, proto=proto))["scheme"] == http
    assert (await resolved(forwarded, proto=proto, kind="websocket"))["scheme"] == websocket


async def test_the_scheme_header_of_an_untrusted_peer_is_ignored() -> None:
    scope = await resolved(["192.0.2.1"], peer=("192.0.2.9", 5), proto=["https"])
    assert (scope["client"], scope["scheme"]) == (("192.0.2.9", 5), "http")


@pytest.mark.parametrize("setting", ["*", "proxy.example", "10.0.0.1/8", "10.0.0.0/33", "1,2"])
def test_what_is_no_address_or_network_is_a_setup_error(
    monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv("AURICLE_TRUSTED_PROXIES", setting)
    with pytest.raises(SetupError, match="AURICLE_TRUSTED_PROXIES"):
        Settings.load()
