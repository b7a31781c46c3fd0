"""A recogniser without Ray, in a process that :mod:`tests.support.forked` forks.

Settings come from the environment. Its first line on stdout is its port; SIGTERM ends it.
"""

import asyncio
import os
import socket

import uvicorn

from auricle.cluster.recogniser.pool_backend import PoolBackend
from auricle.cluster.recogniser.service import RecogniserService
from auricle.cluster.settings import GatewaySettings
from auricle.config.settings import Settings
from auricle.system.logs import configure_logging
from auricle.workers.local_models import find_local_models
from bench.lib.fixed_values import apply

CLOSE_HANDSHAKE_S = 2


async def serve() -> None:
    apply()
    settings = Settings.load()
    configure_logging(settings.server.log_level)  # to stderr: only the port is read from stdout
    local = find_local_models(settings)
    plans = local.plan(settings.worker, local.table(settings))
    pool = local.open(settings, plans, plans[0].place())
    await pool.start()
    try:
        listener = socket.create_server(("127.0.0.1", 0))
        print(listener.getsockname()[1], flush=True)
        key = settings.section(GatewaySettings).engine_key
        app = RecogniserService(
            PoolBackend(pool, os.urandom(8).hex()), None if key is None else key.get_secret_value()
        )
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=CLOSE_HANDSHAKE_S,
        )
        await uvicorn.Server(config).serve([listener])
    finally:
        await pool.aclose()


def main() -> None:
    asyncio.run(serve())
