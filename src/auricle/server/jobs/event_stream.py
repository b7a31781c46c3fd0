"""Streams a transcript as server-sent events (WHATWG HTML §9.2) while a file is transcribed.

The response starts with the first event. An error before that is a normal error response with its
status; a later error is the last event. Each part of the text is sent once, when it is stable. A
slow reader receives fewer and longer deltas, so the server's buffer does not grow.
"""

from collections.abc import Awaitable, Callable, Mapping

import anyio
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from auricle.files.transcribe import FileProgress, FileTranscript, OnProgress
from auricle.server.http.errors import CLIENT_VISIBLE_ERRORS, code_of
from auricle.server.http.request_log import request_log
from auricle.server.http.responses import StreamedResponse
from auricle.server.jobs.intake import UploadContext
from auricle.system.asgi import while_connected
from auricle.system.groups import first_error
from auricle.system.logs import log_unexpected
from auricle.values.errors import Draining

KEEP_ALIVE_S = 15.0
"""Interval of keep-alive comments, in seconds; proxies time out after 60 s of silence."""
_COMMENT = b": still working\n\n"
_CLOSE_S = 1.0


class EventStream(StreamedResponse):
    """A response of server-sent events; see the module.

    Args:
        context: The request's context; its resources are released when the transcription ends,
            even if the client doesn't read the result.
        recognise: Transcribes the file.
        encode_delta: Encodes an event with further text.
        encode_done: Encodes the last event.
        encode_error: Encodes an error event.
        headers: Additional response headers.
    """

    def __init__(
        self,
        context: UploadContext,
        recognise: Callable[[OnProgress], Awaitable[FileTranscript]],
        *,
        encode_delta: Callable[[str], bytes],
        encode_done: Callable[[FileTranscript], bytes],
        encode_error: Callable[[BaseException], bytes],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__({"cache-control": "no-cache", **(headers or {})})
        self._context = context
        self._resources = context.resources.pop_all()
        self._recognise = recognise
        self._encode_delta = encode_delta
        self._encode_done = encode_done
        self._encode_error = encode_error
        self._stable_text = self._sent_text = ""
        self._progress_made = anyio.Event()
        self._has_begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Transcribe and send the events."""
        async with self._context.resources as resources:  # the transcription may add resources
            await resources.enter_async_context(self._resources)
            try:
                async with while_connected(receive):
                    await self._run(send)
            except Exception as error:
                if not self._has_begun:
                    raise
                await self._break_off(scope, send, error)
            except anyio.get_cancelled_exc_class():  # the server stops
                if self._has_begun:
                    with anyio.move_on_after(_CLOSE_S, shield=True):
                        draining = Draining()
                        await self._break_off(scope, send, draining)
                raise

    async def _break_off(self, scope: Scope, send: Send, error: Exception) -> None:
        """End a started stream with an error event."""
        log = request_log(scope)
        if isinstance(error, ClientDisconnect):
            log.code = "client_left"
            return
        log.code = code_of(error)
        if not isinstance(error, CLIENT_VISIBLE_ERRORS):
            log_unexpected(error, **log.ids())
        await self._send(send, self._encode_error(error), is_last=True)

    async def _run(self, send: Send) -> None:
        result = await self._work(send)
        self._context.count(result)
        await self._send_text(send, result.transcript.text)
        done = await self._context.render(result, lambda _: self._encode_done(result))
        await self._send(send, done, is_last=True)

    async def _work(self, send: Send) -> FileTranscript:
        """Transcribe, sending text and keep-alive comments meanwhile."""
        results: list[FileTranscript] = []

        async def recognise() -> None:
            async with self._context.resources:
                results.append(await self._recognise(self._note))
            self._progress_made.set()

        try:
            async with anyio.create_task_group() as group:
                group.start_soon(recognise)
                while not results:
                    with anyio.move_on_after(KEEP_ALIVE_S) as pause:
                        await self._progress_made.wait()
                    self._progress_made = anyio.Event()
                    if pause.cancelled_caught:
                        await self._send(send, _COMMENT)
                    await self._send_text(send, self._stable_text)
        except BaseExceptionGroup as errors:
            raise first_error(errors) from errors
        return results[0]

    def _note(self, progress: FileProgress) -> None:
        self._stable_text = progress.stable_text
        self._progress_made.set()

    async def _send_text(self, send: Send, text: str) -> None:
        """Send the part of the text that has not been sent yet."""
        delta, self._sent_text = text[len(self._sent_text) :], text
        if delta:
            await self._send(send, self._encode_delta(delta))

    async def _send(self, send: Send, body: bytes, *, is_last: bool = False) -> None:
        if not self._has_begun:
            self._has_begun = True
            await self.begin(send)
        await send({"type": "http.response.body", "body": body, "more_body": not is_last})
