"""Keep a process that announces Wyoming's port on the local network.

:mod:`auricle.apis.wyoming.mdns_responder` runs in it. If it ends, it is started again after a
pause; the server is not affected.
"""

import asyncio
import contextlib
import re
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Coroutine, Sequence
from importlib.util import find_spec
from typing import Any

import anyio
import structlog

from auricle.config.environment import worker_environment
from auricle.config.section import variable
from auricle.server.access.keyless_port import KeylessPort
from auricle.values.errors import SetupError

PROGRAM = "auricle.apis.wyoming.mdns_responder"
SERVICE_TYPE = "_wyoming._tcp"
"""Type of the service, as Home Assistant looks for it."""
RESTART_S = 60.0
"""Pause before another start; the first one may fail because the network is not up."""
STOP_S = 3.0
"""Maximum time in which the service is withdrawn at the end."""
MAX_LABEL_BYTES = 63  # RFC 6763 §7.2
REQUIREMENT = "zeroconf>=0.140"

Serve = Callable[[Sequence[socket.socket]], Coroutine[Any, Any, None]]

_log = structlog.get_logger("auricle.server")


def check_announcement(port: KeylessPort) -> None:
    """Check that the port can be announced, as the settings request it.

    Raises:
        SetupError: The port is not served, other machines can't reach it, or the library is
            missing.
    """
    setting = variable(f"{port.name}_zeroconf")
    if not port.is_enabled:
        raise SetupError(f"{setting} requires {variable(port.name)}=1.")
    if not port.is_exposed:
        raise SetupError(
            f"{setting} announces {port.protocol} to other machines, but it accepts "
            f"connections from this one only: set {variable(f'{port.name}_host')} and "
            f"{variable(f'{port.name}_open')}=1."
        )
    if find_spec("zeroconf") is None:
        raise SetupError(f"{setting} requires zeroconf. Run: pip install '{REQUIREMENT}'")


def announced(serve: Serve, host: str) -> Serve:
    """Return a function that serves listening sockets, and announces the port of the first one.

    Args:
        serve: Serves listening sockets until cancelled.
        host: Address on which they listen.
    """

    async def serve_announced(sockets: Sequence[socket.socket]) -> None:
        announcer = Announcer(SERVICE_TYPE, host, sockets[0].getsockname()[1])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(announcer.serve)
            await serve(sockets)

    return serve_announced


def instance_name(hostname: str) -> str:
    """Return the name under which a machine's service is announced: a DNS label."""
    label = re.sub(r"[^a-z0-9-]+", "-", hostname.partition(".")[0].lower()).strip("-")
    return f"auricle-{label or 'server'}"[:MAX_LABEL_BYTES]


class Announcer:
    """Announces a service while the application runs.

    Args:
        service_type: Such as ``_http._tcp``.
        host: Address on which the service listens.
        port: TCP port of the service.
        restart_s: Pause before the process is started again, in seconds.
    """

    def __init__(
        self, service_type: str, host: str, port: int, restart_s: float = RESTART_S
    ) -> None:
        name = instance_name(socket.gethostname())
        self._arguments = ("-m", PROGRAM, service_type, name, host, str(port))
        self._service_type, self._port, self._restart_s = service_type, port, restart_s

    async def serve(self) -> None:
        """Announce the service until cancelled, then withdraw it."""
        while True:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self._arguments,
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env=worker_environment(1),
            )
            try:
                await self._report_addresses(process)
            finally:
                with anyio.CancelScope(shield=True):
                    await _stop(process)
            _log.warning(
                "announcement_failed", code=process.returncode, restart_after_s=self._restart_s
            )
            await anyio.sleep(self._restart_s)

    async def _report_addresses(self, process: Process) -> None:
        assert process.stdout
        while line := await process.stdout.readline():
            address = line.decode(errors="replace").strip()
            _log.info("announced", service=self._service_type, address=address, port=self._port)


async def _stop(process: Process) -> None:
    """Close the process's input, and kill it if it does not end."""
    assert process.stdin
    process.stdin.close()
    with anyio.move_on_after(STOP_S):
        await process.wait()
        return
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
