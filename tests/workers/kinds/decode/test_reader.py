"""Which reader a file gets."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from auricle.audio.opus import find_libopus
from auricle.protocol.framing import pack
from auricle.values.errors import (
    AudioError,
    AuricleError,
    BadRequest,
    EmptyAudio,
    OpusWithoutBoundaries,
    UnsupportedFormat,
)
from auricle.values.types import Source
from auricle.workers.kinds.decode.container import ContainerReader
from auricle.workers.kinds.decode.input_file import InputFile
from auricle.workers.kinds.decode.raw import OpusFileReader, PcmFileReader
from auricle.workers.kinds.decode.reader import open_reader
from tests.support.clips import CLIPS, TESTDATA
from tests.support.opus import encode_packets

pytestmark = pytest.mark.process

PACKETS = encode_packets(CLIPS["fellow.wav"].pcm)
NOISE = np.random.default_rng(7).bytes(20_000)
Write = Callable[[bytes], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(data: bytes) -> str:
        path = tmp_path / "upload"
        path.write_bytes(data)
        return str(path)

    return write


def kind_of(path: str | Path, audio_format: str, **more: int) -> type:
    source = Source(str(path), audio_format, **more)
    reader = open_reader(InputFile(source.path), source, find_libopus(), 10**9)
    try:
        while reader.read() is not None:
            pass
    finally:
        reader.close()
    return type(reader)


def error_of(path: str, audio_format: str, **more: int) -> type[AuricleError]:
    with pytest.raises(AuricleError) as caught:
        kind_of(path, audio_format, **more)
    assert path not in str(caught.value)
    return caught.type


@pytest.mark.parametrize("audio_format", ["auto", "wav", "mp3", "webm", "opus", "pcm16"])
@pytest.mark.parametrize("name", ["fellow.wav", "fellow.flac", "fellow.ogg", "fellow.webm"])
def test_a_containers_bytes_count_more_than_its_name(name: str, audio_format: str) -> None:
    assert kind_of(TESTDATA / name, audio_format) is ContainerReader


@pytest.mark.parametrize("audio_format", ["auto", "opus", "wav"])
def test_framed_packets_are_recognised(audio_format: str) -> None:
    assert kind_of(TESTDATA / "fellow.opus-packets", audio_format) is OpusFileReader


def test_raw_samples_are_what_the_sender_says(write: Write) -> None:
    path = write(CLIPS["fellow.wav"].pcm.tobytes())
    assert kind_of(path, "pcm16") is PcmFileReader
    assert error_of(path, "auto") is UnsupportedFormat
    assert error_of(path, "pcm16", sample_rate_hz=7) is BadRequest


def test_packets_without_boundaries_need_their_size(write: Write) -> None:
    packets = encode_packets(CLIPS["fellow.wav"].pcm, constant_rate=True)
    path = write(b"".join(packets))
    assert error_of(path, "opus") is OpusWithoutBoundaries
    assert kind_of(path, "opus", opus_packet_bytes=len(packets[0])) is OpusFileReader
    assert error_of(path, "opus", opus_packet_bytes=0) is AudioError
    assert error_of(path, "opus", opus_packet_bytes=4001) is AudioError


def test_packets_run_together_are_not_taken_for_framed_ones(write: Write) -> None:
    assert error_of(write(b"".join(PACKETS)), "opus") is OpusWithoutBoundaries


@pytest.mark.parametrize("data", [NOISE, b"\xff\xff", b"ffconcat version 1.0\nfile x.flac\n"])
def test_audio_declared_as_opus_that_is_not_is_rejected_with_advice(
    write: Write, data: bytes
) -> None:
    assert error_of(write(data), "opus") is OpusWithoutBoundaries


def test_a_few_packets_and_a_fault_are_a_broken_stream(write: Write) -> None:
    few = b"".join(map(pack, PACKETS[:3]))
    assert error_of(write(few + b"\xff\xff"), "opus") is AudioError
    assert error_of(write(few[:-5]), "opus") is AudioError


@pytest.mark.parametrize("audio_format", ["auto", "wav", "mp3", "ogg"])
def test_noise_is_of_no_format(write: Write, audio_format: str) -> None:
    assert error_of(write(NOISE), audio_format) is UnsupportedFormat


@pytest.mark.parametrize("audio_format", ["auto", "wav", "opus", "pcm16"])
def test_an_empty_file_is_empty(write: Write, audio_format: str) -> None:
    assert error_of(write(b""), audio_format) is EmptyAudio
