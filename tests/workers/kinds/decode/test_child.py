"""Real decode workers, spoken to over real pipes."""

import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from msgspec import structs

from auricle.protocol.framing import pack as pack_packet
from auricle.values.errors import (
    AudioError,
    EmptyAudio,
    OpusWithoutBoundaries,
    TooLong,
    UnsupportedFormat,
)
from auricle.values.types import MAX_JOB_SAMPLES, SAMPLE_RATE_HZ, OpusPacket, Source
from auricle.workers.child.channel import EXIT_PROTOCOL, EXIT_STOPPED
from auricle.workers.kinds.decode.messages import DecodeStep, StartDecode, StepDone, StepFailed
from auricle.workers.wire.messages import CloseStream, Message, StopWorker, Submit, WorkerReady
from tests.support.child import Child
from tests.support.clips import CLIPS, TESTDATA

pytestmark = pytest.mark.process

MODULE = "auricle.workers.kinds.decode.child"
HOUR_SAMPLES = 3600 * SAMPLE_RATE_HZ
START = StartDecode(HOUR_SAMPLES, 512 * 2**20, MAX_JOB_SAMPLES)
STORY = TESTDATA / "story.ogg"
PAIR = TESTDATA / "pair.wav"


def step(path: str | Path, from_sample: int = 0, **changes: Any) -> DecodeStep:
    """Return a step; ``changes`` are fields of the step or of its source."""
    of_source = {name: changes.pop(name) for name in tuple(changes) if hasattr(Source(""), name)}
    fields: dict[str, Any] = {"stream": "s"} | changes
    source = Source("", **of_source)
    return DecodeStep(path=os.fsencode(path), source=source, from_sample=from_sample, **fields)


def started(start: StartDecode = START) -> Child:
    child = Child(MODULE)
    child.send(start)
    assert isinstance(child.receive(), WorkerReady)
    return child


@pytest.fixture(scope="module")
def shared() -> Iterator[Child]:
    """One worker for all the tests that leave it as it was."""
    with started() as child:
        yield child
        child.send(StopWorker())
        assert child.wait() == EXIT_STOPPED


@pytest.fixture
def child() -> Iterator[Child]:
    with started() as child:
        yield child


def ask(child: Child, request: DecodeStep) -> StepDone | StepFailed:
    child.send(Submit(1, 30.0, request))
    answer = child.receive()
    assert isinstance(answer, StepDone | StepFailed)
    return answer


def done(child: Child, request: DecodeStep) -> StepDone:
    answer = ask(child, request)
    assert isinstance(answer, StepDone), answer
    return answer


def chunk(child: Child, path: Path, from_sample: int = 0, **changes: object) -> StepDone:
    """Return the first step with a chunk: on a slow machine a step ends before it has found one."""
    answer = done(child, step(path, from_sample, **changes))
    while not answer.pcm:
        assert not answer.done
        answer = done(child, step(path, answer.next_sample, **changes))
    return answer


def failed(child: Child, request: DecodeStep) -> StepFailed:
    answer = ask(child, request)
    while isinstance(answer, StepDone) and not answer.done:  # a slow machine takes several steps
        answer = ask(child, structs.replace(request, from_sample=answer.next_sample))
    assert isinstance(answer, StepFailed), answer
    assert request.path is not None
    assert os.fsdecode(request.path) not in answer.message
    assert answer.message.endswith(".")
    return answer


def read_all(child: Child, path: Path, **changes: object) -> list[StepDone]:
    answers: list[StepDone] = []
    place = 0
    while True:
        answers.append(done(child, step(path, place, **changes)))
        if answers[-1].done:
            return answers
        place = answers[-1].next_sample


