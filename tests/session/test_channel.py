"""A channel: what its segmenter finds is recognised."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from auricle.audio.endpointer import EndpointRules
from auricle.engines.whisper.spec import SPEC
from auricle.session.arrivals import ArrivalLog
from auricle.session.channel import Channel
from auricle.session.choice import ModelChoice
from auricle.session.output import Submit
from auricle.session.pace import Pace
from auricle.session.recognition import Recognition, RecognitionOutput
from auricle.session.speakers import SessionSpeakers
from auricle.session.utterances.segmenter import SpeechSegmenter
from auricle.session.utterances.utterance import Caller
from auricle.values.commands import StreamParameters
from auricle.values.events import SpeechEnded, SpeechStarted
from auricle.values.speakers import NO_SPEAKERS
from auricle.values.types import JobId, Options, Pcm16, TurnDetection, TurnJob
from tests.support.clips import CLIPS
from tests.support.models import models_of
from tests.support.session import CLIENT, silence

pytestmark = pytest.mark.unit

SPEECH = CLIPS["short.wav"].pcm
FELLOW = CLIPS["fellow.wav"].pcm
ONSET_END_SAMPLE = 31_744 + 1600
"""0.1 s of a word after a pause."""
QUIET = silence(2)


def channel(
    number: int | None = None, *, resume_sample: int = 0, max_lag_s: float | None = None
) -> Channel:
    segmenter = SpeechSegmenter(EndpointRules(), 0, resume_sample, max_lag_s=max_lag_s)
    return Channel(
        segmenter,
        Recognition(
            Caller("S", CLIENT, {}),
            segmenter,
            ArrivalLog(0),
            Pace(0.0),
            Options(language="en"),
            SessionSpeakers(NO_SPEAKERS, "S", CLIENT, b""),
            wants_partials=False,
            channel=number,
            max_lag_s=max_lag_s,
        ),
    )


def hear(it: Channel, *parts: Pcm16) -> list[RecognitionOutput]:
    pcm = np.concatenate(parts)
    return [
        output
        for at in range(0, pcm.size, 320)
        for output in it.receive(pcm[at : at + 320], at / 16_000)
    ]


def kinds(outputs: list[RecognitionOutput]) -> list[type]:
    return [type(output) for output in outputs if isinstance(output, SpeechStarted | SpeechEnded)]


def test_events_name_their_channel() -> None:
    outputs = hear(channel(3), SPEECH, QUIET)
    assert kinds(outputs) == [SpeechStarted, SpeechEnded]
    events = [each for each in outputs if isinstance(each, SpeechStarted | SpeechEnded)]
    assert {event.channel for event in events} == {3}


def test_a_channel_starts_after_the_finals_that_its_client_has() -> None:
    assert kinds(hear(channel(resume_sample=SPEECH.size + 16_000), SPEECH, QUIET)) == []


@pytest.mark.parametrize("end", [Channel.finalize, Channel.flush, Channel.finish])
def test_an_open_utterance_ends_once(end: Callable[..., list[RecognitionOutput]]) -> None:
    it = channel()
    hear(it, SPEECH)
    assert kinds(end(it, 9.0)) == [SpeechEnded]
    assert it.recognition.has_pending_finals
    assert kinds(end(it, 9.0)) == []


@pytest.mark.parametrize("end", [Channel.finalize, Channel.flush])
def test_a_word_that_has_just_begun_starts_the_next_utterance_if_it_is_spared(
    end: Callable[..., list[RecognitionOutput]],
) -> None:
    onset = FELLOW[:ONSET_END_SAMPLE]
    it = channel()
    hear(it, onset)
    assert kinds(end(it, 9.0)) == [SpeechEnded]
    it = channel()
    hear(it, onset)
    assert kinds(end(it, 9.0, spares_onset=True)) == [SpeechEnded, SpeechStarted]


def test_a_discarded_utterance_has_no_final() -> None:
    it = channel()
    hear(it, SPEECH)
    it.discard()
    assert it.recognition.is_done
    assert not it.segmenter.is_open


def test_audio_without_an_utterance_is_forgotten() -> None:
    it = channel()
    hear(it, silence(10))
    it.forget()
    assert not it.segmenter.holds(0)


def test_audio_of_an_utterance_that_waits_for_an_earlier_final_is_kept() -> None:
    it = channel(max_lag_s=60.0)
    hear(it, SPEECH, QUIET, SPEECH, silence(10))
    unread_sample = it.recognition.unread_sample
    assert unread_sample is not None
    it.forget()
    assert it.segmenter.holds(unread_sample)
    assert not it.segmenter.holds(0)


def test_another_model_limits_utterances_and_decides_about_words() -> None:
    it = channel()
    engine = replace(SPEC, max_audio_s=10.0, has_word_times=False)
    parameters = StreamParameters(language="de")
    for has_word_times in (True, False):
        model = replace(engine, has_word_times=has_word_times)
        choice = ModelChoice.of(parameters, models_of(model))
        it.use(choice)
        assert it.recognition.has_word_times is has_word_times
        assert it.recognition.options.language == "de"
    outputs = hear(it, np.tile(SPEECH, 20 * 16_000 // SPEECH.size))
    starts = [each.at_sample for each in outputs if isinstance(each, SpeechStarted)]
    assert max(after - before for before, after in pairwise(starts)) <= 10 * 16_000


def asked(limit_ms: int = 3000) -> tuple[Channel, TurnJob]:
    """Return a channel in a pause, and its question."""
    it = channel()
    it.detect_turns(TurnDetection(limit_ms=limit_ms), asks=True)
    jobs = [each.job for each in hear(it, SPEECH, QUIET) if isinstance(each, Submit)]
    (job,) = [job for job in jobs if isinstance(job, TurnJob)]
    return it, job


def test_an_answer_ends_a_turn_in_the_audio_that_waited_for_it() -> None:
    it, job = asked()
    assert it.turn_judged(JobId("another"), 1.0, 9.0) == []
    assert kinds(it.turn_judged(job.id, 1.0, 9.0)) == [SpeechEnded]
    assert it.turn_judged(job.id, 1.0, 9.0) == []


def test_a_turn_that_does_not_sound_finished_lasts_until_its_limit() -> None:
    it, job = asked(limit_ms=5000)
    assert kinds(it.turn_judged(job.id, 0.0, 9.0)) == []
    assert kinds(hear(it, silence(1))) == []
    assert kinds(hear(it, silence(3))) == [SpeechEnded]


def test_silence_ends_a_turn_if_no_model_can_be_asked() -> None:
    it = channel()
    it.detect_turns(TurnDetection(), asks=False)
    outputs = hear(it, SPEECH, QUIET)
    assert kinds(outputs) == [SpeechStarted, SpeechEnded]
    jobs = [each.job for each in outputs if isinstance(each, Submit)]
    assert not [job for job in jobs if isinstance(job, TurnJob)]


def test_without_an_answer_silence_ends_the_turn() -> None:
    it, job = asked()
    due_at = it.recognition.turn_end.due_at
    assert it.drop_overdue_turn(due_at - 0.01) == []
    assert kinds(it.drop_overdue_turn(due_at)) == [SpeechEnded]
    assert it.turn_judged(job.id, 1.0, 9.0) == []
