import contextlib
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.cluster.wire.messages import (
    MAX_BEATS_BYTES,
    MAX_FRAME_BYTES,
    MAX_HEAD_BYTES,
    MAX_JOB_BYTES,
    AnswerFrame,
    AnswerReader,
    Beat,
    Done,
    ErrorFrame,
    RemoteError,
    audio_s_of,
    pack_job,
    parse_head,
    parse_job,
    read_done,
)
from auricle.values.errors import BadRequest, LocalProtocolError, RemoteProtocolError, TooLarge
from auricle.values.limits import MAX_HOTWORD_CHARACTERS, MAX_HOTWORDS, MAX_PROMPT_CHARACTERS
from auricle.values.types import (
    MAX_BEAM_SIZE,
    MAX_JOB_SAMPLES,
    ClientId,
    Job,
    JobId,
    JobKind,
    Options,
    Segment,
    Task,
    Timing,
    Transcript,
    Word,
)
from auricle.workers.kinds.asr.messages import MAX_TEXT_CHARS
from auricle.workers.wire.framing import LENGTH, pack

pytestmark = pytest.mark.unit

SAMPLES = 1600
JOB = Job(
    id=JobId("a#1"),
    pcm=np.arange(SAMPLES, dtype=np.int16),
    options=Options(
        language="de",
        task=Task.TRANSLATE,
        beam_size=3,
        initial_prompt="Guten Tag",
        hotwords=("Auricle", "Ohr"),
        word_timestamps=True,
        is_chunk=True,
        sentence_times=False,
        prefix_tokens=(1, 50_000),
        is_partial=True,
        languages=("de", "en"),
        model="parakeet",
        strict_language=True,
    ),
    kind=JobKind.SPECULATIVE,
    client=ClientId("alice"),
    utterance="s/3",
    max_wait_s=9.0,
    max_start_s=2.5,
    reservation="r1",
    trace_id="t",
)
TRANSCRIPT = Transcript(
    text="hello there",
    language="en",
    language_probability=0.9,
    duration_samples=SAMPLES,
    segments=(
        Segment(0, 800, " hello", (Word(10, 700, " hello", 0.8, (7, 8)),), -0.2, 0.1, 1.5, 0.2),
        Segment(800, SAMPLES, " there"),
    ),
    timing=Timing(1.0, 20.0, 3.0, 400.0),
    attempts=2,
)


def plain_job(samples: int = SAMPLES, **fields: Any) -> Job:
    return Job(JobId("a"), np.ones(samples, np.int16), **fields)


def with_head(change: Callable[[dict[str, Any]], None], pcm: bytes = b"\1\0") -> bytes:
    """Return a good job's body with its head changed."""
    body = pack_job(plain_job(), max_wait_s=None)
    (length,) = LENGTH.unpack_from(body)
    head = msgspec.msgpack.decode(body[LENGTH.size : LENGTH.size + length])
    change(head)
    packed = msgspec.msgpack.encode(head)
    return LENGTH.pack(len(packed)) + packed + pcm


