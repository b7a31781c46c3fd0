"""Reads the recordings of known speakers.

Each must be 2 to 10 s of one person's speech, as at OpenAI. They are not stored.
"""

from collections.abc import Sequence

from auricle.apis.openai.wire.known_speakers import REFERENCES, KnownSpeaker, not_as_many
from auricle.server.jobs.intake import UploadContext
from auricle.server.jobs.run import internal_id
from auricle.server.uploads.params import Fields, check
from auricle.server.uploads.short_audio import audio_format_of
from auricle.server.uploads.upload import Upload
from auricle.values.errors import AudioError, BadRequest, SpeakersUnavailable, UnsupportedFormat
from auricle.values.speakers import KnownName, NamedVoice, UnusableVoice, VoiceReader
from auricle.values.types import SAMPLE_RATE_HZ

MIN_REFERENCE_S, MAX_REFERENCE_S = 2, 10
_TOLERANCE_S = 0.1
"""Codecs add or remove a few frames."""


async def read_references(
    context: UploadContext, known: Sequence[KnownSpeaker]
) -> tuple[NamedVoice, ...]:
    """Return the voices of known speakers; without workers for speakers, none.

    Raises:
        BadRequest: There are names only, and the server knows no voices; or a recording can't be
            decoded, is too short or too long, or has no speech or
            several voices; the message says which.
        Overloaded: No decode worker is ready.
    """
    try:
        return tuple(
            [await _reference(context, number, each) for number, each in enumerate(known, 1)]
        )
    except SpeakersUnavailable:
        return ()


async def _reference(context: UploadContext, number: int, known: KnownSpeaker) -> NamedVoice:
    uploads = context.uploads
    if not known.audio:
        if not uploads.recognition.speakers.knows_voices:
            raise not_as_many()
        return KnownName(known.name)
    file = internal_id(f"reference-{number}")
    voice = uploads.recognition.speakers.read_voice(
        file, context.client, uploads.settings.max_wait_s
    )
    try:
        duration_s = await _read(context, known, voice)
    except (AudioError, UnsupportedFormat):
        raise _invalid(number, "is not audio that can be decoded") from None
    if not MIN_REFERENCE_S - _TOLERANCE_S <= duration_s <= MAX_REFERENCE_S + _TOLERANCE_S:
        raise _invalid(number, f"is not {MIN_REFERENCE_S} to {MAX_REFERENCE_S} s long")
    try:
        return voice.named(known.name)
    except UnusableVoice as exc:
        raise _invalid(number, str(exc)) from None


async def _read(context: UploadContext, known: KnownSpeaker, voice: VoiceReader) -> float:
    """Embed the voices of a recording; return its length in seconds, or more than the maximum."""
    uploads, upload, params = context.uploads, Upload(known.audio), check(Fields())
    audio_format = audio_format_of(params, await upload.head(), upload.size_bytes)
    source = await upload.source(params, audio_format, uploads.spool, context.resources)
    duration_s = 0.0
    reading = uploads.recognition.decoder.decode(source, client=context.client)
    try:
        async for progress in reading:
            duration_s = progress.duration_samples / SAMPLE_RATE_HZ
            if duration_s > MAX_REFERENCE_S + _TOLERANCE_S:
                break
            if progress.chunk is not None:
                await voice.add(progress.chunk)
    finally:
        if (close := getattr(reading, "aclose", None)) is not None:
            await close()
    return duration_s


def _invalid(number: int, problem: str) -> BadRequest:
    return BadRequest(f"Entry {number} of {REFERENCES} {problem}.", REFERENCES)
