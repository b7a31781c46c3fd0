"""The header of a WAV that comes in pieces."""

from collections.abc import Iterator
from struct import pack

from auricle.protocol.wav import MAX_HEAD_BYTES, WavHead, parse_wav_head
from auricle.values.errors import AudioError
from fuzz.checks import MAX_SPLIT_BYTES, pieces
from fuzz.target import Target
from tests.support.clips import TESTDATA

MODULES = ("auricle.protocol.wav",)
_GONE = "refused"


def _outcome(head: bytes) -> WavHead | str | None:
    try:
        return parse_wav_head(head)
    except AudioError:
        return _GONE


def run(data: bytes) -> None:
    """Read more and more of it: what is said once is not taken back."""
    said = None
    at = 0
    for piece in pieces(data) if len(data) <= MAX_SPLIT_BYTES else (data,):
        at += len(piece)
        now = _outcome(data[:at])
        assert said is None or now == said, "what was said is taken back"
        said = now
    if isinstance(said, WavHead):
        assert 12 < said.size_bytes <= min(len(data), MAX_HEAD_BYTES)
    assert said is not None or len(data) < MAX_HEAD_BYTES, "it waits indefinitely"


def seeds() -> Iterator[bytes]:
    """Give headers of files, of streams, and with other chunks before the samples."""
    yield (TESTDATA / "fellow.wav").read_bytes()[:200]
    plain = b"fmt " + pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
    wide = b"fmt " + pack("<IHHIIHHHHIH14x", 40, 0xFFFE, 2, 48_000, 192_000, 4, 16, 22, 16, 3, 1)
    data = b"data" + pack("<I", 0xFFFFFFFF) + bytes(8)
    names = b"LIST" + pack("<I", 5) + b"names\0"
    for chunks in (plain, wide, names + plain, plain + names):
        yield b"RIFF\xff\xff\xff\xffWAVE" + chunks + data


TARGET = Target(
    run,
    seeds,
    words=(b"RIFF", b"WAVE", b"fmt \x10\0\0\0", b"data", b"LIST"),
    loop_bytes=MAX_HEAD_BYTES,
)
