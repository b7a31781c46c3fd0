"""Announce a TCP service on the local network by zeroconf (mDNS and DNS-SD, RFC 6762 and 6763).

A separate program, started by :mod:`auricle.apis.wyoming.announcer`: it parses packets of every
machine on the network, which must not delay or crash the server. It prints the announced address
after each change, and exits when its standard input closes.

The address of a machine can change, and at boot there may be none yet. So it is looked up
repeatedly, and announced again after a change.
"""

import argparse
import asyncio
import contextlib
import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable

from zeroconf import IPVersion
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

INTERVAL_S = 20.0
"""Interval between look-ups of the machine's address."""
MDNS_GROUP, MDNS_PORT = "224.0.0.251", 5353  # RFC 6762 §3

Wait = Callable[[], Awaitable[bool]]
"""Waits until the next look-up; returns whether the responder must stop."""


async def announce(
    service_type: str, name: str, host: str, port: int, wait: Wait, report: Callable[[str], None]
) -> None:
    """Announce a service until ``wait`` returns ``True``, then withdraw it.

    Args:
        service_type: Such as ``_http._tcp``.
        name: Instance name; another one is chosen if the network already has it.
        host: Address on which the service listens; a wildcard means the machine's own address.
        port: TCP port of the service.
        wait: Waits between look-ups of the address.
        report: Called with each announced address.
    """
    announced = ""
    async with contextlib.AsyncExitStack() as stack:
        while True:
            address = address_of(host)
            if address and address != announced:
                await stack.aclose()
                with contextlib.suppress(OSError):  # no multicast now: try again later
                    await _register(stack, service_type, name, address, port)
                    announced = address
                    report(address)
            if await wait():
                return


async def _register(
    stack: contextlib.AsyncExitStack, service_type: str, name: str, address: str, port: int
) -> None:
    ip = ipaddress.ip_address(address)
    version = IPVersion.V6Only if ip.version == 6 else IPVersion.V4Only
    responder = AsyncZeroconf(interfaces=[address], ip_version=version)
    stack.push_async_callback(responder.async_close)  # also withdraws the service
    domain = f"{service_type}.local."
    info = AsyncServiceInfo(
        domain, f"{name}.{domain}", port=port, addresses=[ip.packed], server=f"{name}.local."
    )
    await (await responder.async_register_service(info, allow_name_change=True))


def address_of(host: str) -> str:
    """Return the address at which other machines reach a listening host; empty if there is none.

    Args:
        host: A name, an address, or a wildcard such as ``0.0.0.0``.
    """
    if host in ("", "0.0.0.0", "::"):
        # Chooses the route that multicast takes; UDP sends nothing here.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((MDNS_GROUP, MDNS_PORT))
            except OSError:
                return ""
            return str(probe.getsockname()[0])
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError:
        return ""


async def _until_stdin_closes() -> None:
    closed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def read() -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            loop.remove_reader(sys.stdin.fileno())
            closed.set()

    loop.add_reader(sys.stdin.fileno(), read)
    await closed.wait()


async def _run(arguments: argparse.Namespace) -> None:
    stopped = asyncio.create_task(_until_stdin_closes())

    async def wait() -> bool:
        done, _ = await asyncio.wait([stopped], timeout=INTERVAL_S)
        return bool(done)

    await announce(
        arguments.type,
        arguments.name,
        arguments.host,
        arguments.port,
        wait,
        lambda address: print(address, flush=True),
    )


def main() -> None:
    """Run the responder."""
    parser = argparse.ArgumentParser()
    for name, kind in (("type", str), ("name", str), ("host", str), ("port", int)):
        parser.add_argument(name, type=kind)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server closes stdin after Ctrl-C
    asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
