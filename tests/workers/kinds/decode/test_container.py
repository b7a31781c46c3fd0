"""Real container files, good and bad, through FFmpeg."""

import struct
import time
import wave
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest
from faster_whisper.audio import decode_audio
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.values.errors import AudioError, EmptyAudio, RequestError, TooLong, UnsupportedFormat
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from auricle.workers.kinds.decode import container
from auricle.workers.kinds.decode.container import OPEN_CPU_S, ContainerReader
from auricle.workers.kinds.decode.input_file import InputFile
from tests.support.clips import CLIPS, TESTDATA
from tests.support.command import ROOT
from tests.support.opus import tone

pytestmark = pytest.mark.process

NO_LIMIT = 10**9
CONTAINERS = ["fellow.wav", "fellow.flac", "fellow.mp3", "fellow.m4a", "fellow.ogg", "fellow.webm"]
WAV = (TESTDATA / "fellow.wav").read_bytes()
WAV_HEADER_BYTES = 44
Write = Callable[[bytes], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(data: bytes) -> str:
        path = tmp_path / "upload"  # as it is spooled: the name says nothing
        path.write_bytes(data)
        return str(path)

    return write


def read(path: str | Path, max_samples: int = NO_LIMIT) -> tuple[Pcm16, ContainerReader]:
    reader = ContainerReader(InputFile(str(path)), max_samples)
    blocks = []
    while (block := reader.read()) is not None:
        blocks.append(block)
    reader.close()
    return np.concatenate(blocks), reader


def wav_with(offset: int, format: str, value: float) -> bytes:
    changed = bytearray(WAV)
    struct.pack_into(format, changed, offset, value)
    return bytes(changed)


def encode(
    path: Path, pcm: Pcm16, *, format: str, codec: str, rate_hz: int, layout: str = "mono"
) -> None:
    """Write a tone or a silence in a container; ``pcm`` is at ``rate_hz``."""
    with av.open(str(path), "w", format=format) as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        assert isinstance(stream, av.AudioStream)
        block = 10 * rate_hz
        for at in range(0, pcm.size, block):
            frame = av.AudioFrame.from_ndarray(
                np.repeat(pcm[at : at + block], len(av.AudioLayout(layout).channels))[None, :],
                format="s16",
                layout=layout,
            )
            frame.sample_rate = rate_hz
            frame.pts = at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("width", [1, 2])
def test_each_channel_of_a_file_can_be_read_alone(tmp_path: Path, width: int) -> None:
    speech = CLIPS["pair.wav"].pcm
    tracks = np.stack([speech, -speech, np.zeros_like(speech)], axis=1)
    with wave.open(str(tmp_path / "call.wav"), "wb") as file:
        file.setparams((3, width, SAMPLE_RATE_HZ, 0, "NONE", "not compressed"))
        file.writeframes(
            tracks.tobytes() if width == 2 else ((tracks >> 8) + 128).astype(np.uint8).tobytes()
        )
    for channel in range(3):
        reader = ContainerReader(InputFile(str(tmp_path / "call.wav")), NO_LIMIT, channel)
        assert reader.channels == 3
        blocks = []
        while (block := reader.read()) is not None:
            blocks.append(block)
        reader.close()
        found = np.concatenate(blocks).astype(int)
        assert np.abs(found - tracks[:, channel]).max() <= (0 if width == 2 else 256)


@pytest.mark.parametrize("name", CONTAINERS)
def test_the_samples_are_those_of_faster_whisper(name: str) -> None:
    expected = decode_audio(str(TESTDATA / name))
    pcm, reader = read(TESTDATA / name)
    assert pcm.dtype == np.int16
    assert np.array_equal(pcm.astype(np.float32) / 32768, expected)
    assert abs(pcm.size - CLIPS[name].samples) <= 1024  # AAC fills its last frame
    assert reader.failures == 0


@pytest.mark.parametrize("name", CONTAINERS)
def test_the_fraction_grows_to_the_end(name: str) -> None:
    reader = ContainerReader(InputFile(str(TESTDATA / name)), NO_LIMIT)
    seen = [reader.fraction]
    while reader.read() is not None:
        seen.append(reader.fraction)
    reader.close()
    assert seen == sorted(seen)
    assert seen[-1] > 0.9
    assert all(0 <= fraction <= 1 for fraction in seen)


@pytest.mark.parametrize(
    ("format", "codec", "rate_hz", "layout"),
    [
        ("wav", "pcm_s16le", 8_000, "mono"),
        ("wav", "pcm_alaw", 8_000, "mono"),
        ("wav", "pcm_f32le", 48_000, "stereo"),
        ("wav", "pcm_s24le", 96_000, "mono"),
        ("wav", "pcm_s16le", 44_100, "5.1"),
        ("flac", "flac", 44_100, "stereo"),
        ("adts", "aac", 44_100, "stereo"),
        ("mp4", "aac", 24_000, "mono"),
        ("ogg", "flac", 16_000, "mono"),
        ("matroska", "pcm_s16le", 11_025, "mono"),
    ],
)
def test_rates_codecs_and_channels_come_out_as_16_khz_mono(
    tmp_path: Path, format: str, codec: str, rate_hz: int, layout: str
) -> None:
    path = tmp_path / "tone"
    phase = 2 * np.pi * 440 * np.arange(2 * rate_hz) / rate_hz
    sound = (8000 * np.sin(phase)).astype(np.int16)
    encode(path, sound, format=format, codec=codec, rate_hz=rate_hz, layout=layout)
    pcm, reader = read(path)
    assert abs(pcm.size - 2 * SAMPLE_RATE_HZ) < 3000
    spectrum = np.abs(np.fft.rfft(pcm[8000:24_000].astype(np.float64)))
    assert abs(int(spectrum.argmax()) - 440) <= 1
    assert reader.failures == 0


LIES = {
    "unknown": 0xFFFFFFFF,
    "2 GB": 0x7FFFFFFF,
    "nothing": 0,
    "50 samples": 100,
    "half": 97_092,
}


@pytest.mark.parametrize("length", LIES.values(), ids=LIES.keys())
def test_a_wav_header_that_lies_about_its_length_gives_what_is_there(
    write: Write, length: int
) -> None:
    pcm, _ = read(write(wav_with(40, "<I", length)))
    assert np.array_equal(pcm, CLIPS["fellow.wav"].pcm)


def test_a_chunk_after_the_samples_is_not_transcribed(write: Write) -> None:
    pcm, _ = read(write(WAV + b"LIST" + struct.pack("<I", 4000) + b"INFO" * 1000))
    assert np.array_equal(pcm, CLIPS["fellow.wav"].pcm)


def test_a_truncated_wav_gives_what_is_there(write: Write) -> None:
    pcm, _ = read(write(WAV[:50_044]))
    assert np.array_equal(pcm, CLIPS["fellow.wav"].pcm[:25_000])


RATES = [0, 7, 3_999, 1_000_000, 0x7FC00000, 0xFFFFFFFF]  # the fifth is a NaN


@pytest.mark.parametrize("rate_hz", RATES)
def test_absurd_rates_are_refused(write: Write, rate_hz: int) -> None:
    with pytest.raises(AudioError):
        ContainerReader(InputFile(write(wav_with(24, "<I", rate_hz))), NO_LIMIT)


@pytest.mark.parametrize("channels", [0, 65, 65_535])
def test_absurd_channels_are_refused(write: Write, channels: int) -> None:
    with pytest.raises(AudioError):
        ContainerReader(InputFile(write(wav_with(22, "<H", channels))), NO_LIMIT)


TARGET = TESTDATA / "fellow.flac"
TEXTS = {
    "ffconcat": f"ffconcat version 1.0\nfile {TARGET}\n",
    "m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://{TARGET}\n#EXT-X-ENDLIST\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 9 RTP/AVP 0\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
    "text": "Ask not what your country can do for you.\n" * 100,
    "zip": "PK\x03\x04" + "\0" * 100,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_text_that_points_elsewhere_is_never_followed(write: Write, text: str) -> None:
    with pytest.raises(UnsupportedFormat, match="use WAV, FLAC"):
        ContainerReader(InputFile(write(text.encode())), NO_LIMIT)


def riff(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


EMPTY_CHUNK = b"junk" + bytes(4)
FORMAT_CHUNK = WAV[12:36]
MANY = 7_500_000
"""60 MB of empty chunks."""


@pytest.mark.wall_clock
@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda: riff(EMPTY_CHUNK * MANY), id="nothing but chunks"),
        pytest.param(lambda: riff(FORMAT_CHUNK, EMPTY_CHUNK * MANY), id="before the samples"),
        pytest.param(lambda: WAV + EMPTY_CHUNK * 2 * MANY, id="after the samples"),
        pytest.param(
            lambda: b"RF64" + riff(FORMAT_CHUNK, EMPTY_CHUNK * 2 * MANY)[4:],
            id="before those of RF64",
        ),
    ],
)
def test_a_file_of_empty_chunks_costs_little_processor_time(
    write: Write, build: Callable[[], bytes]
) -> None:
    file = InputFile(write(build()))
    began_s = time.thread_time()
    with suppress(AudioError, UnsupportedFormat):
        ContainerReader(file, NO_LIMIT).close()
    assert time.thread_time() - began_s < 2 * OPEN_CPU_S
    file.close()


