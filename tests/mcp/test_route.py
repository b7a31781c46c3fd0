"""``/mcp`` has the rights and limits of all routes."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import Response

from auricle.client.api.calls import Call
from auricle.mcp import route
from auricle.mcp.route import MAX_AUDIO_BODY_BYTES, MAX_BODY_BYTES
from auricle.server.lifecycle import Lifecycle
from tests.mcp.agents import ANNA
from tests.mcp.conftest import KEYS
from tests.support.service import InProcess, in_process, keys
from tests.support.transcripts import kept_in

pytestmark = pytest.mark.server

AUTHORIZED = {"authorization": f"Bearer {ANNA}"}
ACCEPT = {"accept": "application/json, text/event-stream"}
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


def calling(tool: str, **arguments: object) -> dict[str, Any]:
    params = {"name": tool, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[InProcess]:
    with in_process(
        tmp_path / "spool",
        **kept_in(tmp_path),
        api_keys=keys(*KEYS.split(",")),
        key_requests=20,
        mcp=True,
    ) as started:
        yield started


def post(service: InProcess, message: object, **headers: str) -> httpx2.Response:
    content = message if isinstance(message, bytes) else json.dumps(message).encode()
    of_json = {"content-type": "application/json"} | ACCEPT | AUTHORIZED | headers
    answer: httpx2.Response = service.client.post("/mcp", content=content, headers=of_json)
    return answer


def test_it_needs_a_key(service: InProcess) -> None:
    for key in ("", "Bearer wrong"):
        answer = post(service, LIST, authorization=key)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert post(service, LIST).json()["result"]["tools"]


def test_a_token_reads_jobs_but_no_transcripts_of_its_key(service: InProcess) -> None:
    issued = service.client.post("/v1/auth/token", headers=AUTHORIZED, json={})
    bearer = f"Bearer {issued.json()['token']}"
    answer = post(service, calling("list_transcripts"), authorization=bearer).json()["result"]
    assert answer["isError"]
    assert answer["content"][0]["text"].endswith("(unauthorized)")


def test_pages_of_other_origins_are_rejected(service: InProcess) -> None:
    answer = post(service, LIST, origin="https://evil.example")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden_origin")


def test_without_keys_the_host_must_be_known(tmp_path: Path) -> None:
    with in_process(tmp_path / "spool", mcp=True) as service:
        answer = post(service, LIST, host="rebound.example")
        assert (answer.status_code, answer.json()["error"]["code"]) == (421, "forbidden_host")
        found = post(service, calling("list_jobs"), host="127.0.0.1").json()["result"]
        assert not found["isError"]


def test_there_are_no_streams_and_no_sessions(service: InProcess) -> None:
    for method in ("GET", "DELETE"):
        answer = service.client.request(method, "/mcp", headers=AUTHORIZED | ACCEPT)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert "mcp-session-id" not in post(service, LIST).headers


def test_requests_of_tools_count_for_the_limits_of_the_key(service: InProcess) -> None:
    answered = 0
    while (answer := post(service, calling("list_jobs"))).is_success:
        answered += 1
        assert answered < 20  # each of two requests; some are granted again meanwhile
    assert answered >= 10
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limited")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b'{"jsonrpc": "2.0", "id": 1}',
        b"[" * 60_000,
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_jobs","arguments":'
        + b'{"a":' * 10_000
        + b"1"
        + b"}" * 10_000
        + b"}}",
        b'{"jsonrpc":"2.0","method":"tools/list","id":' + b"1" * 60_000 + b"}",
    ],
)
@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28"])
def test_what_is_no_message_is_refused(service: InProcess, body: bytes, version: str) -> None:
    answer = post(service, body, **{"mcp-protocol-version": version})
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert post(service, LIST).status_code == 200


def test_other_types_than_json_are_refused(service: InProcess) -> None:
    for kind in ("text/plain", "", "multipart/form-data"):
        answer = post(service, LIST, **{"content-type": kind})
        assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_format")
    assert post(service, LIST, **{"content-type": "application/json; charset=utf-8"}).is_success


def test_large_bodies_are_refused_before_they_are_parsed(service: InProcess) -> None:
    answer = post(service, b" " * (MAX_BODY_BYTES + 1))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28"])
@pytest.mark.wall_clock
def test_the_largest_body_takes_little_time(tmp_path: Path, version: str) -> None:
    message = calling("list_jobs", states=[[]] * (MAX_AUDIO_BODY_BYTES // 3 - 100))
    body = json.dumps(message, separators=(",", ":")).encode()
    assert MAX_AUDIO_BODY_BYTES - 1000 < len(body) <= MAX_AUDIO_BODY_BYTES
    with in_process(
        tmp_path / "spool", api_keys=keys(*KEYS.split(",")), mcp=True, mcp_transcribe=True
    ) as service:
        post(service, LIST)
        began = time.process_time()
        answer = post(service, body, **{"mcp-protocol-version": version})
        took_s = time.process_time() - began
    assert answer.status_code in (200, 400)
    assert took_s < 1.0  # it takes 0.2 s


async def test_responses_are_decoded_in_a_thread() -> None:
    scope = {"type": "http", "app": Response(b"{}"), "client": ("127.0.0.1", 1), "headers": []}
    api = route.InProcess(Request(scope), "", Lifecycle())
    decoded_by = await api.send(Call("GET", "/", lambda body: threading.get_ident()))
    assert decoded_by != threading.get_ident()
