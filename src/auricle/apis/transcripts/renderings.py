"""Renderings of transcripts, kept for a while.

A request for the same version of a transcript computes nothing.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from auricle.server.rendering import Renderer
from auricle.values.types import ClientId, GiveWay

MAX_WAIT_S = 60.0
"""Longest wait of a request for its turn."""
MAX_KEPT_BYTES = 16_000_000
"""All results that are kept; one of more than a quarter is not."""
KEPT_S = 60.0
"""Retention of a result, in seconds."""


class KeptRenderings:
    """Renders each version of a transcript once; see the module.

    Args:
        renderer: Renders long transcripts in turn.
    """

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._results = _Results()

    async def render(
        self,
        client: ClientId,
        name: Hashable,
        version: Hashable,
        work: Callable[[GiveWay], bytes],
    ) -> bytes:
        """Return a rendering that is kept, or what ``work`` returns, in its turn.

        Args:
            client: The client.
            name: What is rendered: the client's transcript, and the format.
            version: Its version, read before this call; an earlier one is not returned.
            work: Renders it, and calls its argument between small parts of the work.

        Raises:
            Overloaded: Earlier requests of the client took too long.
        """
        if (body := self._results.find(name, version)) is not None:
            return body
        async with self._renderer.turn(client, MAX_WAIT_S):
            if (body := self._results.find(name, version)) is None:
                body = await self._renderer.run(client, work)
                self._results.keep(name, version, body)
        return body


@dataclass(frozen=True, slots=True)
class _Result:
    version: Hashable
    body: bytes
    expires_at: float


@dataclass(slots=True)
class _Results:
    """Results by name, the one that was kept first at the front."""

    _by_name: OrderedDict[Hashable, _Result] = field(default_factory=OrderedDict)
    _size_bytes: int = 0

    def find(self, name: Hashable, version: Hashable) -> bytes | None:
        """Return the result of this version, ``None`` if it is not kept."""
        self._expire()
        result = self._by_name.get(name)
        return None if result is None or result.version != version else result.body

    def keep(self, name: Hashable, version: Hashable, body: bytes) -> None:
        """Keep a result, in place of an earlier one of its name."""
        if name in self._by_name:
            self._size_bytes -= len(self._by_name.pop(name).body)
        if len(body) > MAX_KEPT_BYTES // 4:
            return
        self._by_name[name] = _Result(version, body, time.monotonic() + KEPT_S)
        self._size_bytes += len(body)
        self._expire()

    def _expire(self) -> None:
        now = time.monotonic()
        while self._by_name:
            oldest = next(iter(self._by_name.values()))
            if oldest.expires_at > now and self._size_bytes <= MAX_KEPT_BYTES:
                return
            self._by_name.popitem(last=False)
            self._size_bytes -= len(oldest.body)