def test_a_file_that_takes_too_long_to_open_is_refused(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "OPEN_CPU_S", 0.0)
    with pytest.raises(AudioError, match="too much work"):
        ContainerReader(InputFile(write(WAV)), NO_LIMIT)


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_file_whose_opening_reads_too_much_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "OPEN_BYTES", 100)
    with pytest.raises(AudioError, match="too much work"):
        ContainerReader(InputFile(str(TESTDATA / name)), NO_LIMIT)


def test_a_packet_that_takes_too_long_to_find_ends_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader = ContainerReader(InputFile(str(TESTDATA / "story.ogg")), NO_LIMIT)
    assert reader.read() is not None
    monkeypatch.setattr(container, "PACKET_CPU_S", 0.0)
    while reader.read() is not None:
        pass
    assert reader.failures == 1
    assert reader.fraction < 1.0
    reader.close()


def test_a_stream_that_begins_later_is_damage(write: Write) -> None:
    case = (ROOT / "fuzz/cases/opening/ogg-stream-begins-later").read_bytes()[5:]
    pcm, reader = read(write(case + case[-200:]))
    assert (pcm.size, reader.failures) == (0, 2)  # its packet, and one that is no Opus


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_of_no_format(write: Write, seed: int) -> None:
    with pytest.raises(UnsupportedFormat):
        ContainerReader(InputFile(write(np.random.default_rng(seed).bytes(100_000))), NO_LIMIT)