def options_of(head: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = head["options"]
    return options


def done(id: str = JOB.id, spent_s: float = 0.5, **changes: Any) -> Done:
    return Done(id, replace(TRANSCRIPT, **changes), spent_s)


def frames_of(data: bytes, cut: int = 1_000_000) -> list[AnswerFrame]:
    reader, frames = AnswerReader(), list[AnswerFrame]()
    for begin in range(0, len(data), cut):
        reader.receive_data(data[begin : begin + cut])
        while not (frames and isinstance(frames[-1], Done | ErrorFrame)):
            if (frame := reader.next_frame()) is None:
                break
            frames.append(frame)
    return frames


def test_a_job_arrives_whole() -> None:
    job = parse_job(pack_job(JOB, max_wait_s=4.5))
    assert job.admitted_upstream
    assert job.pcm.tobytes() == JOB.pcm.tobytes()
    assert job.options == JOB.options
    assert (job.id, job.kind, job.client, job.utterance) == ("a#1", JOB.kind, "alice", "s/3")
    assert (job.max_wait_s, job.max_start_s) == (4.5, 2.5)
    assert (job.reservation, job.trace_id) == (None, "t")


def test_what_is_on_the_wire_is_pinned() -> None:
    body = pack_job(plain_job(2), max_wait_s=None)
    (length,) = LENGTH.unpack_from(body)
    assert body[:4] == bytes([length & 255, length >> 8, 0, 0])
    assert body[4 + length :] == b"\1\0\1\0"
    assert msgspec.msgpack.decode(body[4 : 4 + length]) == {
        "id": "a",
        "kind": "final",
        "client": "anonymous",
        "utterance": "a",
        "max_wait_s": None,
        "max_start_s": None,
        "admitted_upstream": False,
        "trace_id": "",
        "options": {
            "language": None,
            "task": "transcribe",
            "beam_size": 5,
            "initial_prompt": None,
            "hotwords": [],
            "word_timestamps": False,
            "is_chunk": False,
            "sentence_times": True,
            "prefix_tokens": [],
            "is_partial": False,
            "languages": [],
            "model": "",
            "strict_language": False,
        },
    }
    assert pack(Beat()).hex() == "0b00000081a474797065a442656174"
    assert msgspec.msgpack.decode(pack(ErrorFrame(RemoteError("c", "m", 3)))[4:]) == {
        "type": "ErrorFrame",
        "error": {"code": "c", "message": "m", "retry_after_s": 3},
    }


def test_every_option_there_is_goes_along() -> None:
    changed = [
        f for f in Options.__dataclass_fields__ if getattr(JOB.options, f) != getattr(Options(), f)
    ]
    assert changed == list(Options.__dataclass_fields__), "JOB is to differ in each"


@pytest.mark.parametrize("length", [1, 2, 30 * 16_000])
def test_audio_up_to_thirty_seconds_is_sent(length: int) -> None:
    body = pack_job(plain_job(length), max_wait_s=None)
    assert parse_job(body).pcm.size == length
    assert len(body) <= MAX_JOB_BYTES


def test_the_length_of_the_audio_does_not_include_the_head() -> None:
    options = Options(hotwords=("x" * 100,) * 500)
    job = plain_job(16_000, options=options)
    assert audio_s_of(pack_job(job, max_wait_s=None)) == job.audio_s == 1.0


def test_longer_audio_is_not() -> None:
    with pytest.raises(ValueError, match="480001"):
        pack_job(plain_job(MAX_JOB_SAMPLES + 1), max_wait_s=None)
    too_long = with_head(lambda head: None, b"\0" * (2 * MAX_JOB_SAMPLES + 2))
    with pytest.raises(RemoteProtocolError):
        parse_job(too_long)
    with pytest.raises(TooLarge):
        parse_job(bytes(MAX_JOB_BYTES + 1))


def test_a_head_has_its_bound_at_both_ends() -> None:
    spare = MAX_HEAD_BYTES - 1000
    long = plain_job(options=Options(initial_prompt="x" * spare))
    received = parse_job(pack_job(long, max_wait_s=1))
    assert received.options == long.options
    with pytest.raises(BadRequest):
        pack_job(plain_job(options=Options(initial_prompt="x" * MAX_HEAD_BYTES)), max_wait_s=1)
    with pytest.raises(RemoteProtocolError):
        parse_job(
            with_head(lambda head: options_of(head).update(initial_prompt="x" * MAX_HEAD_BYTES))
        )


def test_the_longest_options_that_a_client_may_send_fit() -> None:
    options = Options(
        initial_prompt="\U0001f600" * MAX_PROMPT_CHARACTERS,
        hotwords=("\U0001f600" * MAX_HOTWORD_CHARACTERS,) * MAX_HOTWORDS,
    )
    assert parse_job(pack_job(plain_job(options=options), max_wait_s=1)).options == options


@pytest.mark.parametrize(
    "options", [Options(initial_prompt="\ud800"), Options(prefix_tokens=(2**70,))]
)
def test_what_can_not_be_written_is_the_callers_fault(options: Options) -> None:
    with pytest.raises(BadRequest):
        pack_job(plain_job(options=options), max_wait_s=None)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda head: head.update(more=1), id="an unknown field"),
        pytest.param(lambda head: head.pop("id"), id="a missing field"),
        pytest.param(lambda head: head.update(kind="best"), id="an unknown kind"),
        pytest.param(lambda head: options_of(head).update(task="sing"), id="an unknown task"),
        pytest.param(lambda head: options_of(head).update(beam_size=0), id="no beam"),
        pytest.param(
            lambda head: options_of(head).update(beam_size=MAX_BEAM_SIZE + 1), id="a huge beam"
        ),
        pytest.param(
            lambda head: options_of(head).update(beam_size=2**63), id="a beam beyond numbers"
        ),
        pytest.param(lambda head: head.update(max_wait_s=math.nan), id="NaN"),
        pytest.param(lambda head: head.update(max_wait_s=math.inf), id="infinity"),
        pytest.param(lambda head: head.update(max_wait_s=-1.0), id="the past"),
        pytest.param(lambda head: head.update(max_start_s=0.0), id="a start in the past"),
        pytest.param(lambda head: head.update(admitted_upstream="yes"), id="a wrong type"),
        pytest.param(lambda head: options_of(head).update(prefix_tokens=["x"]), id="no number"),
        pytest.param(lambda head: options_of(head).update(more=1), id="an unknown option"),
        pytest.param(lambda head: options_of(head).pop("is_chunk"), id="a missing option"),
        pytest.param(lambda head: head.update(options={}), id="no options"),
    ],
)
def test_a_head_is_checked(change: Callable[[dict[str, Any]], None]) -> None:
    assert parse_head(with_head(lambda head: None)), "the unchanged one is good"
    with pytest.raises(RemoteProtocolError):
        parse_head(with_head(change))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\1\0", id="half a length"),
        pytest.param(LENGTH.pack(0) + b"\0\0", id="no head"),
        pytest.param(LENGTH.pack(100) + b"\x80", id="less than announced"),
        pytest.param(LENGTH.pack(1) + b"\x80\0\0", id="an empty head"),
        pytest.param(LENGTH.pack(3) + b"\xc1\xc1\xc1\0\0", id="no msgpack"),
        pytest.param(LENGTH.pack(60_000) + b"\x91" * 60_000 + b"\0\0", id="too deep"),
        pytest.param(with_head(lambda head: None, b""), id="no audio"),
        pytest.param(with_head(lambda head: None, b"\0\0\0"), id="half a sample"),
    ],
)
def test_what_is_no_job_is_refused(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_job(body)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_job_or_blamed_on_the_peer(body: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        assert parse_job(body).pcm.size


def test_a_transcript_arrives_whole() -> None:
    (frame,) = frames_of(pack(Done(JOB.id, TRANSCRIPT, 0.5)))
    assert isinstance(frame, Done)
    assert frame.spent_s == 0.5
    assert read_done(frame, JOB) == TRANSCRIPT


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 50, 1000])
def test_any_cut_of_an_answer_gives_the_same_frames(cut: int) -> None:
    sent: list[AnswerFrame] = [Beat(), Beat(), Done(JOB.id, TRANSCRIPT, 0.5)]
    assert frames_of(b"".join(map(pack, sent)), cut) == sent


