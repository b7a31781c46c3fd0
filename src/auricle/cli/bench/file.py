"""The speed for recordings: the shipped clip, repeated, posted to the server as one WAV file."""

import asyncio
import io
import time
import wave
from dataclasses import dataclass

import httpx2 as httpx
import numpy as np

from auricle.audio.opus import LibOpus
from auricle.cli.support.speech_clip import LANGUAGE, SpeechClip
from auricle.values.errors import ModelUnavailable, RequestError
from auricle.values.types import SAMPLE_RATE_HZ

LONG_FILE_S = 6.0
"""Approximate time for the longer file, in seconds; it fills the workers' batches."""
MAX_REPEATS = 15
RETRY_S, MAX_RETRIES = 1.0, 120
"""A model on demand is loaded by the first request, which is refused."""
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


@dataclass(frozen=True, slots=True)
class Recording:
    """The clip, and the library that decodes it."""

    clip: SpeechClip
    library: LibOpus

    def wav(self, repeats: int) -> bytes:
        """Return a WAV file in which the clip is repeated."""
        body = io.BytesIO()
        with wave.open(body, "wb") as out:
            out.setparams((1, 2, SAMPLE_RATE_HZ, 0, "NONE", "not compressed"))
            out.writeframes(np.tile(self.clip.pcm(self.library), repeats).astype("<i2").tobytes())
        return body.getvalue()


async def file_speed(
    url: str, recording: Recording, model: str, *, is_quick: bool
) -> tuple[float, float]:
    """Return the seconds of audio that are transcribed in a second, and the length of the file.

    Args:
        url: The server's base URL.
        recording: The speech.
        model: The model's name in requests; one on demand is loaded first.
        is_quick: Whether the user is in a hurry.

    Raises:
        RequestError: The server refused the file or failed.
    """
    clip_s = recording.clip.seconds
    first_s = await _time(url, recording.wav(1), model)
    repeats = repeats_after(first_s, is_quick=is_quick)
    if not repeats:
        return clip_s / first_s, clip_s
    return repeats * clip_s / await _time(url, recording.wav(repeats), model), repeats * clip_s


async def _time(url: str, body: bytes, model: str) -> float:
    parameters = {"language": LANGUAGE, "model": model}
    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT, trust_env=False) as http:
        for _ in range(MAX_RETRIES):
            started_s = time.perf_counter()
            response = await http.post(
                "/utterance",
                params=parameters,
                content=body,
                headers={"Content-Type": "audio/wav"},
            )
            if response.status_code != ModelUnavailable.http_status:
                break
            await asyncio.sleep(RETRY_S)
    if not response.is_success:
        raise RequestError(f"The server did not transcribe the file (HTTP {response.status_code}).")
    return time.perf_counter() - started_s
