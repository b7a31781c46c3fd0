"""A response without an end: what is said in a live session, as it is said.

Events are written as the feed has them, without a task that wakes for each. A reader that reads
slowly gets fewer partials. One that reads nothing is disconnected by the connection's own timeout
for a client that doesn't read.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager

import anyio
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from auricle.apis.readers.feed import FeedCursor
from auricle.apis.readers.notifier import Notifier
from auricle.server.http.request_log import request_log
from auricle.server.http.responses import StreamedResponse
from auricle.server.http.uniform_routes import is_head
from auricle.server.net.peer import BodyWriter, body_writer_of
from auricle.system.asgi import while_connected


class FeedStream(StreamedResponse):
    """The events of a feed until it ends, the reader leaves, or its token expires or is withdrawn.

    Args:
        cursor: The reader's place in the feed.
        notifier: Wakes the readers when the feed has changed.
        media_type: The media type.
        start: Bytes before the first event.
        limit_s: Time until the reader's token expires, in seconds; ``None``: it does not.
        reading: Entered while the response is sent.
        is_withdrawn: Returns whether the reader's token was withdrawn, which ends the response.
    """

    def __init__(
        self,
        cursor: FeedCursor,
        notifier: Notifier,
        media_type: str,
        start: bytes,
        limit_s: float | None,
        reading: AbstractContextManager[None],
        is_withdrawn: Callable[[], bool],
    ) -> None:
        super().__init__({"cache-control": "no-store"}, media_type)
        self._cursor = cursor
        self._notifier = notifier
        self._start = start
        self._limit_s = limit_s
        self._reading = reading
        self._is_withdrawn = is_withdrawn

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events.

        Raises:
            Overloaded: There are too many readers.
        """
        with self._reading:
            await self.begin(send)
            try:
                if not is_head(scope):
                    async with while_connected(receive):
                        with anyio.move_on_after(self._limit_s):
                            await self._stream(body_writer_of(scope))
            except ClientDisconnect:
                request_log(scope).code = "client_left"
            else:
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _stream(self, writer: BodyWriter) -> None:
        is_done = anyio.Event()

        def write_changes() -> None:
            if self._is_withdrawn():
                is_done.set()
            if writer.is_full or is_done.is_set():
                return  # `on_writable` calls this again
            writer.write_body(self._cursor.next_bytes())
            if self._cursor.is_behind:
                asyncio.get_running_loop().call_soon(write_changes)
            elif self._cursor.is_done:
                is_done.set()

        writer.write_body(self._start)
        writer.on_writable = write_changes
        try:
            with self._notifier.subscribed(write_changes):
                write_changes()
                await is_done.wait()
        finally:
            writer.on_writable = None
            is_done.set()
