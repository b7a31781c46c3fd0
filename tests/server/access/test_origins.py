"""Pages of other sites, and names of other machines: what gets in, over real sockets."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.datastructures import Headers
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from auricle.config.sections.server import ServerSettings
from auricle.config.settings import Settings
from auricle.server.access.origins import Origins
from auricle.values.errors import ForbiddenHost, ForbiddenOrigin, SetupError
from tests.support.service import Live, keys, live

pytestmark = pytest.mark.server

APP = "https://app.example"
EVIL = "https://evil.example"
KEY = {"authorization": "Bearer secret"}
SOCKETS = (
    "/v1/stream?format=pcm16",
    "/v1/realtime?intent=transcription",
    "/v1/listen",
    "/v2/listen",
)
"""Each dialect's."""
POSTS = ("/utterance", "/v1/audio/transcriptions", "/v1/listen", "/v1/auth/grant")


def origins(**settings: Any) -> Origins:
    return Origins.of(ServerSettings(**settings))


@pytest.mark.parametrize(
    ("host", "origin", "scheme"),
    [
        ("example.com", None, "http"),  # not a browser
        ("example.com", "http://example.com", "http"),
        ("example.com:80", "http://example.com", "http"),
        ("example.com:6007", "http://EXAMPLE.com:6007", "http"),
        ("example.com:6007", "http://example.com:6007", "ws"),
        ("example.com:6007", "https://example.com:6007", "https"),
        ("example.com", "https://example.com", "wss"),
        ("[::1]:6007", "http://[::1]:6007", "http"),
        # A proxy ends TLS, and isn't trusted to say so.
        ("example.com", "https://example.com", "http"),
        ("example.com", "https://example.com:8443", "ws"),
        ("example.com:8443", "https://example.com:8443", "http"),
        ("example.com:443", "https://example.com", "http"),
    ],
)
def test_a_page_of_our_own_origin_and_other_programs_are_admitted(
    host: str, origin: str | None, scheme: str
) -> None:
    headers = {"host": host} | ({} if origin is None else {"origin": origin})
    origins(api_keys=keys("k")).check_origin(Headers(headers), scheme)


@pytest.mark.parametrize(
    ("host", "origin", "scheme"),
    [
        ("example.com", "http://evil.example", "http"),
        ("example.com", "http://example.com.evil.example", "http"),
        ("example.com", "http://evil.example#example.com", "http"),
        ("example.com", "http://example.com@evil.example", "http"),
        ("example.com", "null", "http"),
        ("null", "null", "http"),
        ("example.com", "", "http"),
        ("example.com", "http://[broken", "http"),
        ("example.com", "http://example.com/", "http"),
        (None, "http://example.com", "http"),
        ("", "http://", "http"),
        # Another server on the same machine.
        ("example.com:6007", "http://example.com:8080", "http"),
        ("example.com:6007", "https://example.com:8443", "http"),
        ("example.com:6007", "https://example.com", "ws"),
        ("example.com:6007", "http://example.com:8080", "https"),
        ("example.com:6007", "http://example.com:6007", "wss"),
        ("example.com", "file://example.com", "http"),
    ],
)
def test_pages_of_other_origins_are_refused(host: str | None, origin: str, scheme: str) -> None:
    headers = {"origin": origin} | ({} if host is None else {"host": host})
    with pytest.raises(ForbiddenOrigin):
        origins(api_keys=keys("k")).check_origin(Headers(headers), scheme)


@pytest.mark.parametrize("scheme", ["http", "https", "ws", "wss"])
def test_pages_that_the_settings_name_are_admitted(scheme: str) -> None:
    named = origins(allowed_origins="https://App.example:443, chrome-extension://abc")
    for origin in (APP, "chrome-extension://abc"):
        named.check_origin(Headers({"host": "127.0.0.1:6007", "origin": origin}), scheme)
    for other in ("http://app.example", f"{APP}:8443", "chrome-extension://abd", EVIL, "null"):
        with pytest.raises(ForbiddenOrigin):
            named.check_origin(Headers({"host": "127.0.0.1:6007", "origin": other}), scheme)


