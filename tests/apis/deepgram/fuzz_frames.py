"""Live MP3, AAC and FLAC: the first byte says which; the rest is split into frames and decoded."""

from collections.abc import Iterator

from auricle.values.errors import AudioError
from auricle.values.types import SAMPLE_RATE_HZ, CompressedFrame, FrameCodec
from auricle.workers.kinds.frames.decoder import LiveFrameDecoder
from auricle.workers.kinds.frames.schedule import MAX_STRETCH
from fuzz.checks import same_in_any_split
from fuzz.target import Target
from tests.support.clips import CLIPS
from tests.support.compressed import encoded, splitter_of

MODULES = ("auricle.apis.deepgram.wire.frames",)
_CODECS = tuple(FrameCodec)
_MAX_DECODED = 8
_SPEECH = CLIPS["short.wav"].pcm[8_000:12_000]

Outcome = tuple[list[CompressedFrame], str]


def run(data: bytes) -> None:
    """Split it in any pieces into the same frames, and decode the first of them."""
    codec, content = _CODECS[(data[:1] or b"\0")[0] % len(_CODECS)], data[1:]
    header = b""

    def outcome(chunks: Iterator[bytes]) -> Outcome:
        nonlocal header
        splitter = splitter_of(codec)
        frames: list[CompressedFrame] = []
        fault = ""
        try:
            for chunk in chunks:
                splitter.receive_data(chunk)
                frames += iter(splitter.next_frame, None)
            splitter.receive_eof()
            frames += iter(splitter.next_frame, None)
        except AudioError as error:
            fault = str(error)
        header = splitter.header
        return frames, fault

    frames, _ = same_in_any_split(outcome, content)
    assert sum(len(frame.data) for frame in frames) <= len(content), "more comes out than went in"
    assert all(frame.data in content for frame in frames)
    if not frames:
        return
    decoded = [(frame.data, frame.samples) for frame in frames[:_MAX_DECODED]]
    pcm = LiveFrameDecoder(codec, header).decode(decoded)
    stated = sum(samples for _, samples in decoded)
    assert pcm.size <= MAX_STRETCH * stated + SAMPLE_RATE_HZ, "a worker would be killed for it"


def seeds() -> Iterator[bytes]:
    """Give the beginning of a stream of each codec, and one with a tag."""
    for number, codec in enumerate(_CODECS):
        yield bytes([number]) + encoded(_SPEECH, codec)[:1200]
    yield b"\0ID3\4\0\0\0\0\0\5hello" + encoded(_SPEECH, FrameCodec.MP3)[45:600]


TARGET = Target(
    run,
    seeds,
    words=(
        b"ID3\4\0\0\0\0\0",
        b"fLaC\0\0\0\x22",
        b"\xff\xf8",
        b"\xff\xf3\x48\xc4",
        b"\xff\xf1\x60\x40",
    ),
    max_bytes=1500,
    loop_bytes=2**16,
)
