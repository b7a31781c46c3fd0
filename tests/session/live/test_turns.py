"""Turns that end when they sound finished: finals, eager finals and failures."""

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from auricle.session.turn_end import ANSWER_S
from auricle.values.commands import Flush, Stop, StreamParameters, UpdateConfig
from auricle.values.errors import BadRequest, Superseded, TurnsUnavailable
from auricle.values.events import (
    EagerFinal,
    Final,
    SpeechEnded,
    Trigger,
    TurnResumed,
    WarningCode,
    Wire,
)
from auricle.values.types import MAX_TURN_SAMPLES, Job, JobKind, TurnDetection, TurnJob
from tests.session.live.helpers import PAIR_AND_SILENCE, SECOND, codes
from tests.support.session import Answer, Judged, Rig, echo, silence, utterances

pytestmark = pytest.mark.unit

LONG_PAIR = np.concatenate([PAIR_AND_SILENCE, silence(4)])


def turns_rig(judge_with: Callable[[TurnJob], Judged] | None, **changes: Any) -> Rig:
    values: dict[str, Any] = {"format": Wire.PCM16, "language": "en", "turn_detection": True}
    return Rig(parameters=StreamParameters(**(values | changes)), judge_with=judge_with)


def plain(pcm: np.ndarray = LONG_PAIR) -> Rig:
    rig = turns_rig(None, turn_detection=False)
    rig.speak_pcm(pcm)
    return rig


def test_a_turn_that_sounds_finished_ends_earlier_with_the_same_text() -> None:
    rig, by_silence = turns_rig(lambda job: 1.0), plain()
    rig.speak_pcm(LONG_PAIR)
    assert utterances(rig) == utterances(by_silence)
    assert [(final.trigger, final.end_of_turn) for final in rig.finals] == [
        (Trigger.MODEL, 1.0)
    ] * 2
    assert [(final.trigger, final.end_of_turn) for final in by_silence.finals] == [(None, None)] * 2
    for earlier, later in zip(rig.finals, by_silence.finals, strict=True):
        assert earlier.latency_ms < later.latency_ms
    first, _ = rig.turn_jobs
    assert first.pcm.size <= MAX_TURN_SAMPLES
    assert rig.warnings == []


def test_a_turn_that_sounds_unfinished_waits_for_the_limit() -> None:
    rig = turns_rig(lambda job: 0.2, turn_limit_ms=3000)
    rig.speak_pcm(LONG_PAIR)
    (final,) = rig.finals
    assert (final.trigger, final.end_of_turn) == (Trigger.TIMEOUT, 0.2)
    assert 2990 < final.latency_ms < 3300
    assert len(rig.turn_jobs) == 2


@pytest.mark.parametrize("command", [Stop(), Flush()])
def test_the_client_ends_a_turn(command: Any) -> None:
    rig = turns_rig(lambda job: 0.2)
    rig.speak_pcm(PAIR_AND_SILENCE)
    rig.command(command)
    (final,) = rig.finals
    assert (final.trigger, final.end_of_turn) == (Trigger.MANUAL, 0.2)


@pytest.mark.parametrize("answer", [TurnsUnavailable(), None])
def test_without_an_answer_silence_ends_turns(answer: Judged) -> None:
    rig, by_silence = turns_rig(lambda job: answer), plain()
    rig.speak_pcm(LONG_PAIR)
    assert utterances(rig) == utterances(by_silence)
    assert [(f.trigger, f.end_of_turn) for f in rig.finals] == [(Trigger.TIMEOUT, None)] * 2
    assert codes(rig) == [WarningCode.TURNS_UNAVAILABLE]


def test_without_a_model_silence_ends_turns() -> None:
    rig = turns_rig(None)
    rig.speak_pcm(LONG_PAIR)
    assert utterances(rig) == utterances(plain())
    assert [final.trigger for final in rig.finals] == [Trigger.TIMEOUT] * 2
    assert codes(rig) == [WarningCode.TURNS_UNAVAILABLE]


@pytest.mark.parametrize("delay_s", [0.1, 0.4])
def test_a_late_answer_changes_no_turn(delay_s: float) -> None:
    def judge(job: TurnJob) -> float:
        return 0.9 if zlib.crc32(job.pcm.tobytes()) % 2 else 0.1

    prompt = turns_rig(judge, turn_limit_ms=500)
    prompt.speak_pcm(LONG_PAIR)
    late = turns_rig(lambda job: None, turn_limit_ms=500)
    asked: list[tuple[float, TurnJob]] = []
    for at in range(0, LONG_PAIR.size, 320):
        late.speak_pcm(LONG_PAIR[at : at + 320])
        asked += [(late.now, job) for job in late.turn_jobs[len(asked) :]]
        for when, job in asked:
            if when + delay_s <= late.now < when + delay_s + 0.02:
                late.judged(job, judge(job))
    assert delay_s < ANSWER_S
    assert utterances(late) == utterances(prompt)
    assert [final.trigger for final in late.finals] == [final.trigger for final in prompt.finals]