@pytest.mark.parametrize("scheme", ["http", "ws"])
@pytest.mark.parametrize(
    "origin", ["app://obsidian.md", "tauri://localhost", "http://tauri.localhost", "file://"]
)
def test_programs_that_are_pages_can_be_named(origin: str, scheme: str) -> None:
    headers = Headers({"host": "127.0.0.1:6007", "origin": origin})
    with pytest.raises(ForbiddenOrigin):
        origins().check_origin(headers, scheme)
    origins(allowed_origins=origin).check_origin(headers, scheme)


@pytest.mark.parametrize(
    "setting",
    [
        "*",
        "app://",
        "null",
        "app.example",
        f"{APP}/",
        f"{APP}/page",
        "https://*.example",
        APP + ":0",
    ],
)
def test_what_no_page_can_be_is_a_setup_error(
    monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv("AURICLE_ALLOWED_ORIGINS", f"{APP},{setting}")
    with pytest.raises(SetupError, match="AURICLE_ALLOWED_ORIGINS: .*scheme://host"):
        Settings.load()


LOOPBACK = (
    "127.0.0.1:6007",
    "127.8.8.8",
    "localhost:6007",
    "LOCALHOST",
    "localhost.",
    "[::1]:6007",
)
LOOPBACK_NAMES = ("me.localhost:6007", socket.gethostname(), "app.example", "10.0.0.1:1")
PRIVATE = ("192.0.2.1:6007", "[2001:db8::1]", "auricle:6007", "nas.local", "host.docker.internal")
FOREIGN = ("evil.example", "evil.example:6007", "127.0.0.1.evil.example", "localhost.evil.example")
BROKEN = ("", "127.0.0.1#.evil.example", "127.0.0.1@evil.example", "127.0.0.1:x", "[::1", "a b")


@pytest.mark.parametrize("host", [*LOOPBACK, *LOOPBACK_NAMES])
def test_without_keys_it_is_asked_for_under_its_own_names(host: str) -> None:
    mine = origins(host="10.0.0.1", allowed_origins=(APP,))
    mine.check_host(Headers({"host": host}))
    mine.check_host(Headers({}))  # no browser's


@pytest.mark.parametrize("host", [*PRIVATE, *FOREIGN, *BROKEN])
def test_without_keys_other_names_are_refused(host: str) -> None:
    with pytest.raises(ForbiddenHost):
        origins().check_host(Headers({"host": host}))
    origins(api_keys=keys("k")).check_host(Headers({"host": host}))
    origins(keys_file=Path("keys")).check_host(Headers({"host": host}))


@pytest.mark.parametrize("host", [*LOOPBACK, *PRIVATE])
def test_open_to_other_machines_it_is_asked_for_under_names_that_no_site_can_have(
    host: str,
) -> None:
    origins(insecure_no_auth=True).check_host(Headers({"host": host}))


@pytest.mark.parametrize("host", [*FOREIGN, *BROKEN])
def test_open_to_other_machines_it_refuses_the_names_of_sites(host: str) -> None:
    with pytest.raises(ForbiddenHost):
        origins(insecure_no_auth=True).check_host(Headers({"host": host}))


# Over sockets.


@asynccontextmanager
async def asking(service: Live) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{service.port}") as client:
        yield client


async def opened(
    service: Live, path: str, name: str = "127.0.0.1", **headers: str
) -> tuple[int, str]:
    """Open a WebSocket; return its status, and the body of a refusal."""
    url = f"ws://{name}:{service.port}{path}"
    try:
        async with connect(url, host="127.0.0.1", additional_headers=headers | KEY):
            return 101, ""
    except InvalidStatus as error:
        return error.response.status_code, (error.response.body or b"").decode()


@pytest.mark.parametrize("path", SOCKETS)
async def test_each_websocket_has_the_same_rule(tmp_path: Path, path: str) -> None:
    async with live(tmp_path, api_keys=keys("secret"), allowed_origins=(APP,)) as service:
        own = f"http://127.0.0.1:{service.port}"
        for origin in (own, APP):
            assert (await opened(service, path, Origin=origin))[0] == 101
        for origin in (EVIL, "null", f"{APP}.evil.example", "http://127.0.0.1"):
            status, body = await opened(service, path, Origin=origin)
            assert (status, "forbidden_origin" in body) == (403, True)


async def test_whatever_changes_something_has_the_same_rule(tmp_path: Path) -> None:
    async with live(tmp_path, api_keys=keys("secret"), allowed_origins=(APP,)) as service:
        paths = service.app.openapi()["paths"]
        changing = [(m, path) for path in paths for m in paths[path] if m not in ("get", "head")]
        assert {path for _, path in changing} >= {*POSTS, "/jobs/{job_id}"}
        async with asking(service) as client:
            for method, path in changing:
                for origin in (EVIL, "null"):
                    answer = await client.request(method, path, headers=KEY | {"origin": origin})
                    assert (answer.status_code, "forbidden_origin" in answer.text) == (403, True)
                    assert "access-control-allow-origin" not in answer.headers
                for origin in (APP, f"http://127.0.0.1:{service.port}"):
                    answer = await client.request(method, path, headers=KEY | {"origin": origin})
                    assert "forbidden_origin" not in answer.text


ASKED = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,openai-beta,x-stainless-lang",
}


