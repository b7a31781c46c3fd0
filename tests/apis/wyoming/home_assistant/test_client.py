import socket
import ssl
from pathlib import Path

import anyio
import pytest

from auricle.apis.wyoming.home_assistant import client
from auricle.apis.wyoming.home_assistant.client import read_names, websocket_url
from auricle.values.errors import SetupError
from tests.apis.wyoming.home_assistant.fake import (
    NAMES,
    TOKEN,
    FakeHomeAssistant,
    home_assistant,
)
from tests.support.certificates import issued

pytestmark = pytest.mark.server


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LIMIT_S", 60.0)


def test_the_api_is_below_the_url() -> None:
    assert websocket_url("http://home:8123") == "ws://home:8123/api/websocket"
    assert websocket_url("https://home/") == "wss://home/api/websocket"
    assert websocket_url("http://supervisor/core") == "ws://supervisor/core/api/websocket"
    assert websocket_url("HTTP://home:8123/") == "ws://home:8123/api/websocket"


async def test_names_are_read_over_a_real_connection() -> None:
    async with home_assistant() as home:
        assert await read_names(home.url, TOKEN) == NAMES
        assert [command["id"] for command in home.received] == [1, 2, 3, 4, 5]
        exposed = ["light.bjornholm", "media_player.attic", "sensor.outside"]
        assert home.received[2]["entity_ids"] == exposed


async def refused(url: str, token: str = TOKEN) -> str:
    with pytest.raises(SetupError) as raised:
        await read_names(url, token)
    assert token not in str(raised.value)
    return str(raised.value)


async def test_a_wrong_token_is_reported() -> None:
    async with home_assistant() as home:
        assert "rejects the access token" in await refused(home.url, "wrong")
        assert home.received == []


async def test_redirects_are_not_followed() -> None:
    async with home_assistant() as other, home_assistant() as home:
        home.redirect_to = f"{other.url}/api/websocket"
        assert "no WebSocket API" in await refused(home.url)
        assert (home.connections, other.connections) == (1, 0)


async def test_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with home_assistant() as proxy, home_assistant() as home:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert await read_names(home.url, TOKEN) == NAMES
        assert proxy.connections == 0


async def test_another_server_is_reported() -> None:
    async with home_assistant() as home:
        assert "no WebSocket API" in await refused(f"{home.url}/elsewhere")


async def test_a_server_that_is_not_there_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert "can't be reached" in await refused(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("host", ["homeassistant..local", "x" * 64, "[:]", "h" * 70 + ".local"])
async def test_a_url_that_is_only_similar_to_one_is_reported(host: str) -> None:
    assert "URL of Home Assistant is invalid" in await refused(f"http://{host}:8123")


async def test_a_server_that_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LIMIT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with anyio.fail_after(60):
            text = await refused(f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert "not answered within 0.2 s" in text


async def test_a_result_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_MESSAGE_BYTES", 4096)
    state = {"entity_id": "light.x", "attributes": {"friendly_name": "x" * 5000}}
    fake = FakeHomeAssistant()
    fake.results["get_states"] = [state]
    async with home_assistant(fake) as home:
        assert "more than 4096 bytes" in await refused(home.url)


async def test_certificates_are_verified(tmp_path: Path) -> None:
    made = issued(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    async with home_assistant(tls=context) as home:
        assert "can't be verified" in await refused(home.url)
        assert home.connections == 0
