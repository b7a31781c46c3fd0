"""A server on fakes as a process of its own, which holds its answers until SIGUSR1."""

import asyncio
import signal

import anyio

from auricle.config.settings import Settings
from auricle.server.access.exposure import listen
from auricle.server.main import serve
from auricle.server.net.listen import base_url
from auricle.system.logs import configure_logging
from tests.support.decoder import FakeDecoder
from tests.support.service import application
from tests.support.transcriber import FakeTranscriber


async def run() -> None:
    settings = Settings.load()
    sockets = listen(settings.server)
    transcriber = FakeTranscriber()
    transcriber.gate = gate = anyio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, gate.set)
    print(base_url(settings.server, sockets), flush=True)
    async with application(settings, transcriber, FakeDecoder()) as app:
        await serve(app, sockets)
    print("stopped", len(transcriber.jobs), len(transcriber.cancelled), flush=True)


def main() -> None:
    configure_logging("info")
    asyncio.run(run())
