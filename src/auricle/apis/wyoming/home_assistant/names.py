"""Keep the names of a Home Assistant up to date while the server runs."""

from collections.abc import Awaitable, Callable

import anyio
import structlog

from auricle.system.logs import log_unexpected
from auricle.values.errors import SetupError

REFRESH_S = 300.0
"""Interval between reads of the names, in seconds."""
RETRY_S = 60.0
"""Pause after a failed read, in seconds."""

_log = structlog.get_logger("auricle.server")


class HomeAssistantNames:
    """The names of one Home Assistant.

    Args:
        read: Reads them, or raises ``SetupError``.

    Attributes:
        current: The names that were read last; empty before. They are kept if a later read fails.
    """

    def __init__(self, read: Callable[[], Awaitable[tuple[str, ...]]]) -> None:
        self.current: tuple[str, ...] = ()
        self._read = read
        self._problem = ""

    async def follow(self) -> None:
        """Read the names again and again until cancelled; the log has each change of state once."""
        while True:
            has_names = await self._refresh()
            await anyio.sleep(REFRESH_S if has_names else RETRY_S)

    async def _refresh(self) -> bool:
        try:
            names = await self._read()
        except SetupError as error:
            if self._is_new(str(error)):
                _log.warning("home_assistant_names_failed", message=self._problem, retry_s=RETRY_S)
            return False
        except Exception as error:  # the server must not end
            if self._is_new(type(error).__name__):
                log_unexpected(error)
            return False
        if self._problem or len(names) != len(self.current):
            _log.info("home_assistant_names", names=len(names))
        self.current, self._problem = names, ""
        return True

    def _is_new(self, problem: str) -> bool:
        previous, self._problem = self._problem, problem
        return problem != previous
