"""The process that announces a service: it is kept, and it can't affect the server."""

import asyncio
import contextlib
import importlib.util

import psutil
import pytest

from auricle.server.net import announcer as announcing
from auricle.server.net.announcer import Announcer, check_announcer, instance_name
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


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    check_announcer("AURICLE_WYOMING_ZEROCONF")
    monkeypatch.setattr(announcing, "find_spec", lambda name: importlib.util.find_spec("nowhere"))
    with pytest.raises(
        SetupError,
        match="^AURICLE_WYOMING_ZEROCONF.*pip install 'zeroconf>=",
    ):
        check_announcer("AURICLE_WYOMING_ZEROCONF")


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
