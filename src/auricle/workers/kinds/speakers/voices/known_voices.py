"""The voices of a session, by which a later session continues its speakers' numbers."""

from dataclasses import dataclass

import msgspec
import numpy as np

from auricle.values.speakers import VoicePrint
from auricle.values.types import MAX_SPEAKERS
from auricle.workers.kinds.speakers.voices.clustering import Labels, Seconds, Vectors

MAX_BYTES = 128 * 1024
"""Maximum size of encoded voices; 16 of 1024 dimensions have 64 KiB, 16 of CAM++ 12 KiB."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownVoices:
    """Voices with the numbers of their speakers, one row or element for each.

    Attributes:
        numbers: The speakers' numbers, ascending, shape [voices].
        sums: The sums of the embeddings of their stretches, float32, shape [voices, dimensions].
        counts: The numbers of stretches, shape [voices].
        seconds: The seconds of speech, shape [voices].
    """

    numbers: Labels
    sums: Vectors
    counts: Seconds
    seconds: Seconds

    def prints(self, model: str) -> dict[int, VoicePrint]:
        """Return each voice by number; ``model`` identifies the model of their embeddings."""
        vectors = self.sums / np.linalg.norm(self.sums, axis=1, keepdims=True)
        rows = zip(self.numbers.tolist(), vectors, self.seconds.tolist(), strict=True)
        return {number: VoicePrint(model, vector, seconds) for number, vector, seconds in rows}

    def encoded(self, model: str) -> bytes:
        """Return the voices as bytes; ``model`` identifies the model of their embeddings."""
        return msgspec.msgpack.encode(
            _Encoded(
                model,
                self.numbers.tolist(),
                self.counts.tolist(),
                self.seconds.tolist(),
                self.sums.astype("<f4").tobytes(),
            )
        )

    @classmethod
    def decoded(cls, data: bytes, model: str) -> "KnownVoices | None":
        """Read encoded voices; ``None`` if they are of another model, or not valid."""
        if len(data) > MAX_BYTES:
            return None
        try:
            encoded = msgspec.msgpack.decode(data, type=_Encoded)
            return encoded.voices() if encoded.model == model else None
        except (msgspec.MsgspecError, ValueError, OverflowError):
            return None


class _Encoded(msgspec.Struct, array_like=True):
    model: str
    numbers: list[int]
    counts: list[float]
    seconds: list[float]
    sums: bytes

    def voices(self) -> KnownVoices:
        """Return the voices.

        Raises:
            ValueError: They are not valid.
        """
        numbers = np.array(self.numbers, np.intp)
        counts, seconds = np.array(self.counts), np.array(self.seconds)
        if not numbers.size or not numbers.size == counts.size == seconds.size:
            raise ValueError("the voices have no rows, or not the same number of them")
        if numbers[0] < 0 or numbers[-1] >= MAX_SPEAKERS or (np.diff(numbers) <= 0).any():
            raise ValueError("the numbers are not ascending or not those of speakers")
        sums = np.frombuffer(self.sums, "<f4").astype(np.float32).reshape(numbers.size, -1)
        if not sums.size or not (np.isfinite(sums).all() and sums.any(axis=1).all()):
            raise ValueError("a voice has no embedding")
        is_positive = (counts >= 1).all() and (seconds > 0).all()
        if not is_positive or not np.isfinite([counts, seconds]).all():
            raise ValueError("a voice has no speech")
        return KnownVoices(numbers, sums, counts, seconds)
