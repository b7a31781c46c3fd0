"""A live stream for programs without an event loop."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Self

from anyio.from_thread import BlockingPortal, start_blocking_portal

from auricle.client.conversation import LiveEvent
from auricle.client.live import LiveClient
from auricle.values.commands import Configure, StreamParameters
from auricle.values.types import Pcm16


class LiveStream:
    """A live stream; a context manager. Send in one thread and iterate in another.

    ::

        with client.live(language="en") as stream:
            threading.Thread(target=speak, args=[stream]).start()  # stream.send(…), stream.finish()
            for event in stream:
                if isinstance(event, Final):
                    print(event.text)

    It is a :class:`auricle.client.LiveClient` in a separate thread.

    Args:
        url: The base URL of the server.
        api_key: The API key, if the server requires one.
        parameters: The stream parameters.
    """

    def __init__(self, url: str, api_key: str | None, parameters: StreamParameters) -> None:
        self._client = LiveClient(url, parameters, api_key=api_key)
        self._resources = ExitStack()
        self._portal: BlockingPortal

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            AuricleError: The server was unreachable or full, or rejected the request.
        """
        with ExitStack() as resources:
            self._portal = resources.enter_context(start_blocking_portal())
            connected: AbstractContextManager[LiveClient] = self._portal.wrap_async_context_manager(
                self._client
            )
            resources.enter_context(connected)
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._resources.close()

    def send(self, pcm: Pcm16) -> None:
        """Send speech; wait while the buffer is full.

        Args:
            pcm: int16, shape [samples], 16 kHz mono, any length.

        Raises:
            AuricleError: The stream has failed; iteration raises the same error.
        """
        self._portal.call(self._client.send, pcm)

    def finalize(self) -> None:
        """Request the final of the speech so far, without waiting for silence."""
        self._portal.call(self._client.finalize)

    def configure(self, change: Configure) -> None:
        """Change parameters from the next utterance on; the format can't be changed."""
        self._portal.call(self._client.configure, change)

    def finish(self) -> None:
        """End the audio; iteration ends after the last final."""
        self._portal.call(self._client.finish)

    def __iter__(self) -> Iterator[LiveEvent]:
        """Iterate over the events.

        Raises:
            AuricleError: The stream has failed.
        """
        events = aiter(self._client)
        while (event := self._portal.call(_next, events)) is not None:
            yield event


async def _next(events: AsyncIterator[LiveEvent]) -> LiveEvent | None:
    return await anext(events, None)
