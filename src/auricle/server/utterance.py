"""``POST /utterance``: speech in, its text out; as JSON, or with the audio itself as the body.

Everything that can be refused is refused before the body is read: key, origin, size, room. Short
PCM16 and framed Opus are decoded here; all else goes through a file and a decode worker. With
``wait=0`` the answer is a job, to be asked for at ``/jobs/{id}``.
"""

import contextlib
import time
from functools import partial

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from auricle.audio.opus import LibOpus
from auricle.errors import UnsupportedFormat
from auricle.longform import FileTranscript
from auricle.server.background import start_job
from auricle.server.body import body_chunks, check_length, read_body
from auricle.server.limits import (
    MAX_UTTERANCE_S,
    check_open,
    estimate_json_s,
    estimate_s,
    reserved,
)
from auricle.server.logs import request_log
from auricle.server.openapi import UTTERANCE_OPENAPI, UTTERANCE_RESPONSES
from auricle.server.payload import parse_payload
from auricle.server.recognition import (
    Deadline,
    note_answer,
    transcribe_short,
    transcribe_spooled,
    while_connected,
)
from auricle.server.request import Ask, check, parse_query
from auricle.server.results import json_response, transcript_body
from auricle.server.speech import DIRECT_FORMATS, MAX_DIRECT_BYTES, audio_format_of, decode_short
from auricle.server.state import ServerState, state_of
from auricle.server.upload import Upload
from auricle.types import ClientId, Pcm16

_MB = 1_000_000
# curl sends a form's type unless told otherwise; what isn't JSON then gets an answer that says so.
_JSON_TYPES = ("application/json", "text/json", "application/x-www-form-urlencoded", "")
_AUDIO_TYPES = ("application/octet-stream", "application/ogg")

router = APIRouter()


@router.post(
    "/utterance",
    summary="Turn speech into text",
    response_class=Response,
    responses=UTTERANCE_RESPONSES,
    openapi_extra=UTTERANCE_OPENAPI,
)
async def post_utterance(request: Request) -> Response:
    """Return the text of an utterance or a file, or a job that will have it (``wait=0``)."""
    began_at = time.monotonic()
    server = state_of(request)
    client = server.admit(request)
    server.check_serving()
    call = _Call(server, client, request, began_at)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type in _JSON_TYPES or media_type.endswith("+json"):
        return await call.answer_json()
    if media_type in _AUDIO_TYPES or media_type.startswith(("audio/", "video/")):
        return await call.answer_audio()
    raise UnsupportedFormat(
        "Send JSON (Content-Type: application/json) or the audio itself (Content-Type: audio/*)."
    )


