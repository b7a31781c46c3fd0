"""Announcements on the network, as another machine's zeroconf finds them."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from zeroconf import IPVersion, ServiceStateChange
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from auricle.apis.wyoming import mdns_responder
from auricle.apis.wyoming.mdns_responder import address_of, announce

pytestmark = pytest.mark.server

TYPE = f"_auricle-{os.getpid()}._tcp"  # other tests on this machine are not found
DOMAIN = f"{TYPE}.local."
NAME = "auricle-tests"
LIMIT_S = 60.0


class Finder:
    """Looks for services, as Home Assistant does."""

    def __init__(self, zeroconf: AsyncZeroconf) -> None:
        self._zeroconf = zeroconf
        self.changes: asyncio.Queue[tuple[str, ServiceStateChange]] = asyncio.Queue(maxsize=100)

    def note(self, zeroconf: object, service_type: str, name: str, state_change: object) -> None:
        assert isinstance(state_change, ServiceStateChange)
        self.changes.put_nowait((name, state_change))

    async def next_change(self) -> tuple[str, ServiceStateChange]:
        return await asyncio.wait_for(self.changes.get(), LIMIT_S)

    async def service(self, name: str) -> AsyncServiceInfo:
        found = await self._zeroconf.async_get_service_info(DOMAIN, name, int(1000 * LIMIT_S))
        assert found
        return found


@asynccontextmanager
async def finding() -> AsyncIterator[Finder]:
    zeroconf = AsyncZeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only)
    finder = Finder(zeroconf)
    browser = AsyncServiceBrowser(zeroconf.zeroconf, DOMAIN, handlers=[finder.note])
    try:
        yield finder
    finally:
        await browser.async_cancel()
        await zeroconf.async_close()


async def test_a_service_is_found_until_it_is_withdrawn() -> None:
    stop = asyncio.Event()
    reported: list[str] = []

    async def wait() -> bool:
        return await stop.wait()

    async with finding() as finder:
        running = asyncio.create_task(
            announce(TYPE, NAME, "127.0.0.1", 10300, wait, reported.append)
        )
        name, change = await finder.next_change()
        assert (name, change) == (f"{NAME}.{DOMAIN}", ServiceStateChange.Added)
        service = await finder.service(name)
        assert (service.parsed_addresses(), service.port) == (["127.0.0.1"], 10300)
        stop.set()
        await running
        assert reported == ["127.0.0.1"]
        assert await finder.next_change() == (name, ServiceStateChange.Removed)


async def test_an_address_that_comes_late_or_changes_is_announced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    addresses = iter(["", "127.0.0.1", "127.0.0.1", "127.0.0.2"])
    monkeypatch.setattr(mdns_responder, "address_of", lambda host: next(addresses))
    reported: list[str] = []
    waits = 0

    async def wait() -> bool:
        nonlocal waits
        waits += 1
        return waits == 4

    await announce(TYPE, f"{NAME}-2", "0.0.0.0", 10300, wait, reported.append)
    assert reported == ["127.0.0.1", "127.0.0.2"]


def test_the_program_ends_with_its_input() -> None:
    command = [sys.executable, "-m", mdns_responder.__name__, TYPE, f"{NAME}-3", "127.0.0.1", "1"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "127.0.0.1\n"
        process.stdin.close()
        assert process.wait(LIMIT_S) == 0


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::1"])
def test_an_address_is_announced_as_it_is(host: str) -> None:
    assert address_of(host) == host


def test_a_wildcard_means_an_address_of_this_machine() -> None:
    assert address_of("0.0.0.0") not in ("0.0.0.0", "127.0.0.1")
    assert address_of("nowhere.invalid") == ""