def test_an_incomplete_frame_is_waited_for() -> None:
    data = pack(ErrorFrame(RemoteError("bad_audio", "no")))
    reader = AnswerReader()
    reader.receive_data(data[:-1])
    assert reader.next_frame() is None
    reader.receive_data(data[-1:])
    assert reader.next_frame() == ErrorFrame(RemoteError("bad_audio", "no"))


def test_nothing_is_read_after_the_last_frame() -> None:
    reader = AnswerReader()
    reader.receive_data(pack(ErrorFrame(RemoteError("bad_audio", "no"))) + pack(Beat()))
    reader.next_frame()
    with pytest.raises(LocalProtocolError):
        reader.next_frame()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(LENGTH.pack(0), id="an empty frame"),
        pytest.param(LENGTH.pack(MAX_FRAME_BYTES + 1), id="a huge frame, before it is there"),
        pytest.param(b"<html><body>", id="a page"),
        pytest.param(LENGTH.pack(2) + b"\xc1\xc1", id="no msgpack"),
        pytest.param(LENGTH.pack(1000) + b"\x91" * 1000, id="too deep"),
        pytest.param(pack(Beat()).replace(b"Beat", b"Heat"), id="an unknown frame"),
        pytest.param(
            pack(ErrorFrame(RemoteError("code", "mess"))).replace(b"mess", b"m\xc3ss"), id="no text"
        ),
        pytest.param(pack(Beat()) * (MAX_BEATS_BYTES // 15 + 1), id="beats without end"),
    ],
)
def test_what_is_no_answer_is_blamed_on_the_recogniser(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        frames_of(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_frames_or_blamed_on_the_recogniser(data: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        frames_of(data, 13)


SEGMENT = Segment(0, SAMPLES, " x")


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "b"},
        {"duration_samples": SAMPLES + 1},
        {"text": "x" * (MAX_TEXT_CHARS + 1)},
        {"language_probability": 1.1},
        {"language_probability": math.nan},
        {"attempts": 0},
        {"attempts": 2**40},
        {"spent_s": math.inf},
        {"spent_s": -1.0},
        {"timing": Timing(0, 0, 0, math.nan)},
        {"timing": Timing(0, -1, 0, 0)},
        {"segments": (replace(SEGMENT, end_sample=SAMPLES + 1),)},
        {"segments": (replace(SEGMENT, avg_logprob=math.inf),)},
    ],
)
def test_an_impossible_transcript_is_blamed_on_the_recogniser(changes: dict[str, Any]) -> None:
    assert read_done(done(segments=(SEGMENT,)), JOB).segments[0].text == " x"
    with pytest.raises(RemoteProtocolError):
        read_done(done(**changes), JOB)
