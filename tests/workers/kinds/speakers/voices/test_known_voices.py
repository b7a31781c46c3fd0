import msgspec
import numpy as np
import pytest

from auricle.values.types import MAX_SPEAKERS
from auricle.workers.kinds.speakers.voices.known_voices import MAX_BYTES, KnownVoices

pytestmark = pytest.mark.unit

MODEL = "a digest"


def voices(*numbers: int, dimensions: int = 4) -> KnownVoices:
    sums = np.repeat(np.array(numbers, np.float32)[:, None] + 0.5, dimensions, axis=1)
    return KnownVoices(np.array(numbers), sums, np.full(len(numbers), 3.0), np.array(numbers) + 0.5)


def changed(**fields: object) -> bytes:
    """Return encoded voices with other values of these fields."""
    names = ("model", "numbers", "counts", "seconds", "sums")
    encoded = msgspec.msgpack.decode(voices(0, 2).encoded(MODEL))
    return msgspec.msgpack.encode([fields.get(n, v) for n, v in zip(names, encoded, strict=True)])


def test_voices_are_the_same_after_encoding() -> None:
    known = voices(0, 2, 15)
    read = KnownVoices.decoded(known.encoded(MODEL), MODEL)
    assert read is not None
    for name in KnownVoices.__slots__:
        assert np.array_equal(getattr(read, name), getattr(known, name))
    assert read.sums.dtype == np.float32


def test_the_largest_voices_can_be_read() -> None:
    known = voices(*range(MAX_SPEAKERS), dimensions=1024)
    assert KnownVoices.decoded(known.encoded("m" * 64), "m" * 64) is not None


@pytest.mark.parametrize(
    "data",
    [
        voices(0, 2).encoded("another model"),
        b"",
        b"\xff" * 40,
        voices(0, 2).encoded(MODEL)[:-1],
        voices(0, dimensions=MAX_BYTES // 4).encoded(MODEL),
        changed(numbers=[0]),
        changed(numbers=[], counts=[], seconds=[]),
        changed(numbers=[2, 0]),
        changed(numbers=[1, 1]),
        changed(numbers=[-1, 0]),
        changed(numbers=[0, MAX_SPEAKERS]),
        changed(numbers=[0, 2**63]),
        changed(counts=[0.0, 1.0]),
        changed(seconds=[1.0, float("inf")]),
        changed(seconds=[float("nan"), 1.0]),
        changed(sums=b""),
        changed(sums=bytes(32)),
        changed(sums=b"\xff" * 32),
        changed(sums=b"\x01" * 20),
    ],
    ids=range(19),
)
def test_other_data_is_no_voices(data: bytes) -> None:
    assert KnownVoices.decoded(data, MODEL) is None
