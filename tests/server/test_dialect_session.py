"""What is the same for all dialects at the handshake; the rest is in their own tests."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.websockets import WebSocket
from structlog.testing import LogCapture
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from auricle.apis.native.dialect import NativeDialect
from auricle.server.dialect_session import Handshake, serve_dialect
from auricle.values.commands import StreamParameters
from auricle.values.errors import BadRequest
from auricle.values.events import Wire
from tests.support.service import Live, live, poll_until

pytestmark = pytest.mark.server

SAID = "what somebody said"


def read(websocket: WebSocket) -> Handshake:
    """Do what the query asks for."""
    match websocket.query_params.get("do"):
        case "refuse":
            raise BadRequest("The query makes no sense.")
        case "fail":
            raise RuntimeError(SAID)
        case "klingon":
            parameters = StreamParameters(language="klingon")
        case _:
            parameters = StreamParameters(format=Wire.PCM16)
    return Handshake(NativeDialect(), parameters, "second")


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Live]:
    async with live(folder) as service:

        @service.app.websocket("/toy")
        async def toy(websocket: WebSocket) -> None:
            await serve_dialect(service.state.streams, websocket, "toy", read)

        yield service


async def refused(service: Live, query: str) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as caught:
        async with connect(f"ws://127.0.0.1:{service.port}/toy?do={query}", proxy=None):
            pass
    assert caught.value.response.body is not None
    return (
        caught.value.response.status_code,
        json.loads(caught.value.response.body)["error"]["code"],
    )


async def test_what_makes_no_sense_is_refused_before_the_connection_and_leaves_no_room_taken(
    tmp_path: Path, logged: LogCapture
) -> None:
    async with serving(tmp_path) as service:
        assert await refused(service, "refuse") == (400, "bad_request")
        assert await refused(service, "klingon") == (400, "bad_request")
        assert await refused(service, "fail") == (500, "internal")
        assert not service.transcriber.reserved
        assert SAID not in str(logged.entries)


async def test_a_guest_is_counted_and_its_subprotocol_chosen(
    tmp_path: Path, logged: LogCapture
) -> None:
    async with serving(tmp_path) as service:
        url = f"ws://127.0.0.1:{service.port}/toy"
        async with connect(url, proxy=None, subprotocols=["first", "second"]) as connection:  # type: ignore[list-item]  # plain names
            assert connection.subprotocol == "second"
            session = json.loads(await connection.recv())["session"]
        lines = logged.entries
        await poll_until(lambda: any(entry["event"] == "request" for entry in lines))
        (line,) = [entry for entry in lines if entry["event"] == "request"]
        assert (line["dialect"], line["end"], line["session"]) == ("toy", "client_left", session)
        count = service.state.metrics.registry.get_sample_value
        assert count("auricle_live_dialect_sessions_total", {"dialect": "toy"}) == 1
