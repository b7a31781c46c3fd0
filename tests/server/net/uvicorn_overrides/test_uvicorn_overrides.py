"""Names every internal of uvicorn, websockets, h11 and asyncio that the overrides rely on.

If a test fails after an update, read what replaced the internal before raising the version bound.
"""

import ast
import asyncio
import inspect
import textwrap
from asyncio.sslproto import SSLProtocol
from typing import Any

import h11
import pytest
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.server import ServerProtocol

from auricle.server.net.http_framing import ServerConnection
from auricle.server.net.uvicorn_overrides.http_connection import HttpConnection
from auricle.server.net.uvicorn_overrides.server import Server
from auricle.server.net.uvicorn_overrides.websocket import WebSocketConnection

pytestmark = pytest.mark.unit

CONFIG = uvicorn.Config(Starlette(), log_config=None)

USED_OF_SERVER = {"config", "handle_exit", "on_tick", "server_state", "should_exit", "startup"}
SET_WHEN_IT_STARTS = {"servers"}

USED_OF_HTTP = {
    *("app", "conn", "cycle", "flow", "loop", "transport"),
    *("connection_lost", "connection_made", "data_received", "handle_websocket_upgrade"),
    *("on_response_complete", "pause_writing", "resume_writing", "send_400_response"),
    "_unset_keepalive_if_required",
}
USED_OF_CYCLES = {
    *("disconnected", "message_event", "response_complete", "response_started", "scope"),
}
USED_OF_HTTP_PARSER = {"next_event", "their_state", "trailing_data"}

USED_OF_WEBSOCKETS = {
    *("close_sent", "close_timer", "config", "conn", "curr_msg_data_type", "disconnected"),
    *("frames", "loop", "queue"),
    *("handshake_complete", "handshake_initiated", "read_paused", "transport", "writable"),
    *("connection_lost", "connection_made", "data_received", "handle_connect", "handle_cont"),
    *(
        "handle_events",
        "handle_parser_exception",
        "handle_ping",
        "receive",
        "run_asgi",
        "send",
        "shutdown",
    ),
    *("scope", "send_receive_event_to_app"),
}
SET_BY_THE_HANDSHAKE = {"response", "scope"}
USED_OF_WEBSOCKET_PARSER = {
    *("close_sent", "current_size", "data_to_send", "fail", "handshake_exc", "max_message_size"),
    *("parser_exc", "reader", "receive_data", "send_close", "send_response"),
}


def used(ours: type, base: Any) -> set[str]:
    """Return the names of `base` that the source of `ours` overrides, or uses on `self`."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(ours)))
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    on_self = {
        node.attr
        for node in attributes
        if isinstance(node.value, ast.Name) and node.value.id == "self"
    }
    names = on_self | {name for name in vars(ours) if not name.startswith("__")}
    return {name for name in names if hasattr(base, name)}


def lacking(value: Any, names: set[str]) -> set[str]:
    return {name for name in names if not hasattr(value, name)}


def source_of(function: Any) -> str:
    return inspect.getsource(function)


async def test_of_the_http_connection() -> None:
    base = H11Protocol(CONFIG, ServerState(), {})
    assert used(HttpConnection, base) == USED_OF_HTTP
    assert lacking(base.conn, USED_OF_HTTP_PARSER) == set()
    assert used(ServerConnection, h11.Connection(h11.SERVER)) == USED_OF_HTTP_PARSER
    assert set(inspect.signature(FlowControl).parameters) == {"transport"}
    used_of_flow = {"read_paused", "resume_reading", "write_paused"}
    assert lacking(FlowControl(asyncio.Transport()), used_of_flow) == set()


def test_of_a_request_in_progress() -> None:
    source = source_of(RequestResponseCycle.__init__)
    assert {name for name in USED_OF_CYCLES if f"self.{name}" not in source} == set()


async def test_of_the_websocket_connection() -> None:
    base = WebSocketsSansIOProtocol(CONFIG, ServerState(), {})
    assert used(WebSocketConnection, base) == USED_OF_WEBSOCKETS - SET_BY_THE_HANDSHAKE
    assert lacking(base.conn, USED_OF_WEBSOCKET_PARSER) == set()
    assert isinstance(base.conn, ServerProtocol)
    source = source_of(WebSocketsSansIOProtocol.handle_connect)
    assert {name for name in SET_BY_THE_HANDSHAKE if f"self.{name}" not in source} == set()


async def test_of_the_server() -> None:
    base = uvicorn.Server(CONFIG)
    assert used(Server, base) == USED_OF_SERVER
    sources = source_of(uvicorn.Server._serve) + source_of(uvicorn.Server.startup)
    assert {name for name in SET_WHEN_IT_STARTS if f"self.{name}" not in sources} == set()
    assert asyncio.iscoroutinefunction(uvicorn.Server.on_tick)


def test_of_tls_in_asyncio() -> None:
    assert isinstance(SSLProtocol.max_size, int)
    assert "self.max_size" in source_of(SSLProtocol.__init__)
