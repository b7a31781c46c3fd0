"""Transcribes the audio of a validated request; shared by JSON and streamed bodies."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import anyio

from auricle.audio.chunks import CutRules
from auricle.audio.in_memory import InMemory
from auricle.files.beginning import SpeechBeginning
from auricle.files.registry import method_of
from auricle.files.transcribe import (
    FileRequest,
    FileTranscript,
    FinishedChunks,
    OnProgress,
    transcribe_file,
)
from auricle.server.access.rate_limits import RateLimiter
from auricle.server.http.request_log import RequestLog
from auricle.server.lifecycle import RETRY_S
from auricle.server.recognition import Recognition
from auricle.server.telemetry.metrics import Metrics
from auricle.server.uploads.params import TranscriptionParams
from auricle.values.errors import DeadlineExceeded
from auricle.values.speakers import NamedVoice, SpeakerRequest
from auricle.values.transcriber import Reader
from auricle.values.types import SAMPLE_RATE_HZ, ClientId, Pcm16, Source

_NOWHERE = Source("")
"""Source of audio that is not on disk."""


class Deadline:
    """A caller's deadline, counted from the time when all of the audio was received."""

    def __init__(self, max_wait_s: float) -> None:
        self._ends_at = time.monotonic() + max_wait_s

    def left_s(self) -> float:
        """Return the remaining time in seconds.

        Raises:
            DeadlineExceeded: No time is left.
        """
        left_s = self._ends_at - time.monotonic()
        if left_s <= 0:
            raise DeadlineExceeded(retry_after_s=RETRY_S)
        return left_s


async def transcribe_short(
    recognition: Recognition,
    params: TranscriptionParams,
    pcm: Pcm16,
    *,
    client: ClientId,
    reservation: str | None,
    deadline: Deadline,
    decode_s: float,
    named_voices: Sequence[NamedVoice] = (),
) -> FileTranscript:
    """Transcribe a decoded utterance; silence needs no job.

    ``named_voices`` are those of known speakers.

    Raises:
        AuricleError: The audio can't be transcribed.
    """
    request = _request(recognition, params, _NOWHERE, client, reservation, deadline, named_voices)
    request = replace(request, reports_refusal=True)
    engine = recognition.models.find(params.options.model).engine
    reader = InMemory(pcm, CutRules().within(engine.max_audio_samples))
    result = await transcribe_file(
        recognition.transcriber, reader, request, chunk_slots=recognition.chunk_slots
    )
    timing = result.transcript.timing
    timing = replace(timing, decode_ms=timing.decode_ms + decode_s * 1000)
    return replace(result, transcript=replace(result.transcript, timing=timing))


async def transcribe_spooled(
    recognition: Recognition,
    params: TranscriptionParams,
    source: Source,
    *,
    client: ClientId,
    reservation: str | None = None,
    deadline: Deadline | None = None,
    on_progress: OnProgress | None = None,
    finished: FinishedChunks | None = None,
    named_voices: Sequence[NamedVoice] = (),
) -> FileTranscript:
    """Transcribe a file on the server's disk.

    Args:
        recognition: What transcribes.
        params: The request's parameters.
        source: The file.
        client: The client that sent the file.
        reservation: Queue reservation, if the file may be an utterance.
        deadline: Deadline of an utterance; ``None`` for a background job. A long file has a
            deadline only if its request set one.
        on_progress: Called after each chunk.
        finished: Chunks that need not be transcribed again.
        named_voices: Voices of known speakers, for the file's speakers.

    Raises:
        AuricleError: The file can't be decoded or transcribed.
    """
    transcribe = method_of(is_multichannel=params.is_multichannel)
    request = _request(recognition, params, source, client, reservation, deadline, named_voices)
    limit_s = None if deadline is None or params.max_wait_s is None else deadline.left_s()
    reader: Reader = recognition.decoder
    if params.max_speech_samples is not None:
        reader = SpeechBeginning(reader, params.max_speech_samples)
    with anyio.move_on_after(limit_s):
        return await transcribe(
            recognition.transcriber,
            reader,
            request,
            chunk_slots=recognition.chunk_slots,
            on_progress=on_progress,
            finished=finished,
        )
    raise DeadlineExceeded(retry_after_s=RETRY_S)


def _request(
    recognition: Recognition,
    params: TranscriptionParams,
    source: Source,
    client: ClientId,
    reservation: str | None,
    deadline: Deadline | None,
    named_voices: Sequence[NamedVoice],
) -> FileRequest:
    options, speakers = params.wording.applied(params.options), None
    if params.speakers is not None:
        speakers = SpeakerRequest(recognition.speakers, params.speakers, tuple(named_voices))
    return FileRequest(
        source=source,
        id=internal_id(params.job_id),
        options=recognition.models.find(params.options.model).engine.fit(options),
        client=client,
        trace_id=params.trace_id,
        condition_on_previous_text=params.condition_on_previous_text,
        is_urgent=deadline is not None,
        max_wait_s=None if deadline is None else deadline.left_s(),
        reservation=reservation,
        speakers=speakers,
        filters=(*params.filters, *params.wording.filters),
    )


def internal_id(job_id: str) -> str:
    """Return an id that is unique in the server; callers may choose the same job ids."""
    return f"{job_id}#{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class Accounting:
    """Counts responses, and charges their audio."""

    metrics: Metrics
    rate_limiter: RateLimiter

    def note(self, log: RequestLog, result: FileTranscript, total_s: float) -> None:
        """Count a response, charge its audio, and add its figures to the log, never its text.

        Channels that were transcribed apart are charged each.
        """
        transcript = result.transcript
        channels = max(1, len(result.channels))
        audio_s = transcript.duration_samples * channels / SAMPLE_RATE_HZ
        self.metrics.count_answer(transcript.timing, total_s, audio_s)
        if log.client is not None:
            client = ClientId(log.client)
            self.rate_limiter.charge_audio(client, audio_s, time.monotonic())
            self.metrics.clients.count_audio(client, audio_s)
        log.details |= {
            "audio_s": round(audio_s, 3),
            "segments": len(transcript.segments),
            "decode_ms": round(transcript.timing.decode_ms, 1),
            "queue_ms": round(transcript.timing.queue_ms, 1),
            "asr_ms": round(transcript.timing.asr_ms, 1),
            "attempts": transcript.attempts,
        }
