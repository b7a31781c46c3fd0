"""From a checked request and its audio to the answer: the part that both kinds of body share."""

import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import anyio
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from auricle.audio.in_memory import InMemory
from auricle.errors import DeadlineExceeded
from auricle.files.transcribe import FileRequest, FileTranscript, OnProgress, transcribe_file
from auricle.groups import first_error
from auricle.server.context import RETRY_S, ServerState
from auricle.server.http.request_log import RequestLog
from auricle.server.uploads.params import TranscriptionParams
from auricle.types import SAMPLE_RATE_HZ, ClientId, Pcm16, Source, Transcript

T = TypeVar("T")

_NOWHERE = Source("")
"""Of audio that was never on the disk."""


class Deadline:
    """How long a caller wants to wait, counted from when all of the audio was there."""

    def __init__(self, max_wait_s: float) -> None:
        self._ends_at = time.monotonic() + max_wait_s

    def left_s(self) -> float:
        """Return what is left of it.

        Raises:
            DeadlineExceeded: Nothing.
        """
        left_s = self._ends_at - time.monotonic()
        if left_s <= 0:
            raise DeadlineExceeded("The answer was not there within max_wait_s.", RETRY_S)
        return left_s


async def transcribe_short(
    server: ServerState,
    ask: TranscriptionParams,
    pcm: Pcm16,
    *,
    client: ClientId,
    reservation: str | None,
    deadline: Deadline,
    decode_s: float,
) -> FileTranscript:
    """Return what is said in an utterance that is decoded already; silence costs no job.

    Raises:
        AuricleError: Whatever the transcriber raises.
    """
    request = _request(ask, _NOWHERE, client, reservation, deadline)
    request = replace(request, tells_refusal=True)
    heard = await transcribe_file(
        server.transcriber, InMemory(pcm), request, chunk_slots=server.chunk_slots
    )
    timing = heard.transcript.timing
    timing = replace(timing, decode_ms=timing.decode_ms + decode_s * 1000)
    return replace(heard, transcript=replace(heard.transcript, timing=timing))


async def transcribe_spooled(
    server: ServerState,
    ask: TranscriptionParams,
    source: Source,
    *,
    client: ClientId,
    reservation: str | None = None,
    deadline: Deadline | None = None,
    on_progress: OnProgress | None = None,
) -> FileTranscript:
    """Return what is said in a file on our own disk.

    Args:
        server: The application's parts.
        ask: What is wanted.
        source: The file.
        client: Whose it is.
        reservation: Room for it if it turns out to be an utterance.
        deadline: Of an utterance; ``None`` for a job that nobody waits for. A long file has the
            deadline that its request named, and none otherwise.
        on_progress: Called with each bit of text.

    Raises:
        AuricleError: Whatever the decoder or the transcriber raises.
    """
    request = _request(ask, source, client, reservation, deadline)
    limit_s = None if deadline is None or ask.max_wait_s is None else deadline.left_s()
    with anyio.move_on_after(limit_s):
        return await transcribe_file(
            server.transcriber,
            server.decoder,
            request,
            chunk_slots=server.chunk_slots,
            on_progress=on_progress,
        )
    raise DeadlineExceeded("The answer was not there within max_wait_s.", RETRY_S)


def _request(
    ask: TranscriptionParams,
    source: Source,
    client: ClientId,
    reservation: str | None,
    deadline: Deadline | None,
) -> FileRequest:
    return FileRequest(
        source=source,
        id=internal_id(ask.job_id),
        options=ask.options,
        client=client,
        trace_id=ask.trace_id,
        condition_on_previous_text=ask.condition_on_previous_text,
        is_urgent=deadline is not None,
        max_wait_s=None if deadline is None else deadline.left_s(),
        reservation=reservation,
    )


def internal_id(job_id: str) -> str:
    """Return an id that is ours alone: callers choose theirs, and may choose the same."""
    return f"{job_id}#{secrets.token_hex(4)}"


async def while_connected(receive: Receive, work: Callable[[], Awaitable[T]]) -> T:
    """Return what the work gives, or cancel it when the client hangs up.

    The whole body must have been read: what comes after it can only be the end.

    Raises:
        ClientDisconnect: The client is gone.
    """
    results: list[T] = []
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_cancel_when_gone, receive, group.cancel_scope)
            results.append(await work())
            group.cancel_scope.cancel()
    except BaseExceptionGroup as errors:
        raise first_error(errors) from errors
    if not results:
        raise ClientDisconnect
    return results[0]


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


def note_answer(
    server: ServerState, log: RequestLog, transcript: Transcript, total_s: float
) -> None:
    """Count an answer, charge its audio, and note its figures for the log: never its text."""
    audio_s = transcript.duration_samples / SAMPLE_RATE_HZ
    server.metrics.count_answer(transcript.timing, total_s, audio_s)
    if log.client is not None:
        client = ClientId(log.client)
        server.allowances.charge_audio(client, audio_s, time.monotonic())
        server.metrics.clients.count_audio(client, audio_s)
    log.details |= {
        "audio_s": round(audio_s, 3),
        "segments": len(transcript.segments),
        "decode_ms": round(transcript.timing.decode_ms, 1),
        "queue_ms": round(transcript.timing.queue_ms, 1),
        "asr_ms": round(transcript.timing.asr_ms, 1),
        "attempts": transcript.attempts,
    }
