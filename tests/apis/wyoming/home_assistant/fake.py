"""A Home Assistant as far as its WebSocket API returns names: the protocol over real sockets."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

TOKEN = "a-long-lived-access-token"
VERSION = "2026.11.0"

EXPOSED = {
    "light.bjornholm": {"conversation": True},
    "sensor.outside": {"conversation": True, "cloud.alexa": True},
    "media_player.attic": {"conversation": True},
    "light.hidden": {"conversation": False},
    "switch.alexa_only": {"cloud.alexa": True},
}
STATES = [
    {"entity_id": "sensor.outside", "state": "3", "attributes": {"friendly_name": "Ilmatar"}},
    {"entity_id": "light.hidden", "state": "on", "attributes": {"friendly_name": "Hidden"}},
    {"entity_id": "switch.alexa_only", "attributes": {"friendly_name": "Alexa only"}},
    {"entity_id": "light.bjornholm", "attributes": {"friendly_name": "Bjørnholm  lamp"}},
    {"entity_id": "media_player.attic", "attributes": {}},
]
ENTRIES = {
    "light.bjornholm": {"aliases": [None, "Reading light"], "name": None, "platform": "hue"},
    "sensor.outside": {"aliases": []},
    "media_player.attic": {"aliases": ["Wurlitzer"]},
}
FLOORS = [{"floor_id": "up", "name": "Upstairs", "aliases": ["First floor"]}]
AREAS = [{"area_id": "k", "name": "Küche", "aliases": []}, {"area_id": "b", "name": "Bath"}]
RESULTS: dict[str, Any] = {
    "homeassistant/expose_entity/list": {"exposed_entities": EXPOSED},
    "get_states": STATES,
    "config/entity_registry/get_entries": ENTRIES,
    "config/floor_registry/list": FLOORS,
    "config/area_registry/list": AREAS,
}
NAMES = (
    *("Upstairs", "First floor", "Küche", "Bath"),
    *("Bjørnholm lamp", "Reading light", "Wurlitzer", "Ilmatar"),
)


@dataclass
class FakeHomeAssistant:
    """One Home Assistant.

    Attributes:
        results: What its commands return; an exception's text is an error with this code.
        received: The commands that it received.
        connections: Number of connections.
        redirect_to: Where it redirects every request, if anywhere.
    """

    results: dict[str, Any] = field(default_factory=lambda: dict(RESULTS))
    received: list[dict[str, Any]] = field(default_factory=list)
    connections: int = 0
    redirect_to: str = ""
    url: str = ""

    def _answer_request(self, connection: ServerConnection, request: Request) -> Response | None:
        self.connections += 1
        if self.redirect_to:
            response = connection.respond(302, "")
            response.headers["Location"] = self.redirect_to
            return response
        has_api = request.path.endswith("/api/websocket") and "elsewhere" not in request.path
        return None if has_api else connection.respond(404, "not found")

    async def _converse(self, socket: ServerConnection) -> None:
        await socket.send(json.dumps({"type": "auth_required", "ha_version": VERSION}))
        auth = json.loads(await socket.recv())
        if auth != {"type": "auth", "access_token": TOKEN}:
            wrong = {"type": "auth_invalid", "message": "Invalid access token or password"}
            await socket.send(json.dumps(wrong))
            return
        await socket.send(json.dumps({"type": "auth_ok", "ha_version": VERSION}))
        async for message in socket:
            command = json.loads(message)
            self.received.append(command)
            await socket.send(json.dumps(self._result(command)))

    def _result(self, command: dict[str, Any]) -> dict[str, Any]:
        result = self.results.get(command["type"], LookupError("unknown_command"))
        answer = {"id": command["id"], "type": "result", "success": True, "result": result}
        if isinstance(result, Exception):
            answer |= {"success": False, "result": None, "error": {"code": str(result)}}
        return answer


@asynccontextmanager
async def home_assistant(
    fake: FakeHomeAssistant | None = None, port: int = 0, tls: SSLContext | None = None
) -> AsyncIterator[FakeHomeAssistant]:
    """Serve a Home Assistant on a loopback port."""
    fake = fake or FakeHomeAssistant()
    async with serve(
        fake._converse,
        "127.0.0.1",
        port,
        ssl=tls,
        process_request=fake._answer_request,
        close_timeout=1,
    ) as server:
        [socket] = server.sockets
        fake.url = f"http{'s' if tls else ''}://127.0.0.1:{socket.getsockname()[1]}"
        yield fake


@contextmanager
def home_in_thread(fake: FakeHomeAssistant, port: int = 0) -> Iterator[FakeHomeAssistant]:
    """Serve a Home Assistant for code that does not run in an event loop."""
    is_up, is_over = threading.Event(), threading.Event()

    async def serve_until_over() -> None:
        async with home_assistant(fake, port):
            is_up.set()
            await asyncio.to_thread(is_over.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve_until_over(),))
    thread.start()
    is_up.wait()
    try:
        yield fake
    finally:
        is_over.set()
        thread.join()
