"""Invariants of a live session under random faults: each final is sent once and in order.

Finals are a pure function of audio and options. They do not depend on how bytes are split, which
jobs the recogniser rejects or delays, or how often the connection is lost.
"""

import functools
import struct
import zlib
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from auricle.protocol.framing import pack
from auricle.session.utterances.final import MAX_FAILURES
from auricle.values.commands import Ack, Discard, Flush, Stop, StreamParameters
from auricle.values.errors import (
    AuricleError,
    NoWorkerReady,
    Overloaded,
    Superseded,
    TurnsUnavailable,
    WorkerError,
)
from auricle.values.events import (
    Closed,
    Discarded,
    EagerFinal,
    Final,
    Finalized,
    Flushed,
    Ready,
    SessionEvent,
    SpeechEnded,
    SpeechStarted,
    Trigger,
    TurnResumed,
    Wire,
)
from auricle.values.types import Job, JobKind, TurnJob
from tests.support.clips import CLIPS
from tests.support.opus import encode_packets
from tests.support.session import Answer, Judged, Rig, echo, silence, utterances

pytestmark = pytest.mark.unit

FRAME = 320
PAIR, SHORT = CLIPS["pair.wav"].pcm, CLIPS["short.wav"].pcm
CLOSE = SHORT[4000:26_000]
"""Without its silence, so that another utterance may follow it closely."""
SPEECH = np.concatenate([PAIR, silence(0.7), CLOSE, silence(0.4), CLOSE, silence(0.7)])
SPEECH = SPEECH[: SPEECH.size // FRAME * FRAME]
PACKETS = encode_packets(SPEECH)
FRAMES = len(PACKETS)
TUNE_IN = 6 * 16_000
NEARLY = 16_000 // 10
"""Noise that a detector without warm-up may detect as speech."""

Spans = list[tuple[int, int, str]]


def message(wire: Wire, first: int, last: int) -> bytes:
    """Return frames as one message."""
    if wire is Wire.PCM16:
        return struct.pack("<Q", first * FRAME) + SPEECH[first * FRAME : last * FRAME].tobytes()
    return b"".join(pack(PACKETS[index], index) for index in range(first, last))


def judge(job: TurnJob) -> float:
    """Return a probability that the audio decides."""
    return zlib.crc32(job.pcm.tobytes()) % 100 / 100


def parameters(
    wire: Wire, start: int = 0, safe: int = 0, *, turns: bool = False
) -> StreamParameters:
    return StreamParameters(
        turn_detection=turns,
        format=wire,
        seq=True,
        language="en",
        start_sample=start,
        safe_sample=safe,
        endpoint_ms=300,
    )


def play(rig: Rig, wire: Wire, first: int, last: int) -> None:
    """Send frames in real time, 60 ms per message."""
    for at in range(first, last, 3):
        rig.wait(0.06)
        rig.send(message(wire, at, min(at + 3, last)))


@functools.cache
def expected(wire: Wire, *, turns: bool = False) -> Spans:
    """Return the finals of an undisturbed session."""
    rig = Rig(parameters=parameters(wire, turns=turns), judge_with=judge)
    play(rig, wire, 0, FRAMES)
    rig.command(Stop())
    if turns:
        assert {final.trigger for final in rig.finals} >= {Trigger.MODEL}
        return utterances(rig)
    samples = [final.end_sample - final.start_sample for final in rig.finals]
    decoded = [int(final.text.partition("-")[0]) for final in rig.finals]
    in_context = [count > own for count, own in zip(decoded, samples, strict=True)]
    assert in_context == [False, False, False, True]
    return utterances(rig)


@dataclass
class Client:
    """Sends all speech over connections that fail, and keeps each final that it receives."""

    rig: Rig
    wire: Wire
    finals: list[Final] = field(default_factory=list)
    sent: int = 0
    is_deaf: bool = False

    def listen(self) -> None:
        """Receive messages, unless they are lost; acknowledge some finals."""
        events, self.rig.events = self.rig.events, []
        if self.is_deaf:
            return
        for event in events:
            if isinstance(event, Ready):
                assert event.safe_sample <= event.received_sample
                self.sent = event.received_sample // FRAME
            elif isinstance(event, Final):
                assert event.id == len(self.finals) + 1
                self.finals.append(event)

    def send(self, frames: int) -> None:
        last = min(self.sent + frames, FRAMES)
        if self.sent < last:
            self.rig.send(message(self.wire, self.sent, last))
            self.sent = last
        self.listen()

    def come_back(self, after_s: float) -> None:
        self.rig.session.detach(self.rig.now)
        self.rig.drain()
        self.rig.wait(after_s)
        self.listen()
        self.is_deaf = False
        self.rig.session.attach(self.rig.now, len(self.finals))
        self.rig.drain()
        self.listen()


NOW, LATER, NEVER = "now", "later", "never"
Fate = str | AuricleError
FATES: st.SearchStrategy[Fate] = st.sampled_from(
    [
        NOW,
        NOW,
        LATER,
        NEVER,
        Overloaded("full", 1),
        NoWorkerReady("starting", 1),
        Superseded("shed"),
        WorkerError("gone"),
    ]
)
STEP = st.tuples(
    st.integers(1, 40),  # frames per message
    st.floats(0.0, 1.0),  # elapsed seconds
    st.sampled_from(["", "", "", "lost", "deaf", "answers", "ack"]),
    st.floats(0.0, 1.0),  # the load
)


class Transcriber:
    """Answers jobs at random; each final gets a result in the end."""

    def __init__(self, fates: list[Fate]) -> None:
        self._fates = fates
        self._jobs = 0
        self._failures: dict[str, int] = {}
        self.late: list[Job] = []

    def __call__(self, job: Job) -> Answer:
        fate = self._fates[self._jobs] if self._jobs < len(self._fates) else NOW
        self._jobs += 1
        if isinstance(fate, WorkerError):
            self._failures[job.utterance] = self._failures.get(job.utterance, 0) + 1
            if self._failures[job.utterance] >= MAX_FAILURES:  # more would make it give up
                fate = NOW
        if isinstance(fate, AuricleError):
            return fate
        if fate == NOW:
            return echo(job)
        if fate == LATER or job.kind in (JobKind.FINAL, JobKind.FILE):
            self.late.append(job)
        return None

    def catch_up(self, rig: Rig) -> None:
        """Deliver the late results, the newest first."""
        while self.late:
            job = self.late.pop()
            answer = echo(job)
            assert answer is not None
            rig.answer(job.id, answer)


WIRES = [(Wire.OPUS, False), (Wire.PCM16, False), (Wire.PCM16, True)]


@pytest.mark.parametrize(("wire", "turns"), WIRES)
@settings(max_examples=15)
@given(steps=st.lists(STEP, max_size=40), fates=st.lists(FATES, max_size=40))
def test_finals_are_a_function_of_the_audio_alone(
    wire: Wire, turns: bool, steps: list[tuple[int, float, str, float]], fates: list[Fate]
) -> None:
    transcriber = Transcriber(fates)
    asked = parameters(wire, turns=turns)
    client = Client(Rig(parameters=asked, answer_with=transcriber, judge_with=judge), wire)
    client.listen()
    for frames, seconds, what, load in steps:
        client.rig.session.set_load(load)
        client.rig.wait(seconds)
        match what:
            case "lost":
                client.come_back(seconds)
            case "deaf":
                client.is_deaf = True
            case "answers":
                transcriber.catch_up(client.rig)
            case "ack":
                client.rig.command(Ack(len(client.finals)))
            case _:
                pass
        client.send(frames)
    client.come_back(0.1)
    client.send(FRAMES)
    client.rig.command(Stop())
    for _ in range(300):
        transcriber.catch_up(client.rig)
        client.rig.wait(5.0)
        if client.rig.session.is_closed:
            break
    assert isinstance(client.rig.events[-1], Closed)
    client.listen()
    spans = [(f.start_sample, f.end_sample, f.text) for f in client.finals]
    assert spans == expected(wire, turns=turns)
    assert all(final.error is None for final in client.finals)


@pytest.mark.parametrize(("wire", "turns"), WIRES)
@settings(max_examples=15)
@given(cut=st.integers(1, FRAMES), is_busy=st.booleans())
def test_what_is_not_safe_is_enough_to_make_the_finals_that_are_missing(
    wire: Wire, turns: bool, cut: int, is_busy: bool
) -> None:
    """A new session receives some seconds before ``safe`` to warm up the voice detector."""
    before = Rig(parameters=parameters(wire, turns=turns), judge_with=judge)
    if is_busy:  # the newest final has not arrived when the server exits
        before.answer_with = lambda job: echo(job) if job.utterance == "S:1" else None
    play(before, wire, 0, cut)
    safe = before.session.safe_sample
    assert safe % FRAME == 0 or wire is Wire.PCM16
    start = max(0, safe - TUNE_IN) // FRAME * FRAME
    after = Rig(parameters=parameters(wire, start, safe, turns=turns), judge_with=judge)
    play(after, wire, start // FRAME, FRAMES)
    after.command(Stop())
    assert utterances(before) + utterances(after) == expected(wire, turns=turns)


@pytest.mark.parametrize("wire", [Wire.OPUS, Wire.PCM16])
@settings(max_examples=15)
@given(cut=st.integers(1, FRAMES))
def test_a_session_from_the_safe_mark_has_every_utterance_once(wire: Wire, cut: int) -> None:
    before = Rig(parameters=parameters(wire))
    play(before, wire, 0, cut)
    first = before.session.safe_sample // FRAME
    after = Rig(parameters=parameters(wire, first * FRAME))
    play(after, wire, first, FRAMES)
    after.command(Stop())
    places = [span[:2] for span in utterances(before) + utterances(after)]
    wanted = [span[:2] for span in expected(wire)]
    assert len(places) == len(wanted)
    assert np.abs(np.array(places) - np.array(wanted)).max() <= NEARLY


@settings(max_examples=15)
@given(cuts=st.lists(st.integers(0, 2 * SPEECH.size), max_size=60).map(sorted))
def test_bytes_may_be_split_anywhere_and_come_at_any_pace(cuts: list[int]) -> None:
    rig = Rig(parameters=StreamParameters(format=Wire.PCM16, language="en", endpoint_ms=300))
    data = SPEECH.tobytes()
    for index, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(data)], strict=True)):
        rig.wait(0.3 * (index % 3))
        rig.send(data[start:end])
    rig.command(Stop())
    assert utterances(rig) == expected(Wire.PCM16)


