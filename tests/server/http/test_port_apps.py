from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from auricle.server.http.port_apps import PortApps

pytestmark = pytest.mark.unit


def note(called: list[str], name: str) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        called.append(name)

    return app


@pytest.mark.parametrize(
    ("scope", "name"),
    [
        ({"type": "http", "server": ("127.0.0.1", 2700)}, "port"),
        ({"type": "websocket", "server": ("::1", 2700)}, "port"),
        ({"type": "http", "server": ("127.0.0.1", 8000)}, "main"),
        ({"type": "http", "server": None}, "main"),
        ({"type": "lifespan"}, "main"),
    ],
)
async def test_the_port_chooses_the_application(scope: Any, name: str) -> None:
    called: list[str] = []
    apps = PortApps(note(called, "main"), {2700: note(called, "port")})
    await apps(scope, None, None)  # type: ignore[arg-type]  # neither is called
    assert called == [name]
