"""Handles a transcription request: admission, upload, transcription and accounting.

Shared by all HTTP APIs. Everything that can be checked before the body is read is checked then:
key, origin, size and queue room.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from auricle.audio.opus import LibOpus
from auricle.config.sections.server import ServerSettings
from auricle.files.fair_semaphore import FairSemaphore
from auricle.files.transcribe import FileTranscript, OnProgress
from auricle.server.access.access import Access
from auricle.server.access.admission import MAX_UTTERANCE_S, MIN_ESTIMATE_S, check_open, estimate_s
from auricle.server.access.connection_limits import network_of
from auricle.server.http.body import body_chunks
from auricle.server.http.client_address import client_address
from auricle.server.http.request_log import request_log
from auricle.server.jobs.background_jobs.jobs import BackgroundJobs
from auricle.server.jobs.run import Accounting, Deadline, transcribe_short, transcribe_spooled
from auricle.server.lifecycle import Lifecycle
from auricle.server.recognition import Recognition
from auricle.server.rendering import Renderer
from auricle.server.uploads.file_slots import FileSlot, FileSlots
from auricle.server.uploads.json_audio import parse_payload
from auricle.server.uploads.params import TranscriptionParams, with_model
from auricle.server.uploads.short_audio import DIRECT_FORMATS, MAX_DIRECT_BYTES, decode_short
from auricle.server.uploads.spool import SpoolDirectory, SpoolFile
from auricle.server.uploads.upload import Upload
from auricle.server.uploads.upload_room import EarlyReservations, UploadReservation
from auricle.system.asgi import while_connected
from auricle.values.speakers import NamedVoice
from auricle.values.types import ANONYMOUS, GiveWay, Pcm16

T = TypeVar("T")

MAX_JSON_BYTES_IN_MEMORY = 2**20
"""Larger JSON bodies are written to a file while they arrive. Base64 of 24 s of PCM16."""

_MB = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploads:
    """What receives and transcribes uploads.

    Attributes:
        access: Authenticates clients.
        lifecycle: Whether new work is accepted.
        recognition: Transcribes the audio.
        accounting: Counts and charges it.
        jobs: Accepts uploads as background jobs.
        settings: The limits of requests.
        libopus: Decodes Opus packets.
        spool: Has the audio until it is transcribed.
        renderer: Renders large responses.
        file_slots: Slots for long files.
        job_slots: Slots for the uploads of jobs.
        early: Reservations of utterances before they have arrived.
        large_json: Slots for parsing large JSON bodies, which takes up to 45 MB of memory each.
    """

    access: Access
    lifecycle: Lifecycle
    recognition: Recognition
    accounting: Accounting
    jobs: BackgroundJobs
    settings: ServerSettings
    libopus: LibOpus
    spool: SpoolDirectory
    renderer: Renderer
    file_slots: FileSlots
    job_slots: FileSlots
    early: EarlyReservations
    large_json: FairSemaphore


class UploadContext:
    """The resources of a request; a context manager that releases them when the request ends.

    Attributes:
        resources: The exit stack that releases the resources.
    """

    def __init__(self, uploads: Uploads, request: Request, *, accepts_basic: bool = False) -> None:
        """Authenticate and admit the request.

        Args:
            uploads: Receives and transcribes the upload.
            request: The request.
            accepts_basic: Whether the key may be a password, see :meth:`.Keyring.identify`.

        Raises:
            Unauthorized: There is no key or token, or it is invalid.
            TokenExpired: The token has expired.
            ForbiddenOrigin: A page from another origin sent the request.
            RateLimited: The key has used its request quota for this minute.
            Draining: The server is shutting down.
        """
        self._began_at = time.monotonic()
        self.request = request
        self.uploads = uploads
        self.client = uploads.access.admit(request, accepts_basic=accepts_basic)
        uploads.lifecycle.check_serving()
        self.resources = contextlib.AsyncExitStack()
        self._room: UploadReservation | None = None
        self._slot: FileSlot | None = None
        self._is_model_open = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.resources.aclose()

    @property
    def max_upload_bytes(self) -> int:
        """Maximum size of a body that is or contains audio."""
        return int(self.uploads.settings.max_upload_mb * _MB)

    async def chosen(self, params: TranscriptionParams) -> TranscriptionParams:
        """Return the parameters with the model and the wording that the request means.

        Raises:
            ModelNotFound: There is no such model.
            BadRequest: The model does not support the language or the task.
            AuricleError: There is no such wording, see :meth:`.Wordings.find`.
        """
        params = with_model(params, self.uploads.recognition.models)
        found = await self.uploads.recognition.wordings.find(self.client, params.vocabulary)
        return replace(params, wording=found(params.options))

    def enter(
        self,
        audio_s: float | None,
        max_wait_s: float | None = None,
        *,
        size_bytes: int | None,
        is_job: bool = False,
        model: str | None = None,
    ) -> None:
        """Reserve queue room if the audio is probably an utterance, otherwise a file slot.

        A background job needs neither: it waits on disk.

        If the body arrives slowly, the reservation expires, see :mod:`.upload_room`, or the slot
        may go to another client, see :mod:`.file_slots`.

        Args:
            audio_s: Estimated duration of the audio in seconds; ``None`` if unknown.
            size_bytes: Size of the body, if known.
            max_wait_s: The caller's deadline in seconds, if known before the body is read.
            is_job: Whether the request is a background job.
            model: The model in the options; ``None`` if the body names it. The queue of a model is
                then checked after the body, as another model may have room.

        Raises:
            Overloaded: The queue is full, no worker is ready, or the server is draining.
            RateLimited: The client has used up its crash budget or its audio quota.
        """
        uploads = self.uploads
        uploads.access.rate_limiter.check_audio(self.client, time.monotonic())
        if is_job:
            self._slot = self._take(uploads.job_slots)
            return
        if model is None and len(uploads.recognition.models) == 1:
            model = ""
        self._is_model_open = model is not None
        if audio_s is None or audio_s > MAX_UTTERANCE_S:
            if model is not None:
                check_open(uploads.recognition.transcriber, self.client, model)
            self._slot = self._take(uploads.file_slots)
            return
        room = UploadReservation(
            uploads.recognition.transcriber, uploads.early, self.client, self._owners()
        )
        self.resources.callback(room.close)
        if model is not None:
            limit_s = max_wait_s or uploads.settings.max_wait_s
            room.reserve_early(audio_s, size_bytes, limit_s, model)
        self._room = room

    def _owners(self) -> list[Hashable]:
        address = client_address(self.request.scope)
        where = network_of(address) or address
        key = None if self.client == ANONYMOUS else self.client
        return [owner for owner in (key, where) if owner is not None]

    def _take(self, slots: FileSlots, *, is_received: bool = False) -> FileSlot:
        """Take a slot until the request ends: for its key, or without keys for its address."""
        owner: Hashable = self.client
        if owner == ANONYMOUS:
            owner = network_of(client_address(self.request.scope)) or ANONYMOUS
        return self.resources.enter_context(
            slots.take(owner, time.monotonic(), is_received=is_received)
        )

    async def new_file(self) -> SpoolFile:
        """Create an empty file for the audio.

        Raises:
            LedgerFull: The disk is full.
        """
        return await self.resources.enter_async_context(self.uploads.spool.file())

    def body(self) -> AsyncIterator[bytes]:
        """Iterate over the body; see :func:`.body_chunks` and :meth:`.FileSlot.receive`."""
        return self._chunks(self.max_upload_bytes)

    def _chunks(self, max_bytes: int) -> AsyncIterator[bytes]:
        return body_chunks(
            self._receive,
            max_bytes=max_bytes,
            pause_s=self.uploads.settings.body_timeout_s,
        )

    async def read_json(self, max_bytes: int) -> tuple[TranscriptionParams, Upload]:
        """Read and parse a JSON body with audio.

        A large one is in memory only while it is parsed, a few at a time: until it is complete, and
        until its audio is transcribed, it is in a file, with a slot as other files have. So slow
        clients hold no memory, and a limited part of the disk.

        Args:
            max_bytes: Maximum size of the body.

        Raises:
            TooLarge: The body is too large.
            BadRequest: It isn't valid, or the client stopped sending, or is too slow.
            UnsupportedFormat: The audio format is unknown.
            LedgerFull: The disk is full.
            Overloaded: There is no slot, or it was needed for another client.
        """
        body, spool = bytearray(), None
        async for chunk in self._chunks(max_bytes):
            if spool is None and len(body) + len(chunk) > MAX_JSON_BYTES_IN_MEMORY:
                self._slot = self._slot or self._take(self.uploads.file_slots)
                spool = await self.new_file()
                await spool.write(body)
                body.clear()
            if spool is None:
                body += chunk
            else:
                await spool.write(chunk)
        if spool is None:
            params, audio = await parse_payload(body)
            return params, Upload(audio)
        if self._slot is not None:
            self._slot.is_received = True
        await spool.flush()
        audio_file = await self.new_file()
        slots = self.uploads.large_json
        await slots.enter(self.client)
        try:
            params, audio = await parse_payload(await spool.read())
            await audio_file.write(audio)
            await audio_file.flush()
        finally:
            slots.leave(self.client)
        return params, Upload(audio_file)

    async def _receive(self) -> Message:
        if self._slot is None:
            return await self.request.receive()
        return await self._slot.receive(self.request.receive)

    async def store_body(self, expand: Callable[[bytes], bytes] = bytes) -> SpoolFile:
        """Write the body, which is the audio, to a file.

        Args:
            expand: Converts each chunk of the body.

        Raises:
            TooLarge: The body is too large.
            BadRequest: The client stopped sending, or is too slow.
            LedgerFull: The disk is full.
            Overloaded: The slot was needed for another client.
        """
        spool = await self.new_file()
        async for chunk in self.body():
            await spool.write(expand(chunk))
        await spool.flush()
        return spool

    async def transcribe(
        self,
        params: TranscriptionParams,
        upload: Upload,
        audio_format: str,
        *,
        named_voices: Sequence[NamedVoice] = (),
    ) -> FileTranscript:
        """Transcribe the upload while the client is connected, and count the result.

        Raises:
            AuricleError: The audio can't be decoded or transcribed.
            ClientDisconnect: The client has disconnected.
        """
        async with while_connected(self.request.receive):
            result = await self.recognise(params, upload, audio_format, named_voices=named_voices)
        self.count(result)
        return result

    async def recognise(
        self,
        params: TranscriptionParams,
        upload: Upload,
        audio_format: str,
        on_progress: OnProgress | None = None,
        *,
        named_voices: Sequence[NamedVoice] = (),
    ) -> FileTranscript:
        """Transcribe the upload; the deadline starts now.

        Args:
            params: The request's parameters.
            upload: The audio.
            audio_format: The format, from :func:`.audio_format_of`.
            on_progress: Called after each chunk of a long file.
            named_voices: Voices of known speakers, for the speakers.

        Raises:
            AuricleError: The audio can't be decoded or transcribed.
        """
        uploads = self.uploads
        reservation = self._reserve(params, upload, audio_format)
        deadline = Deadline(params.max_wait_s or uploads.settings.max_wait_s)
        began_at = time.perf_counter()
        pcm = await _decoded_here(params, upload, audio_format, uploads.libopus)
        if pcm is not None:
            return await transcribe_short(
                uploads.recognition,
                params,
                pcm,
                client=self.client,
                reservation=reservation,
                deadline=deadline,
                decode_s=time.perf_counter() - began_at,
                named_voices=named_voices,
            )
        return await transcribe_spooled(
            uploads.recognition,
            params,
            await upload.source(params, audio_format, uploads.spool, self.resources),
            client=self.client,
            reservation=reservation,
            deadline=deadline,
            on_progress=on_progress,
            named_voices=named_voices,
        )

    async def render(self, result: FileTranscript, work: Callable[[GiveWay], T]) -> T:
        """Return what ``work`` makes of a result; see :meth:`.Renderer.render`."""
        samples = result.transcript.duration_samples
        return await self.uploads.renderer.render(self.client, samples, work)

    async def respond(
        self, result: FileTranscript, work: Callable[[GiveWay], Response]
    ) -> Response:
        """Render a response while the client is connected.

        Raises:
            ClientDisconnect: The client has disconnected.
        """
        async with while_connected(self.request.receive):
            return await self.render(result, work)

    def _reserve(
        self, params: TranscriptionParams, upload: Upload, audio_format: str
    ) -> str | None:
        """Return a reservation for a received utterance, or take a file slot if it is long."""
        model = params.options.model
        if not self._is_model_open:
            check_open(self.uploads.recognition.transcriber, self.client, model)
        if self._room is None:
            return None
        audio_s = (
            estimate_s(upload.size_bytes, audio_format, params.sample_rate_hz) or MIN_ESTIMATE_S
        )
        if audio_s > MAX_UTTERANCE_S:
            if self._slot is None:
                self._take(self.uploads.file_slots, is_received=True)
            self._room.close()
            return None
        limit_s = params.max_wait_s or self.uploads.settings.max_wait_s
        return self._room.reserve(audio_s, limit_s, model)

    def note(self, params: TranscriptionParams, size_bytes: int) -> None:
        """Add the request's parameters to the request log."""
        log = request_log(self.request.scope)
        log.job_id, log.trace_id = params.job_id, params.trace_id
        log.details |= {"format": params.audio_format, "audio_bytes": size_bytes}

    def count(self, result: FileTranscript) -> None:
        """Count the response in the metrics, and add its figures to the request log."""
        log, total_s = request_log(self.request.scope), time.monotonic() - self._began_at
        self.uploads.accounting.note(log, result, total_s)


async def _decoded_here(
    params: TranscriptionParams, upload: Upload, audio_format: str, libopus: LibOpus
) -> Pcm16 | None:
    if audio_format not in DIRECT_FORMATS or upload.size_bytes > MAX_DIRECT_BYTES:
        return None
    if params.is_multichannel or params.channels > 1:
        return None
    return await decode_short(params, audio_format, await upload.content(), libopus)
