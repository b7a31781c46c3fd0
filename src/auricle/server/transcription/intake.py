"""One request for the text of some audio: let in, stored, recognised, counted.

What all HTTP APIs share, whatever the shape of their requests and answers. What can be refused is
refused before the body is read: key, origin, size, room.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Hashable
from types import TracebackType
from typing import Self

from starlette.requests import Request

from auricle.audio.opus import LibOpus
from auricle.files.transcribe import FileTranscript, OnProgress
from auricle.server.access.admission import MAX_UTTERANCE_S, MIN_ESTIMATE_S, check_open, estimate_s
from auricle.server.access.connection_limits import network_of
from auricle.server.context import state_of
from auricle.server.http.body import body_chunks
from auricle.server.http.client_address import client_address
from auricle.server.http.request_log import request_log
from auricle.server.transcription.run import (
    Deadline,
    note_answer,
    transcribe_short,
    transcribe_spooled,
)
from auricle.server.uploads.params import TranscriptionParams
from auricle.server.uploads.short_audio import DIRECT_FORMATS, MAX_DIRECT_BYTES, decode_short
from auricle.server.uploads.spool import SpoolFile
from auricle.server.uploads.upload import Upload
from auricle.server.uploads.upload_room import UploadRoom
from auricle.types import ANONYMOUS, Pcm16

_MB = 1_000_000


class UploadContext:
    """What a request holds until it ends, however that comes: use it as a context.

    Attributes:
        held: Gives all of it back.
    """

    def __init__(self, request: Request) -> None:
        """Let the request in.

        Raises:
            Unauthorized: No key or token, or one that isn't known.
            TokenExpired: A token came too late.
            ForbiddenOrigin: A page of another site sent it.
            RateLimited: The key has made too many requests.
            Draining: The service shuts down.
        """
        self._began_at = time.monotonic()
        self.request = request
        self.server = state_of(request)
        self.client = self.server.admit(request)
        self.server.check_serving()
        self.held = contextlib.AsyncExitStack()
        self._room: UploadRoom | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.held.aclose()

    @property
    def max_upload_bytes(self) -> int:
        """How long a body may be that is, or holds, the audio itself."""
        return int(self.server.settings.max_upload_mb * _MB)

    def enter(
        self,
        audio_s: float | None,
        max_wait_s: float | None = None,
        *,
        size_bytes: int | None,
        is_job: bool = False,
    ) -> None:
        """Hold a reservation for what looks like an utterance, a place for anything else.

        The reservation lapses if the body comes in slowly, see :mod:`.upload_room`.

        Args:
            audio_s: About how long the audio is; ``None`` if that isn't known.
            size_bytes: Length of the body, if it is known.
            max_wait_s: The caller's deadline, where it can be known before the body is read.
            is_job: Nobody waits for it.

        Raises:
            Overloaded: There is no room, no worker is ready, or the service is draining.
            RateLimited: The client's budget of crashes, or its allowance of audio, is used up.
        """
        server = self.server
        server.allowances.check_audio(self.client, time.monotonic())
        if is_job or audio_s is None or audio_s > MAX_UTTERANCE_S:
            check_open(server.transcriber, self.client)
            self.held.enter_context(server.places.take(self.client))
            return
        room = UploadRoom(server.transcriber, server.early, self.client, self._owners())
        self.held.callback(room.close)
        room.reserve_early(audio_s, size_bytes, max_wait_s or server.settings.max_wait_s)
        self._room = room

    def _owners(self) -> list[Hashable]:
        address = client_address(self.request.scope)
        where = network_of(address) or address
        key = None if self.client == ANONYMOUS else self.client
        return [owner for owner in (key, where) if owner is not None]

    async def new_file(self) -> SpoolFile:
        """Return an empty file for the audio.

        Raises:
            Overloaded: The disk is full.
        """
        return await self.held.enter_async_context(self.server.running.spool.file())

    def body(self, max_bytes: int) -> AsyncIterator[bytes]:
        """Return the body, chunk by chunk; see :func:`.body_chunks`."""
        pause_s = self.server.settings.body_timeout_s
        return body_chunks(self.request.receive, max_bytes=max_bytes, pause_s=pause_s)

    async def recognise(
        self,
        ask: TranscriptionParams,
        upload: Upload,
        audio_format: str,
        on_progress: OnProgress | None = None,
    ) -> FileTranscript:
        """Return what is said; the deadline starts now.

        Args:
            ask: What is wanted.
            upload: The audio.
            audio_format: What :func:`.audio_format_of` said that it is.
            on_progress: Called with each bit of text, if there are several.

        Raises:
            AuricleError: Whatever the decoder or the transcriber raises.
        """
        server = self.server
        reservation = self._reserve(ask, upload, audio_format)
        deadline = Deadline(ask.max_wait_s or server.settings.max_wait_s)
        began_at = time.perf_counter()
        pcm = await _decoded_here(ask, upload, audio_format, server.libopus)
        if pcm is not None:
            return await transcribe_short(
                server,
                ask,
                pcm,
                client=self.client,
                reservation=reservation,
                deadline=deadline,
                decode_s=time.perf_counter() - began_at,
            )
        return await transcribe_spooled(
            server,
            ask,
            await upload.source(ask, audio_format, server.running.spool, self.held),
            client=self.client,
            reservation=reservation,
            deadline=deadline,
            on_progress=on_progress,
        )

    def _reserve(self, ask: TranscriptionParams, upload: Upload, audio_format: str) -> str | None:
        """Reserve room for an utterance that is there now.

        What turns out to be a long file takes a place for files after all.
        """
        if self._room is None:
            return None
        audio_s = estimate_s(upload.size_bytes, audio_format, ask.sample_rate_hz) or MIN_ESTIMATE_S
        if audio_s > MAX_UTTERANCE_S:
            self.held.enter_context(self.server.places.take(self.client))
            self._room.close()
            return None
        return self._room.reserve(audio_s, ask.max_wait_s or self.server.settings.max_wait_s)

    def note(self, ask: TranscriptionParams, size_bytes: int) -> None:
        """Note for the log what is asked, as far as it is known."""
        log = request_log(self.request.scope)
        log.job_id, log.trace_id = ask.job_id, ask.trace_id
        log.details |= {"format": ask.audio_format, "audio_bytes": size_bytes}

    def count(self, result: FileTranscript) -> None:
        """Count an answer, and note its figures for the log."""
        log, total_s = request_log(self.request.scope), time.monotonic() - self._began_at
        note_answer(self.server, log, result.transcript, total_s)


async def _decoded_here(
    ask: TranscriptionParams, upload: Upload, audio_format: str, libopus: LibOpus
) -> Pcm16 | None:
    if audio_format not in DIRECT_FORMATS or upload.size_bytes > MAX_DIRECT_BYTES:
        return None
    return await decode_short(ask, audio_format, await upload.content(), libopus)
