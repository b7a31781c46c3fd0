from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from auricle.server.http.port_apps import PORT_APP, PortApps

pytestmark = pytest.mark.unit


def note(called: list[str], name: str) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        called.append(name)

    return app


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_the_port_chooses_the_application(kind: str) -> None:
    called: list[str] = []
    apps = PortApps(note(called, "main"))
    states: list[dict[str, Any]] = [
        {"state": {PORT_APP: note(called, "port")}},
        {"state": {}},
        {},  # other ASGI servers
    ]
    for state in states:
        await apps({"type": kind, **state}, None, None)  # type: ignore[arg-type]  # neither is called
    assert called == ["port", "main", "main"]
