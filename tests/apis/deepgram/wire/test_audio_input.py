"""Raw samples, packets and containers."""

from struct import pack

import pytest

from auricle.apis.deepgram.wire.audio_input import MAX_STEP_SAMPLES, AudioInput, text_in
from auricle.protocol.dialect import Companded, EncodedFrames, Law
from auricle.values.commands import Configure
from auricle.values.errors import AudioError
from auricle.values.events import Wire
from auricle.values.types import FrameCodec
from tests.apis.deepgram.wire.live.helpers import steps
from tests.support.clips import CLIPS
from tests.support.compressed import encoded, split, splitter_of

pytestmark = pytest.mark.unit


def test_samples_and_packets_are_passed_on_as_they_are() -> None:
    for encoding in ("linear16", "opus", "ogg-opus"):
        assert steps(AudioInput(encoding).receive(b"audio")) == [b"audio"]


@pytest.mark.parametrize(("encoding", "law"), [("mulaw", Law.MU), ("alaw", Law.A)])
def test_telephone_audio_is_named_as_such(encoding: str, law: Law) -> None:
    shown = steps(AudioInput(encoding).receive(b"audio"))
    assert shown == [Companded(b"audio", law)]


@pytest.mark.parametrize(
    ("head", "wire"),
    [(b"OggS" + bytes(20), Wire.OGG), (b"\x1a\x45\xdf\xa3" + bytes(20), Wire.WEBM)],
)
def test_a_container_says_itself_what_it_is_however_it_is_split(head: bytes, wire: Wire) -> None:
    for size in range(1, len(head)):
        one = AudioInput(None)
        first, second = head[:size], head[size:]
        shown = steps(one.receive(first)) + steps(one.receive(second))
        assert shown[0] == Configure(format=wire)
        assert b"".join(step for step in shown if isinstance(step, bytes)) == head
        assert steps(one.receive(b"more")) == [b"more"]


def wav(code: int = 1, channels: int = 1, rate: int = 24_000, bits: int = 16) -> bytes:
    form = pack("<HHIIHH", code, channels, rate, rate * 2, 2, bits)
    return b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + form + b"data\0\0\0\0"


def test_a_live_wav_is_followed_without_its_header() -> None:
    one, head = AudioInput(None), wav()
    assert steps(one.receive(head[:30])) == []
    assert steps(one.receive(head[30:] + b"samples")) == [
        Configure(format=Wire.PCM16, sample_rate=24_000),
        b"samples",
    ]
    assert steps(one.receive(b"more")) == [b"more"]


def test_one_of_a_telephone_is_too() -> None:
    shown = steps(AudioInput(None).receive(wav(7, rate=8_000, bits=8) + b"samples"))
    assert shown[-1] == Companded(b"samples", Law.MU)


@pytest.mark.parametrize("codec", FrameCodec)
@pytest.mark.parametrize("size_bytes", [7, 1000, 100_000])
def test_compressed_audio_becomes_frames(codec: FrameCodec, size_bytes: int) -> None:
    data = encoded(CLIPS["short.wav"].pcm, codec)
    one = AudioInput(None)
    shown = [
        step
        for at in range(0, len(data), size_bytes)
        for step in steps(one.receive(data[at : at + size_bytes]))
    ]
    shown += steps(one.finish())
    assert shown[0] == Configure(format=Wire.PCM16, sample_rate=16_000)
    assert all(isinstance(step, EncodedFrames) for step in shown[1:])
    parts = [step for step in shown if isinstance(step, EncodedFrames)]
    splitter = splitter_of(codec)
    assert [frame for part in parts for frame in part.frames] == split(data, splitter)
    assert {part.codec for part in parts} == {codec}
    assert {part.header for part in parts if part.frames} == {splitter.header}
    assert all(sum(frame.samples for frame in part.frames) <= MAX_STEP_SAMPLES for part in parts)


def test_a_large_message_of_frames_is_split_bit_by_bit() -> None:
    one = AudioInput(None)
    beginning = encoded(CLIPS["short.wav"].pcm, FrameCodec.FLAC)
    steps(one.receive(beginning))
    taken = iter(one.receive(b"\xff\xf8" * 400_000))
    assert isinstance(next(taken), EncodedFrames)  # and not after half a second


def test_compressed_channels_are_not_apart() -> None:
    with pytest.raises(AudioError, match="multichannel"):
        steps(AudioInput(None, 2, is_multichannel=True).receive(b"fLaC" + bytes(60)))


def test_raw_audio_has_no_rest() -> None:
    assert steps(AudioInput("linear16").finish()) == []


@pytest.mark.parametrize(
    "head",
    [
        b"not audio at all",
        b"fLaC" + bytes(60),
        b"\0\0\0\x20ftypM4A " + bytes(20),
        b"\xff\xfb\x90\x00" + bytes(1000),
        bytes(3200),
        wav(code=3, bits=32),
        wav(channels=2),
        wav(rate=1000),
        wav(bits=8),
        wav(code=7),
    ],
)
def test_what_can_not_be_followed_is_refused(head: bytes) -> None:
    with pytest.raises(AudioError):
        steps(AudioInput(None).receive(head))


def test_multichannel_needs_samples() -> None:
    container = b"OggS" + bytes(20)
    with pytest.raises(AudioError, match="multichannel"):
        steps(AudioInput(None, 2, is_multichannel=True).receive(container))


def test_audio_after_undecodable_packets_is_refused() -> None:
    one = AudioInput("opus")
    one.is_undecodable = True
    with pytest.raises(AudioError):
        one.receive(b"audio")


def test_only_a_short_message_in_utf8_text_in() -> None:
    assert text_in(b'{"type":"KeepAlive"}') == '{"type":"KeepAlive"}'
    for data in (b"{" + bytes(2000), b"samples", b'{"type":"KeepAlive","x":"\xff"}'):
        assert text_in(data) is None
