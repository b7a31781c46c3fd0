"""Who is let in, decided from the headers alone: before a byte of the body is read.

Short audio reserves its room in the queue; long audio, and whatever may turn out to be long, takes
one of a few places for files. What a request holds is given back when it ends, however that comes.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from auricle.errors import Overloaded
from auricle.transcriber import Transcriber
from auricle.types import ANONYMOUS, SAMPLE_RATE_HZ, ClientId

MAX_UTTERANCE_S = 30.0
"""Whisper's window: longer audio is a file."""

MIN_ESTIMATE_S = 1.0

# Typical speech; an estimate decides where a request waits, never whether its audio is good.
_BYTES_PER_S = {
    "wav": 32_000,  # 16 kHz mono PCM16
    "flac": 16_000,  # half of that
    "mp3": 8_000,  # 64 kbit/s
    "m4a": 8_000,
    "opus": 4_000,  # 32 kbit/s
    "ogg": 4_000,
    "webm": 4_000,
    "auto": 16_000,
}

_BASE64_GROWTH = 4 / 3

FILE_RETRY_S = 10
KEY_FILE_SHARE = 0.75
"""Most of the places that one key may hold, however slowly its uploads come in."""
"""A place for a file comes free in minutes rather than seconds; nobody is to wait for all of it."""


def estimate_s(
    size_bytes: int | None, audio_format: str = "auto", sample_rate_hz: int = SAMPLE_RATE_HZ
) -> float | None:
    """Return about how long audio of this size lasts; ``None`` when the size isn't known."""
    if size_bytes is None:
        return None
    is_pcm = audio_format == "pcm16"
    bytes_per_s = 2 * sample_rate_hz if is_pcm else _BYTES_PER_S.get(audio_format, 16_000)
    return max(MIN_ESTIMATE_S, size_bytes / bytes_per_s)


def estimate_json_s(size_bytes: int | None) -> float:
    """Return about how long the audio in a JSON body is: at most an utterance, unseen."""
    audio_s = estimate_s(None if size_bytes is None else int(size_bytes / _BASE64_GROWTH))
    return MAX_UTTERANCE_S if audio_s is None else min(audio_s, MAX_UTTERANCE_S)


@contextlib.contextmanager
def reserved(
    transcriber: Transcriber, client: ClientId, audio_s: float, max_wait_s: float
) -> Iterator[str]:
    """Hold room for one utterance.

    Raises:
        Overloaded: There is none, or the wait is too long already.
        RateLimited: The client's budget of crashes is used up.
    """
    reservation = transcriber.reserve(client, audio_s, max_wait_s=max_wait_s)
    try:
        yield reservation
    finally:
        transcriber.release(reservation)


def check_open(transcriber: Transcriber, client: ClientId) -> None:
    """Refuse a file now rather than after its upload, if even a second of audio would be.

    Raises:
        Overloaded: There is no room, no worker is ready, or the service is draining.
        RateLimited: The client's budget of crashes is used up.
    """
    with reserved(transcriber, client, MIN_ESTIMATE_S, max_wait_s=float("inf")):
        pass


@dataclass(slots=True)
class FilePlaces:
    """The bound on files that are received or worked on at once, and on one key's share of them."""

    total: int
    taken: int = 0
    _taken_by: Counter[ClientId] = field(default_factory=Counter)

    @contextlib.contextmanager
    def take(self, client: ClientId) -> Iterator[None]:
        """Hold a place.

        Raises:
            Overloaded: All are taken, or as many as a key may have.
        """
        is_greedy = client != ANONYMOUS and self._taken_by[client] >= self.total * KEY_FILE_SHARE
        if self.taken >= self.total or is_greedy:
            whose = "of one key " if is_greedy else ""
            raise Overloaded(
                f"As many files {whose}as the server takes at once are being worked on.",
                FILE_RETRY_S,
            )
        self.taken += 1
        self._taken_by[client] += 1
        try:
            yield
        finally:
            self.taken -= 1
            self._taken_by[client] -= 1
