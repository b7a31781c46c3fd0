"""The speed for recordings: the shipped clip, repeated, posted to the server as one WAV file."""

import io
import time
import wave

import httpx2 as httpx
import numpy as np

from auricle.audio.opus import LibOpus
from auricle.cli.support.speech_clip import LANGUAGE, SpeechClip
from auricle.errors import RequestError
from auricle.types import SAMPLE_RATE_HZ

LONG_FILE_S = 6.0
"""Approximate time for the longer file, in seconds; it fills the workers' batches."""
MAX_REPEATS = 15
TIMEOUT = httpx.Timeout(600, connect=10)


def repeats_after(first_s: float, *, is_quick: bool) -> int:
    """Return how often the longer file repeats the clip; 0 if the first result has to do.

    Args:
        first_s: How long the clip itself took, in seconds, with what a server does only once.
        is_quick: Whether the user is in a hurry.
    """
    wanted_s = LONG_FILE_S / 3 if is_quick else LONG_FILE_S
    if first_s > 2 * wanted_s:
        return 0
    return min(MAX_REPEATS, max(1, round(wanted_s / max(first_s, 1e-3))))


async def file_speed(
    url: str, clip: SpeechClip, library: LibOpus, *, is_quick: bool
) -> tuple[float, float]:
    """Return the seconds of audio that are transcribed in a second, and the length of the file.

    Args:
        url: The server's base URL.
        clip: The speech.
        library: Decodes the clip.
        is_quick: Whether the user is in a hurry.

    Raises:
        RequestError: The server refused the file or failed.
    """
    first_s = await _time(url, clip, library, 1)
    repeats = repeats_after(first_s, is_quick=is_quick)
    if not repeats:
        return clip.seconds / first_s, clip.seconds
    audio_s = repeats * clip.seconds
    return audio_s / await _time(url, clip, library, repeats), audio_s


async def _time(url: str, clip: SpeechClip, library: LibOpus, repeats: int) -> float:
    body = io.BytesIO()
    with wave.open(body, "wb") as out:
        out.setparams((1, 2, SAMPLE_RATE_HZ, 0, "NONE", "not compressed"))
        out.writeframes(np.tile(clip.pcm(library), repeats).astype("<i2").tobytes())
    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT, trust_env=False) as http:
        started_s = time.perf_counter()
        response = await http.post(
            "/utterance",
            params={"language": LANGUAGE},
            content=body.getvalue(),
            headers={"Content-Type": "audio/wav"},
        )
        lasted_s = time.perf_counter() - started_s
    if not response.is_success:
        raise RequestError(f"The server did not transcribe the file (HTTP {response.status_code}).")
    return lasted_s