def test_a_session_that_replaces_another_finds_the_same_turns() -> None:
    def judge(job: TurnJob) -> float:
        return zlib.crc32(job.pcm.tobytes()) % 100 / 100

    whole = turns_rig(judge, turn_threshold=0.5)
    pcm = np.concatenate([LONG_PAIR] * 3)
    whole.speak_pcm(pcm)
    safe_sample = whole.finals[1].end_sample
    start_sample = safe_sample - 8 * SECOND
    rest = turns_rig(judge, turn_threshold=0.5, start_sample=start_sample, safe_sample=safe_sample)
    rest.speak_pcm(pcm[start_sample:])
    assert utterances(rest) == utterances(whole)[2:]
    assert [f.end_of_turn for f in rest.finals] == [f.end_of_turn for f in whole.finals[2:]]


def test_an_eager_final_has_the_text_of_the_final() -> None:
    rig = turns_rig(
        lambda job: 0.5, turn_threshold=0.7, turn_eager_threshold=0.4, turn_limit_ms=500
    )
    rig.speak_pcm(LONG_PAIR)
    eager, finals = rig.of(EagerFinal), rig.finals
    assert [(e.utterance, e.text, e.start_sample, e.end_sample) for e in eager] == [
        (f.utterance, f.text, f.start_sample, f.end_sample) for f in finals
    ]
    assert {e.probability for e in eager} == {0.5}
    order = [type(e) for e in rig.events if isinstance(e, EagerFinal | Final | SpeechEnded)]
    assert order == [EagerFinal, SpeechEnded, Final] * 2
    assert rig.of(TurnResumed) == []


def test_an_eager_final_is_withdrawn_if_speech_continues() -> None:
    rig = turns_rig(
        lambda job: 0.5, turn_threshold=0.7, turn_eager_threshold=0.4, turn_limit_ms=3000
    )
    rig.speak_pcm(LONG_PAIR)
    first, second = rig.of(EagerFinal)
    (resumed,) = rig.of(TurnResumed)
    (final,) = rig.finals
    order = [event for event in rig.events if event in (first, second, resumed, final)]
    assert order == [first, resumed, second, final]
    assert first.text != second.text == final.text
    assert resumed.utterance == final.utterance


@pytest.mark.parametrize("eager", [True, False])
def test_a_speculative_final_that_failed_is_repeated_once_for_an_eager_final(eager: bool) -> None:
    def answer(job: Job) -> Answer:
        failures = [other for other in rig.jobs_of(JobKind.SPECULATIVE) if other is not job]
        is_first = job.kind is JobKind.SPECULATIVE and not failures
        return Superseded("shed") if is_first else echo(job)

    threshold = {"turn_eager_threshold": 0.4} if eager else {}
    rig = turns_rig(lambda job: 0.2 if not eager else 0.5, turn_threshold=0.7, **threshold)
    rig.answer_with = answer
    rig.speak_pcm(np.concatenate([PAIR_AND_SILENCE[: 2 * SECOND], silence(2)]))
    assert len(rig.of(EagerFinal)) == eager
    assert len(rig.jobs_of(JobKind.SPECULATIVE)) == 1 + eager


def test_no_eager_final_without_text_or_below_its_threshold() -> None:
    rig = turns_rig(
        lambda job: 0.3, turn_threshold=0.7, turn_eager_threshold=0.4, turn_limit_ms=500
    )
    rig.speak_pcm(LONG_PAIR)
    assert rig.of(EagerFinal) == []
    assert len(rig.finals) == 2


def test_channels_have_their_own_turns() -> None:
    alone = turns_rig(lambda job: 1.0)
    alone.speak_pcm(LONG_PAIR)
    later = np.concatenate([silence(0.8), LONG_PAIR])[: LONG_PAIR.size]
    rig = turns_rig(lambda job: None, channels=2, multichannel=True)
    asked = 0
    stereo = np.column_stack([LONG_PAIR, later]).reshape(-1)
    for at in range(0, stereo.size, 640):
        rig.wait(0.02)
        rig.send(stereo[at : at + 640].tobytes())
        for job in rig.turn_jobs[asked:]:
            rig.judged(job, 1.0)
        asked = len(rig.turn_jobs)
    finals = [final for final in rig.finals if final.channel == 0]
    assert [(f.start_sample, f.end_sample, f.text) for f in finals] == utterances(alone)
    assert [(f.channel, f.trigger) for f in rig.finals] == [
        (channel, Trigger.MODEL) for channel in (0, 1, 0, 1)
    ]


def test_turn_detection_changes_in_mid_stream() -> None:
    rig = turns_rig(lambda job: 0.9, turn_detection=False)
    rig.speak_pcm(LONG_PAIR)
    rig.command(UpdateConfig(turns=TurnDetection()))
    rig.speak_pcm(LONG_PAIR)
    rig.command(UpdateConfig(turns=None))
    rig.speak_pcm(LONG_PAIR)
    model = Trigger.MODEL
    assert [final.trigger for final in rig.finals] == [None, None, model, model, None, None]


@pytest.mark.parametrize(
    "field", [{"turn_threshold": 1.1}, {"turn_eager_threshold": -0.1}, {"turn_limit_ms": 499}]
)
def test_numbers_out_of_range_are_rejected(field: dict[str, float]) -> None:
    with pytest.raises(BadRequest, match=next(iter(field))):
        turns_rig(None, **field)


def test_numbers_request_turn_detection() -> None:
    assert StreamParameters().turns is None
    assert StreamParameters(turn_limit_ms=900).turns == TurnDetection(limit_ms=900)
    assert StreamParameters(turn_detection=True).turns == TurnDetection()
