from struct import pack

import pytest

from auricle.protocol.wav import MAX_CHUNKS, MAX_HEAD_BYTES, MU_LAW, PCM, WavHead, parse_wav_head
from auricle.values.errors import AudioError

pytestmark = pytest.mark.unit

FORMAT = pack("<HHIIHH", PCM, 1, 16_000, 32_000, 2, 16)


def chunk(name: bytes, content: bytes, length: int | None = None) -> bytes:
    return name + pack("<I", len(content) if length is None else length) + content


def wav(*chunks: bytes) -> bytes:
    return b"RIFF" + pack("<I", 0xFFFFFFFF) + b"WAVE" + b"".join(chunks)


def test_a_plain_header_is_read() -> None:
    head = wav(chunk(b"fmt ", FORMAT), chunk(b"data", b"", 0xFFFFFFFF))
    assert parse_wav_head(head + b"samples") == WavHead(PCM, 1, 16_000, 16, len(head))


def test_no_beginning_of_a_header_is_enough_before_its_end() -> None:
    head = wav(chunk(b"LIST", b"odd"), b"\0", chunk(b"fmt ", FORMAT), chunk(b"data", b"", 8))
    for size in range(12, len(head)):
        assert parse_wav_head(head[:size]) is None
    assert parse_wav_head(head) == WavHead(PCM, 1, 16_000, 16, len(head))


def test_the_code_of_an_extensible_format_is_the_inner_one() -> None:
    inner = pack("<H", 0xFFFE) + FORMAT[2:] + pack("<HHIH", 22, 16, 4, MU_LAW) + bytes(14)
    parsed = parse_wav_head(wav(chunk(b"fmt ", inner), chunk(b"data", b"")))
    assert parsed is not None
    assert parsed.code == MU_LAW


@pytest.mark.parametrize(
    "head",
    [
        wav(chunk(b"data", b"samples")),
        wav(chunk(b"fmt ", b"short"), chunk(b"data", b"")),
        wav(chunk(b"LIST", b"", 0xFFFFFFFF)),
        wav(chunk(b"fmt ", b"", 0x7FFFFFFF)),
        wav(*[chunk(b"JUNK", b"")] * (MAX_HEAD_BYTES // 8)),
    ],
)
def test_one_that_is_wrong_or_too_long_is_refused(head: bytes) -> None:
    with pytest.raises(AudioError):
        parse_wav_head(head)


def test_a_header_has_a_bounded_number_of_chunks() -> None:
    rest = chunk(b"fmt ", FORMAT), chunk(b"data", b"")
    fitting = wav(*[chunk(b"LIST", b"")] * (MAX_CHUNKS - 2), *rest)
    assert parse_wav_head(fitting) == WavHead(PCM, 1, 16_000, 16, len(fitting))
    with pytest.raises(AudioError):
        parse_wav_head(wav(*[chunk(b"LIST", b"")] * (MAX_CHUNKS - 1), *rest))
    with pytest.raises(AudioError):
        parse_wav_head(wav(*[chunk(b"LIST", b"")] * MAX_CHUNKS))