ORDERS = st.lists(
    st.tuples(
        st.floats(0.0, 2.0),  # seconds of speech
        st.sampled_from(["flush", "flush", "discard", "answers", "", ""]),
    ),
    max_size=30,
)


class Judge:
    """Answers at random, or not at all."""

    def __init__(self, answers: list[Judged]) -> None:
        self._answers = list(answers)

    def __call__(self, job: TurnJob) -> Judged:
        return self._answers.pop() if self._answers else 0.5


ANSWERS: st.SearchStrategy[list[Judged]] = st.lists(
    st.one_of(st.floats(0, 1), st.none(), st.just(TurnsUnavailable())), max_size=20
)


def obey(
    orders: list[tuple[float, str]], fates: list[Fate], answers: list[Judged] | None = None
) -> list[SessionEvent]:
    """Return all events of a session whose client sends this and then stops."""
    transcriber = Transcriber(fates)
    asked = StreamParameters(
        format=Wire.PCM16,
        language="en",
        turn_eager_threshold=None if answers is None else 0.2,
    )
    rig = Rig(parameters=asked, answer_with=transcriber, judge_with=Judge(answers or []))
    sent = 0
    for seconds, what in orders:
        size = int(seconds * 16_000)
        rig.wait(seconds)
        rig.send(np.take(SPEECH, range(sent, sent + size), mode="wrap").tobytes())
        sent += size
        match what:
            case "flush":
                rig.command(Flush())
            case "discard":
                rig.command(Discard())
            case "answers":
                transcriber.catch_up(rig)
            case _:
                pass
    rig.command(Stop())
    for _ in range(300):
        transcriber.catch_up(rig)
        rig.wait(5.0)
        if rig.session.is_closed:
            break
    assert isinstance(rig.events[-1], Closed)
    return rig.events


