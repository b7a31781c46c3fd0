"""Keep a process that announces a service on the local network.

:mod:`auricle.server.net.mdns_responder` runs in it. If it ends, it is started again after a pause;
the server is not affected.
"""

import asyncio
import contextlib
import re
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from importlib.util import find_spec

import anyio
import structlog

from auricle.config.environment import worker_environment
from auricle.values.errors import SetupError

PROGRAM = "auricle.server.net.mdns_responder"
RESTART_S = 60.0
"""Pause before another start; the first one may fail because the network is not up."""
STOP_S = 3.0
"""Maximum time in which the service is withdrawn at the end."""
MAX_LABEL_BYTES = 63  # RFC 6763 §7.2
REQUIREMENT = "zeroconf>=0.140"

_log = structlog.get_logger("auricle.server")


def check_announcer(setting: str) -> None:
    """Check that services can be announced, as a setting requests it.

    Raises:
        SetupError: The library is missing.
    """
    if find_spec("zeroconf") is None:
        raise SetupError(f"{setting} requires zeroconf. Run: pip install '{REQUIREMENT}'")


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