class _Call:
    """One request for text."""

    def __init__(
        self, server: ServerState, client: ClientId, request: Request, began_at: float
    ) -> None:
        self._server = server
        self._settings = server.settings
        self._client = client
        self._request = request
        self._began_at = began_at
        self._is_job = request.query_params.get("wait", "1").lower() in ("0", "false", "no")

    async def answer_json(self) -> Response:
        """Answer a body of JSON with base64 in it."""
        max_bytes = int(self._settings.max_json_mb * _MB)
        length = check_length(self._request.headers, max_bytes)
        async with contextlib.AsyncExitStack() as held:
            reservation = self._enter(held, estimate_json_s(length))
            body = await read_body(
                self._request.receive,
                max_bytes=max_bytes,
                pause_s=self._settings.body_timeout_s,
            )
            ask, upload = await _parse(body)
            self._note(ask, upload.size_bytes)
            return await self._answer(held, ask, upload, reservation)

    async def answer_audio(self) -> Response:
        """Answer a body that is the audio, by way of the disk."""
        max_bytes = int(self._settings.max_upload_mb * _MB)
        ask = check(parse_query(self._request.query_params))
        length = check_length(self._request.headers, max_bytes)
        self._note(ask, length or 0)
        if self._is_job:
            self._server.jobs.check_free(self._client, ask.job_id)
        async with contextlib.AsyncExitStack() as held:
            audio_s = estimate_s(length, ask.audio_format, ask.sample_rate_hz)
            reservation = self._enter(held, audio_s, ask.max_wait_s)
            spool = await held.enter_async_context(self._server.running.spool.file())
            chunks = body_chunks(
                self._request.receive,
                max_bytes=max_bytes,
                pause_s=self._settings.body_timeout_s,
            )
            async for chunk in chunks:
                await spool.write(chunk)
            await spool.flush()
            self._note(ask, spool.size_bytes)
            return await self._answer(held, ask, Upload(spool), reservation)

    def _enter(
        self,
        held: contextlib.AsyncExitStack,
        audio_s: float | None,
        max_wait_s: float | None = None,
    ) -> str | None:
        """Hold a reservation for what looks like an utterance, a place for anything else.

        ``max_wait_s`` is the deadline, where it can be known before the body is read.
        """
        server = self._server
        if self._is_job or audio_s is None or audio_s > MAX_UTTERANCE_S:
            check_open(server.transcriber, self._client)
            held.enter_context(server.places.take())
            return None
        patience_s = max_wait_s or self._settings.max_wait_s
        room = reserved(server.transcriber, self._client, audio_s, patience_s)
        return held.enter_context(room)

    async def _answer(
        self,
        held: contextlib.AsyncExitStack,
        ask: Ask,
        upload: Upload,
        reservation: str | None,
    ) -> Response:
        audio_format = audio_format_of(ask, await upload.head(), upload.size_bytes)
        if self._is_job:
            source = await upload.source(ask, audio_format, self._server.running.spool, held)
            record = start_job(self._server, self._client, ask, source, held)
            return json_response(record.body(), 202, {"location": f"/jobs/{ask.job_id}"})
        work = partial(self._recognise, held, ask, upload, audio_format, reservation)
        result = await while_connected(self._request.receive, work)
        log, total_s = request_log(self._request.scope), time.monotonic() - self._began_at
        note_answer(self._server, log, result.transcript, total_s)
        return json_response(
            transcript_body(ask.job_id, ask.trace_id, result.transcript, result.gaps)
        )

    async def _recognise(
        self,
        held: contextlib.AsyncExitStack,
        ask: Ask,
        upload: Upload,
        audio_format: str,
        reservation: str | None,
    ) -> FileTranscript:
        deadline = Deadline(ask.max_wait_s or self._settings.max_wait_s)
        began_at = time.perf_counter()
        pcm = await _decoded_here(ask, upload, audio_format, self._server.libopus)
        if pcm is not None:
            return await transcribe_short(
                self._server,
                ask,
                pcm,
                client=self._client,
                reservation=reservation,
                deadline=deadline,
                decode_s=time.perf_counter() - began_at,
            )
        if reservation is not None:
            self._leave_room_if_long(held, ask, upload, audio_format, reservation)
        return await transcribe_spooled(
            self._server,
            ask,
            await upload.source(ask, audio_format, self._server.running.spool, held),
            client=self._client,
            reservation=reservation,
            deadline=deadline,
        )

    def _leave_room_if_long(
        self,
        held: contextlib.AsyncExitStack,
        ask: Ask,
        upload: Upload,
        audio_format: str,
        reservation: str,
    ) -> None:
        """Take a place for files after all, when JSON turns out to hold a long one."""
        audio_s = estimate_s(upload.size_bytes, audio_format, ask.sample_rate_hz)
        if audio_s is not None and audio_s > MAX_UTTERANCE_S:
            held.enter_context(self._server.places.take())
            self._server.transcriber.release(reservation)

    def _note(self, ask: Ask, size_bytes: int) -> None:
        log = request_log(self._request.scope)
        log.job_id, log.trace_id = ask.job_id, ask.trace_id
        log.details |= {"format": ask.audio_format, "audio_bytes": size_bytes}


async def _parse(body: bytearray) -> tuple[Ask, Upload]:
    ask, audio = await parse_payload(body)
    body.clear()  # 25 MB that nobody needs while the audio waits for its turn
    return ask, Upload(audio)


async def _decoded_here(
    ask: Ask, upload: Upload, audio_format: str, libopus: LibOpus
) -> Pcm16 | None:
    if audio_format not in DIRECT_FORMATS or upload.size_bytes > MAX_DIRECT_BYTES:
        return None
    return await decode_short(ask, audio_format, await upload.content(), libopus)