@settings(max_examples=20)
@given(orders=ORDERS, fates=st.lists(FATES, max_size=40))
def test_every_flush_is_answered_once_and_right_behind_the_words_before_it(
    orders: list[tuple[float, str]], fates: list[Fate]
) -> None:
    started = ended = told = answered = 0
    waiting: list[int] = []
    for event in obey(orders, fates):
        match event:
            case SpeechStarted():
                started += 1
            case SpeechEnded():
                ended += 1
            case Discarded():
                started = ended  # the open utterance has no final
            case Flushed():
                assert started == ended
                waiting.append(ended)
            case Final():
                told += 1
                assert all(told <= wanted for wanted in waiting)
            case Finalized():
                answered += 1
                assert told >= waiting.pop(0)
            case _:
                pass
    assert told == ended == started
    assert answered == [what for _, what in orders].count("flush")


@settings(max_examples=40)
@example([(2.0, "flush")] * 3 + [(1.0, "flush"), (2.0, "flush")], [], [None, 0.0, None])
@given(orders=ORDERS, fates=st.lists(FATES, max_size=40), answers=ANSWERS)
def test_an_eager_final_is_the_final_unless_the_turn_resumes(
    orders: list[tuple[float, str]], fates: list[Fate], answers: list[Judged]
) -> None:
    eager: EagerFinal | None = None
    told = 0
    for event in obey(orders, fates, answers):
        match event:
            case EagerFinal():
                assert eager is None
                assert event.text
                assert event.utterance > told
                eager = event
            case TurnResumed():
                assert eager is not None
                assert event.utterance == eager.utterance
                eager = None
            case Discarded():
                eager = None
            case Final():
                told = event.utterance
                assert event.trigger is not None
                if eager is not None and eager.utterance == told:
                    assert (event.text, event.words) == (eager.text, eager.words)
                    assert (event.start_sample, event.end_sample) == (
                        eager.start_sample,
                        eager.end_sample,
                    )
                    eager = None
            case _:
                pass
    assert eager is None