def test_an_empty_file_is_empty(write: Write) -> None:
    with pytest.raises(EmptyAudio):
        ContainerReader(InputFile(write(b"")), NO_LIMIT)


@pytest.mark.parametrize("name", CONTAINERS)
def test_the_first_hundred_bytes_alone_are_a_damaged_file(write: Write, name: str) -> None:
    data = (TESTDATA / name).read_bytes()[:100]
    if name == "fellow.wav":
        assert read(write(data))[0].size == 28
        return
    with pytest.raises(AudioError):
        ContainerReader(InputFile(write(data)), NO_LIMIT)


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_hole_in_the_middle_costs_no_more_than_its_surroundings(write: Write, name: str) -> None:
    data = bytearray((TESTDATA / name).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 500] = np.random.default_rng(1).bytes(500)
    pcm, _ = read(write(bytes(data)))
    assert pcm.size > CLIPS[name].samples * 0.4


def test_a_video_without_sound_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "silent"
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width = stream.height = 16
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8))
        container.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(EmptyAudio, match="no audio track"):
        ContainerReader(InputFile(str(path)), NO_LIMIT)


def test_a_codec_off_the_list_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wavpack"
    encode(path, tone(440, 16_000), format="matroska", codec="wavpack", rate_hz=16_000)
    with pytest.raises(UnsupportedFormat, match="codec"):
        ContainerReader(InputFile(str(path)), NO_LIMIT)


def test_an_unknown_codec_is_refused(write: Write) -> None:
    data = (TESTDATA / "fellow.webm").read_bytes()
    assert data.count(b"A_OPUS") == 1
    with pytest.raises(UnsupportedFormat, match="codec"):
        ContainerReader(InputFile(write(data.replace(b"A_OPUS", b"A_SPUO"))), NO_LIMIT)


@settings(max_examples=100, deadline=None)
@given(name=st.sampled_from(CONTAINERS), data=st.data())
def test_damage_anywhere_gives_samples_or_says_whose_fault_it_is(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    damaged = bytearray((TESTDATA / name).read_bytes())
    edits = st.tuples(st.integers(0, 1500), st.integers(0, 40), st.binary(max_size=8))
    for at, cut, put in data.draw(st.lists(edits, min_size=1, max_size=6)):
        damaged[at : at + cut] = put
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(damaged)
    with suppress(AudioError, RequestError):
        pcm, _ = read(path, max_samples=30 * SAMPLE_RATE_HZ)
        assert pcm.dtype == np.int16


@pytest.mark.parametrize(
    ("format", "codec"), [("ogg", "libopus"), ("flac", "flac"), ("matroska", "flac")]
)
def test_a_small_file_that_holds_too_much_is_refused_before_it_is_decoded(
    tmp_path: Path, format: str, codec: str
) -> None:
    path = tmp_path / "much"
    silence = np.zeros(300 * 8_000, np.int16)
    encode(path, silence, format=format, codec=codec, rate_hz=8_000)
    assert path.stat().st_size < 250_000
    with pytest.raises(TooLong):
        ContainerReader(InputFile(str(path)), 275 * SAMPLE_RATE_HZ)
    reader = ContainerReader(InputFile(str(path)), 301 * SAMPLE_RATE_HZ)
    assert reader.read() is not None
    reader.close()


@pytest.mark.parametrize(("format", "codec"), [("mp3", "mp3"), ("adts", "aac"), ("ogg", "libopus")])
def test_files_run_together_are_transcribed_to_the_end(
    tmp_path: Path, format: str, codec: str
) -> None:
    """As written by recorders that were stopped and resumed, maybe at another rate."""
    together = b""
    for rate_hz in (16_000, 24_000):
        path = tmp_path / str(rate_hz)
        encode(path, np.zeros(rate_hz, np.int16), format=format, codec=codec, rate_hz=rate_hz)
        together += path.read_bytes()
    path = tmp_path / "together"
    path.write_bytes(together)
    pcm, _ = read(path)
    assert abs(pcm.size - 2 * SAMPLE_RATE_HZ) < 3000


def test_closing_twice_is_closing_once() -> None:
    reader = ContainerReader(InputFile(str(TESTDATA / "fellow.ogg")), NO_LIMIT)
    reader.close()
    reader.close()


def test_stdlib_wave_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "wave"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(np.repeat(tone(440, 16_000), 2).tobytes())
    assert read(path)[0].size == 16_000
