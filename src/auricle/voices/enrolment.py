"""Reads a person's voice from a recording. The recording is not stored."""

import time

from auricle.server.jobs.intake import UploadContext
from auricle.server.jobs.run import internal_id
from auricle.server.lifecycle import RETRY_S
from auricle.server.uploads.params import Fields, check
from auricle.server.uploads.short_audio import audio_format_of
from auricle.server.uploads.upload import Upload
from auricle.values.errors import NoWorkerReady, SpeakersUnavailable
from auricle.values.speakers import UnusableVoice, VoicePrint, VoiceReader
from auricle.values.types import SAMPLE_RATE_HZ
from auricle.voices.errors import VoiceUnusable

MIN_SPEECH_S, MAX_SPEECH_S = 10, 60
_TOLERANCE_S = 0.5
"""The voice detector finds a little less than there is."""
MAX_RECORDING_S = 300
"""Longest recording, with its pauses, in seconds."""


async def read_print(context: UploadContext, upload: Upload) -> VoicePrint:
    """Return the voice of a recording.

    Raises:
        VoiceUnusable: It has no speech, too little or too much of it, or several voices.
        AudioError: It can't be decoded.
        NoWorkerReady: Voices can't be compared now.
        Overloaded: No decode worker is ready.
    """
    uploads = context.uploads
    reader = uploads.recognition.speakers.read_voice(
        internal_id("voice"), context.client, uploads.settings.max_wait_s
    )
    duration_s = await _read(context, upload, reader)
    uploads.accounting.rate_limiter.charge_audio(context.client, duration_s, time.monotonic())
    try:
        reader.named("")
    except UnusableVoice as error:
        raise VoiceUnusable(f"The recording {error}.", "file") from None
    except SpeakersUnavailable:
        raise NoWorkerReady("Voices can't be compared now; try again later.", RETRY_S) from None
    prints = list(reader.prints().values())
    if len(prints) != 1:
        raise VoiceUnusable("The recording contains several voices.", "file")
    check_speech(prints[0].speech_s)
    return prints[0]


def check_speech(speech_s: float) -> None:
    """Check that there is enough speech for a voice.

    Raises:
        VoiceUnusable: There is not.
    """
    if speech_s < MIN_SPEECH_S - _TOLERANCE_S:
        raise VoiceUnusable(
            f"There are {speech_s:.0f} s of speech; {MIN_SPEECH_S} s are needed.", "file"
        )


async def _read(context: UploadContext, upload: Upload, reader: VoiceReader) -> float:
    """Embed the voices of a recording; return its length in seconds."""
    uploads, params = context.uploads, check(Fields())
    audio_format = audio_format_of(params, await upload.head(), upload.size_bytes)
    source = await upload.source(params, audio_format, uploads.spool, context.resources)
    duration_s = speech_s = 0.0
    reading = uploads.recognition.decoder.decode(source, client=context.client)
    try:
        async for progress in reading:
            duration_s = progress.duration_samples / SAMPLE_RATE_HZ
            if (chunk := progress.chunk) is not None:
                spans = chunk.voiced or ((0, chunk.pcm.size),)
                speech_s += sum(end - start for start, end in spans) / SAMPLE_RATE_HZ
            if speech_s > MAX_SPEECH_S + _TOLERANCE_S or duration_s > MAX_RECORDING_S:
                raise VoiceUnusable(
                    f"The recording is too long; send at most {MAX_SPEECH_S} s of speech.", "file"
                )
            if chunk is not None:
                await reader.add(chunk)
    finally:
        if (close := getattr(reading, "aclose", None)) is not None:
            await close()
    return duration_s