def spans(answers: list[StepDone]) -> list[tuple[int, int]]:
    return [(answer.start_sample, len(answer.pcm) // 2) for answer in answers if answer.pcm]


def test_ready_reports_its_pid_and_memory() -> None:
    with Child(MODULE) as child:
        child.send(START)
        reply = child.receive()
        assert isinstance(reply, WorkerReady)
        assert reply.pid == child.process.pid


def test_a_file_comes_in_chunks_and_then_its_end(shared: Child) -> None:
    answers = read_all(shared, PAIR)
    first, second = (answer for answer in answers if answer.pcm)
    expected = CLIPS["pair.wav"].pcm
    for chunk in (first, second):
        pcm = np.frombuffer(chunk.pcm, "<i2")
        assert np.array_equal(pcm, expected[chunk.start_sample : chunk.start_sample + pcm.size])
    last = answers[-1]
    assert (last.fraction, last.duration_samples, last.pcm) == (1.0, expected.size, b"")
    assert last.next_sample == expected.size


@pytest.mark.parametrize(
    ("name", "audio_format"),
    [
        ("fellow.wav", "wav"),
        ("fellow.flac", "auto"),
        ("fellow.mp3", "mp3"),
        ("fellow.m4a", "m4a"),
        ("fellow.ogg", "ogg"),
        ("fellow.webm", "webm"),
        ("fellow.webm", "opus"),
        ("fellow.ogg", "wav"),
        ("fellow.opus-packets", "opus"),
        ("fellow.opus-packets", "auto"),
    ],
)
def test_the_speech_in_every_format_comes_with_where_it_lies(
    shared: Child, name: str, audio_format: str
) -> None:
    answers = read_all(shared, TESTDATA / name, audio_format=audio_format)
    ((start, samples),) = spans(answers)
    assert 0 <= start < SAMPLE_RATE_HZ // 5
    assert abs(start + samples - CLIPS[name].samples) < SAMPLE_RATE_HZ // 3  # silence at its end
    (answer,) = (answer for answer in answers if answer.pcm)
    assert abs(answer.voiced[0][0] - 0.36 * SAMPLE_RATE_HZ) < SAMPLE_RATE_HZ // 10
    assert abs(answer.voiced[-1][1] - 5.6 * SAMPLE_RATE_HZ) < SAMPLE_RATE_HZ // 10


def test_raw_samples_are_resampled(shared: Child, tmp_path: Path) -> None:
    path = tmp_path / "raw"
    path.write_bytes(np.repeat(CLIPS["fellow.wav"].pcm, 2).astype("<i2").tobytes())
    answers = read_all(shared, path, audio_format="pcm16", sample_rate_hz=32_000)
    assert abs(answers[-1].duration_samples - CLIPS["fellow.wav"].samples) <= 2
    assert len(spans(answers)) == 1


def test_files_are_read_side_by_side(shared: Child) -> None:
    alone = {path: spans(read_all(shared, path)) for path in (STORY, PAIR)}
    found: dict[Path, list[tuple[int, int]]] = {STORY: [], PAIR: []}
    places = {STORY: 0, PAIR: 0}
    waiting = [STORY, PAIR]
    while waiting:
        path = waiting.pop(0)
        answer = done(shared, step(path, places[path], stream=path.name))
        places[path] = answer.next_sample
        found[path] += spans([answer])
        if not answer.done:
            waiting.append(path)
    assert found == alone


def test_a_file_continues_in_another_worker_where_this_one_died(shared: Child) -> None:
    expected = spans(read_all(shared, STORY))
    assert len(expected) > 2
    with started() as first:
        answer = chunk(first, STORY)
        first.process.kill()
    rest, place = [], answer.next_sample
    while True:
        last = done(shared, step(STORY, place, stream="resumed"))
        rest += spans([last])
        place = last.next_sample
        if last.done:
            break
    assert spans([answer]) == expected[:1]
    assert rest == expected[1:]
    assert last.duration_samples == 556_778


def test_a_step_at_another_place_opens_the_file_again(shared: Child) -> None:
    first = chunk(shared, STORY, stream="again")
    assert chunk(shared, STORY, stream="again").pcm == first.pcm
    later = chunk(shared, STORY, first.next_sample, stream="again")
    assert later.start_sample >= first.next_sample
    shared.send(CloseStream("again"))


def test_a_closed_stream_keeps_no_file_open(child: Child) -> None:
    process = psutil.Process(child.process.pid)
    before = process.num_fds() if hasattr(process, "num_fds") else 0
    for number in range(5):
        done(child, step(STORY, stream=f"open {number}"))
    for number in range(6):
        child.send(CloseStream(f"open {number}"))
    assert failed(child, step("/no/such/file")).code == AudioError.code
    after = process.num_fds() if hasattr(process, "num_fds") else 0
    assert after == before


def test_more_open_files_than_it_keeps_are_all_read(child: Child) -> None:
    names = [f"s{number}" for number in range(34)]
    places = {name: chunk(child, PAIR, stream=name).next_sample for name in names}
    seconds = [chunk(child, PAIR, places[name], stream=name) for name in names]
    assert len({(second.start_sample, len(second.pcm)) for second in seconds}) == 1


Write = Callable[[bytes], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(data: bytes) -> str:
        path = tmp_path / "upload"
        path.write_bytes(data)
        return str(path)

    return write


WAV = (TESTDATA / "fellow.wav").read_bytes()
PACKETS = (TESTDATA / "fellow.opus-packets").read_bytes()
NOISE = np.random.default_rng(3).bytes(50_000)


def wav_of_rate(rate_hz: int) -> bytes:
    return WAV[:24] + struct.pack("<I", rate_hz) + WAV[28:]


@pytest.mark.parametrize(
    ("data", "audio_format", "code"),
    [
        (b"", "auto", EmptyAudio.code),
        (b"", "opus", EmptyAudio.code),
        (WAV[:44], "wav", EmptyAudio.code),
        (NOISE, "auto", UnsupportedFormat.code),
        (NOISE, "opus", OpusWithoutBoundaries.code),
        (b"ffconcat version 1.0\nfile story.ogg\n", "auto", UnsupportedFormat.code),
        (b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n", "wav", UnsupportedFormat.code),
        (b"#EXTM3U\n#EXTINF:10,\nstory.ogg\n", "mp3", UnsupportedFormat.code),
        (PACKETS + b"\xff\xff", "opus", AudioError.code),
        (PACKETS[:-5], "opus", AudioError.code),
        (wav_of_rate(7), "wav", AudioError.code),
        (wav_of_rate(1_000_000), "wav", AudioError.code),
        (wav_of_rate(0x7FC00000), "wav", AudioError.code),
        ((TESTDATA / "fellow.m4a").read_bytes()[:9000], "m4a", AudioError.code),
        ((TESTDATA / "fellow.flac").read_bytes()[:60], "flac", AudioError.code),
    ],
)
def test_bad_files_get_the_code_that_says_why(
    shared: Child, write: Write, data: bytes, audio_format: str, code: str
) -> None:
    assert failed(shared, step(write(data), audio_format=audio_format)).code == code
    assert len(read_all(shared, PAIR)) >= 2  # and the worker is well


def test_a_lying_wav_gives_what_is_there(shared: Child, write: Write) -> None:
    path = Path(write(WAV[:40] + b"\xff\xff\xff\x7f" + WAV[44:]))
    assert read_all(shared, path)[-1].duration_samples == CLIPS["fellow.wav"].samples


def test_ten_hours_in_a_megabyte_stop_at_the_cap(shared: Child, write: Write) -> None:
    hours = pack_packet(OpusPacket(b"\x0b\x06")) * 262_144  # six empty frames: 120 ms in 2 bytes
    assert len(hours) == 2**20
    request = step(write(hours), audio_format="opus")
    assert failed(shared, request).code == TooLong.code


@pytest.mark.skipif("os.name != 'posix' or os.geteuid() == 0", reason="root may read everything")
def test_a_file_that_may_not_be_read_is_reported(shared: Child, write: Write) -> None:
    path = write(WAV)
    os.chmod(path, 0)
    assert failed(shared, step(path)).code == AudioError.code


def test_a_folder_is_no_audio(shared: Child, tmp_path: Path) -> None:
    assert failed(shared, step(tmp_path)).code == AudioError.code


def test_stop_ends_it_with_0(child: Child) -> None:
    done(child, step(STORY))
    child.send(StopWorker())
    assert child.wait() == EXIT_STOPPED
    assert child.stderr() == ""


def test_a_closed_pipe_ends_it(child: Child) -> None:
    child.close_stdin()
    assert child.wait() == EXIT_STOPPED


@pytest.mark.parametrize("first", [Submit(1, 30.0, step(PAIR)), StopWorker()])
def test_anything_before_the_start_is_refused(first: Message) -> None:
    with Child(MODULE) as child:
        child.send(first)
        assert child.wait() == EXIT_PROTOCOL