@pytest.mark.parametrize("path", [*POSTS, "/jobs/1", "/nowhere"])
async def test_browsers_learn_that_a_named_page_may_send_its_key(tmp_path: Path, path: str) -> None:
    named = live(tmp_path, api_keys=keys("secret"), allowed_origins=(APP,))
    async with named as service, asking(service) as client:
        answered = await client.options(path, headers=ASKED | {"origin": APP})
        assert answered.status_code == 200
        assert answered.headers["access-control-allow-origin"] == APP
        assert (
            answered.headers["access-control-allow-headers"]
            == (ASKED["access-control-request-headers"])
        )
        methods = set(answered.headers["access-control-allow-methods"].split(", "))
        documented = {
            method.upper() for path in service.app.openapi()["paths"].values() for method in path
        }
        assert documented <= methods
        assert "access-control-allow-credentials" not in answered.headers
        for other in (EVIL, "null", "*"):
            answered = await client.options(path, headers=ASKED | {"origin": other})
            assert answered.status_code == 400
            assert "access-control-allow-origin" not in answered.headers


async def test_a_named_page_can_read_answers_and_refusals(tmp_path: Path) -> None:
    named = live(tmp_path, api_keys=keys("secret"), allowed_origins=(APP,))
    async with named as service, asking(service) as client:
        for headers in (KEY, {}):
            answer = await client.post("/utterance", headers=headers | {"origin": APP})
            assert answer.headers["access-control-allow-origin"] == APP
            assert "retry-after" in answer.headers["access-control-expose-headers"]
            assert "Origin" in answer.headers["vary"]
        other = await client.get("/health", headers={"origin": EVIL})
        assert "access-control-allow-origin" not in other.headers


async def test_unless_some_are_named_no_other_page_can_read_anything(tmp_path: Path) -> None:
    async with live(tmp_path, api_keys=keys("secret")) as service, asking(service) as client:
        for method, path in (("GET", "/health"), ("OPTIONS", "/utterance"), ("POST", "/utterance")):
            answer = await client.request(method, path, headers=KEY | ASKED | {"origin": EVIL})
            assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/", "/health", "/jobs/1", "/metrics", "/nowhere", *POSTS])
async def test_a_name_that_was_pointed_here_gets_nothing(tmp_path: Path, path: str) -> None:
    async with live(tmp_path) as service, asking(service) as client:
        host = f"evil.example:{service.port}"
        for method in ("GET", "POST", "OPTIONS"):
            answer = await client.request(
                method, path, headers={"host": host, "origin": f"http://{host}"}
            )
            assert (answer.status_code, "forbidden_host" in answer.text) == (421, True)
        assert (await client.get("/livez")).status_code == 200


@pytest.mark.parametrize("path", SOCKETS)
async def test_a_name_that_was_pointed_here_gets_no_websocket(tmp_path: Path, path: str) -> None:
    async with live(tmp_path) as service:
        origin = f"http://evil.example:{service.port}"
        status, body = await opened(service, path, "evil.example", Origin=origin)
        assert (status, "forbidden_host" in body) == (421, True)
        assert (await opened(service, path))[0] == 101


async def test_a_body_for_another_name_is_read_to_its_end_so_that_the_answer_arrives(
    tmp_path: Path,
) -> None:
    async with live(tmp_path) as service, asking(service) as client:
        answer = await client.post(
            "/utterance", headers={"host": "evil.example"}, content=bytes(10_000_000)
        )
        assert answer.status_code == 421
