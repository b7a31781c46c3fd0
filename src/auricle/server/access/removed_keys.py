"""Deletes what is stored for keys that were removed."""

from collections.abc import Callable
from pathlib import Path

import anyio
import structlog
from anyio import to_thread

from auricle.ledger.databases.database import REFUSALS
from auricle.server.access.key_file import read_removed
from auricle.system.logs import log_unexpected
from auricle.values.errors import SetupError
from auricle.values.types import ClientId

INTERVAL_S = 60.0
"""Interval of the deletion: sessions of a removed key store finals until they end. A name takes
2 ms of the database each time."""

_log = structlog.get_logger("auricle.server")


async def forget_removed(
    path: Path, forget: Callable[[ClientId], int], *, interval_s: float = INTERVAL_S
) -> None:
    """Delete what is stored for the removed keys of a key file, again and again until cancelled.

    Args:
        path: The key file.
        forget: Deletes some of what is stored for a key, and returns how much that was; blocks. Is
            called until nothing is left.
        interval_s: Seconds between two deletions.
    """
    while True:
        try:
            names = await to_thread.run_sync(read_removed, path)
        except SetupError:  # reported by what follows the keys
            names = frozenset()
        for name in sorted(names):
            try:
                deleted = 0
                while count := await to_thread.run_sync(forget, ClientId(name)):
                    deleted += count
                if deleted:
                    _log.info("key_forgotten", client=name, deleted=deleted)
            except REFUSALS as error:
                _log.warning("key_not_forgotten", client=name, code=error.code)
            except Exception as error:  # the server must not end
                log_unexpected(error)
        await anyio.sleep(interval_s)
