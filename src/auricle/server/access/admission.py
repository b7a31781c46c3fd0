"""Admission of requests, decided from the headers before the body is read.

Short audio reserves queue room. Audio that is or may be long takes one of a few file slots. Both
are released when the request ends, also if it fails or is cancelled.
"""

import contextlib
from collections.abc import Iterator

from auricle.values.audio_formats import CONTAINERS, OPUS_BYTES_PER_S, AudioFormat
from auricle.values.transcriber import Transcriber
from auricle.values.types import MAX_JOB_S, SAMPLE_RATE_HZ, ClientId, ReservationRequest

MAX_UTTERANCE_S = float(MAX_JOB_S)
"""Longer audio is handled as a file."""

MIN_ESTIMATE_S = 1.0

# An estimate selects the queue; it never rejects audio as invalid.
_BYTES_PER_S = {name.value: each.bytes_per_s for name, each in CONTAINERS.items()}
_BYTES_PER_S[AudioFormat.OPUS.value] = OPUS_BYTES_PER_S
_UNKNOWN_BYTES_PER_S = 16_000

_BASE64_GROWTH = 4 / 3


def estimate_s(
    size_bytes: int | None, audio_format: str = "auto", sample_rate_hz: int = SAMPLE_RATE_HZ
) -> float | None:
    """Estimate the duration of audio of this size in seconds; ``None`` if the size is unknown."""
    if size_bytes is None:
        return None
    is_pcm = audio_format == "pcm16"
    bytes_per_s = (
        2 * sample_rate_hz if is_pcm else _BYTES_PER_S.get(audio_format, _UNKNOWN_BYTES_PER_S)
    )
    return max(MIN_ESTIMATE_S, size_bytes / bytes_per_s)


def estimate_json_s(size_bytes: int | None) -> float:
    """Estimate the duration of audio in a JSON body in seconds, at most ``MAX_UTTERANCE_S``."""
    audio_s = estimate_s(None if size_bytes is None else int(size_bytes / _BASE64_GROWTH))
    return MAX_UTTERANCE_S if audio_s is None else min(audio_s, MAX_UTTERANCE_S)


@contextlib.contextmanager
def reserved(
    transcriber: Transcriber, client: ClientId, audio_s: float, max_wait_s: float, model: str = ""
) -> Iterator[str]:
    """Hold a queue reservation of a model for one utterance.

    Raises:
        Overloaded: The queue is full, or the wait would exceed ``max_wait_s``.
        RateLimited: The client has used up its crash budget.
    """
    reservation = transcriber.reserve(ReservationRequest(client, audio_s, max_wait_s, model=model))
    try:
        yield reservation
    finally:
        transcriber.release(reservation)


def check_open(transcriber: Transcriber, client: ClientId, model: str = "") -> None:
    """Reject a file before its upload if the model's queue would reject a second of audio.

    Raises:
        Overloaded: The queue is full, no worker is ready, or the server is draining.
        RateLimited: The client has used up its crash budget.
    """
    with reserved(transcriber, client, MIN_ESTIMATE_S, max_wait_s=float("inf"), model=model):
        pass
