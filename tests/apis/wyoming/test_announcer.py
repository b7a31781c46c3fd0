"""The process that announces a service: it is kept, and it can't affect the server."""

import asyncio
import contextlib
import importlib.util
import socket
from collections.abc import Sequence
from typing import Any

import psutil
import pytest

from auricle.apis.wyoming import announcer as announcing
from auricle.apis.wyoming.announcer import SERVICE_TYPE, Announcer, announced, instance_name
from auricle.apis.wyoming.spec import wyoming_port
from auricle.config.settings import Settings
from auricle.server.access.keyless_port import KeylessPort
from auricle.values.errors import SetupError
from tests.support.poll import poll_until

pytestmark = pytest.mark.process


@pytest.mark.parametrize(
    ("hostname", "name"),
    [
        ("kitchen", "auricle-kitchen"),
        ("Living Room_PC.home.arpa", "auricle-living-room-pc"),
        ("", "auricle-server"),
        ("x" * 80, "auricle-" + "x" * 55),
    ],
)
def test_a_machine_s_name_becomes_a_label(hostname: str, name: str) -> None:
    assert instance_name(hostname) == name


def port(**settings: Any) -> KeylessPort:
    """Return the port with an announcement."""
    return wyoming_port(Settings.load({"wyoming_zeroconf": True} | settings))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, "requires AURICLE_WYOMING=1"),
        ({"wyoming": True}, "set AURICLE_WYOMING_HOST and AURICLE_WYOMING_OPEN=1"),
    ],
)
def test_a_port_that_other_machines_do_not_reach_is_not_announced(
    settings: dict[str, Any], problem: str
) -> None:
    with pytest.raises(SetupError, match=problem):
        port(**settings)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    reachable = {"wyoming": True, "wyoming_host": "0.0.0.0", "wyoming_open": True}
    assert port(**reachable).is_exposed
    monkeypatch.setattr(announcing, "find_spec", lambda name: importlib.util.find_spec("nowhere"))
    with pytest.raises(
        SetupError,
        match="^AURICLE_WYOMING_ZEROCONF.*pip install 'zeroconf>=",
    ):
        port(**reachable)
    assert not wyoming_port(Settings()).is_enabled


def responders() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie, or just ended
            if announcing.PROGRAM in child.cmdline():
                found.append(child)
    return found


async def test_a_process_that_dies_is_started_again_and_ends_with_the_server() -> None:
    announcer = Announcer("_auricle-test._tcp", "127.0.0.1", 10300, restart_s=0.01)
    serving = asyncio.create_task(announcer.serve())
    await poll_until(lambda: bool(responders()))
    [first] = responders()
    first.kill()
    await poll_until(lambda: any(child.pid != first.pid for child in responders()))
    [second] = responders()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert not second.is_running()


async def test_the_port_is_announced_while_it_is_served() -> None:
    served: list[Sequence[socket.socket]] = []

    async def serve(sockets: Sequence[socket.socket]) -> None:
        served.append(sockets)
        await asyncio.Event().wait()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(announced(serve, "127.0.0.1")([listening]))
        await poll_until(lambda: bool(responders()))
        [responder] = responders()
        number = listening.getsockname()[1]
        assert SERVICE_TYPE in responder.cmdline()
        assert responder.cmdline()[-2:] == ["127.0.0.1", str(number)]
        assert served == [[listening]]
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
    await poll_until(lambda: not responder.is_running())
