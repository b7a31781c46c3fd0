"""Reads the recordings of known speakers.

Each must be 2 to 10 s of one person's speech, as at OpenAI. They are not stored.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from auricle.apis.openai.wire.known_speakers import REFERENCES, KnownSpeaker
from auricle.files.voices import FileVoices, VoiceRequest
from auricle.server.jobs.intake import UploadContext
from auricle.server.jobs.run import internal_id
from auricle.server.uploads.params import Fields, check
from auricle.server.uploads.short_audio import audio_format_of
from auricle.server.uploads.upload import Upload
from auricle.speakers.clustering import cluster
from auricle.speakers.names import Reference
from auricle.values.errors import AudioError, BadRequest, SpeakersUnavailable, UnsupportedFormat
from auricle.values.types import SAMPLE_RATE_HZ, SpeakerOptions

MIN_REFERENCE_S, MAX_REFERENCE_S = 2, 10
MAX_COSINE_OF_TWO = 0.27
"""The two halves of a recording are more alike if one person speaks: 0 of 84 recordings of one
speaker are below, and 20 of 24 pairs of speakers (CAM++, 2 to 9 s each, AN4 and LJ Speech)."""
_TOLERANCE_S = 0.1
"""Codecs add or remove a few frames."""


async def read_references(
    context: UploadContext, known: Sequence[KnownSpeaker]
) -> tuple[Reference, ...]:
    """Return the voices of known speakers; without workers for speakers, none.

    Raises:
        BadRequest: A recording can't be decoded, is too short or too long, or has no speech or
            several voices; the message says which.
        Overloaded: No decode worker is ready.
    """
    try:
        return tuple(
            [await _reference(context, number, each) for number, each in enumerate(known, 1)]
        )
    except SpeakersUnavailable:
        return ()


async def _reference(context: UploadContext, number: int, known: KnownSpeaker) -> Reference:
    server = context.server
    embedder = server.speakers if server.speakers.is_available else None
    request = VoiceRequest(embedder, SpeakerOptions())
    file_id = internal_id(f"reference-{number}")
    voices = FileVoices(request, file_id, context.client, server.settings.max_wait_s)
    try:
        duration_s = await _read(context, known, voices)
    except (AudioError, UnsupportedFormat):
        raise _invalid(number, "is not audio that can be decoded") from None
    if not MIN_REFERENCE_S - _TOLERANCE_S <= duration_s <= MAX_REFERENCE_S + _TOLERANCE_S:
        raise _invalid(number, f"is not {MIN_REFERENCE_S} to {MAX_REFERENCE_S} s long")
    if voices.missing:
        raise SpeakersUnavailable
    vectors = voices.vectors
    if not len(vectors):
        raise _invalid(number, "contains no speech")
    if _has_several_voices(vectors):
        raise _invalid(number, "contains several voices")
    return Reference(known.name, vectors)


async def _read(context: UploadContext, known: KnownSpeaker, voices: FileVoices) -> float:
    """Embed the voices of a recording; return its length in seconds, or more than the maximum."""
    server, upload, params = context.server, Upload(known.audio), check(Fields())
    audio_format = audio_format_of(params, await upload.head(), upload.size_bytes)
    source = await upload.source(params, audio_format, server.running.spool, context.resources)
    duration_s = 0.0
    reading = server.decoder.decode(source, client=context.client)
    try:
        async for progress in reading:
            duration_s = progress.duration_samples / SAMPLE_RATE_HZ
            if duration_s > MAX_REFERENCE_S + _TOLERANCE_S:
                break
            if progress.chunk is not None:
                await voices.add(progress.chunk)
    finally:
        if (close := getattr(reading, "aclose", None)) is not None:
            await close()
    return duration_s


def _has_several_voices(vectors: npt.NDArray[np.float32]) -> bool:
    """Return whether the recording, split into two voices, has two that differ clearly."""
    seconds = np.ones(len(vectors))
    centroids = cluster(vectors, seconds, SpeakerOptions(num_speakers=2)).centroids
    return len(centroids) > 1 and float(centroids[0] @ centroids[1]) < MAX_COSINE_OF_TWO


def _invalid(number: int, problem: str) -> BadRequest:
    return BadRequest(f"Entry {number} of {REFERENCES} {problem}.", REFERENCES)
