"""Finals, partial transcripts, marks and options of a live session."""

import json
from collections.abc import Callable
from itertools import pairwise
from math import inf

import numpy as np
import pytest

from auricle.apis.native.wire.stream import encode_event
from auricle.values.commands import Configure, Stop, StreamParameters
from auricle.values.errors import BadRequest
from auricle.values.events import (
    Closed,
    Event,
    Final,
    Ready,
    SpeechEnded,
    SpeechStarted,
    Warned,
    WarningCode,
)
from auricle.values.types import LIVE_BEAM_SIZE, Job, JobKind
from tests.session.live.helpers import DAMAGED, FELLOW, PAIR_PACKETS, SECOND, codes
from tests.support.clips import CLIPS
from tests.support.opus import encode_packets
from tests.support.session import Answer, Rig, echo, silence, spoken, transcript

pytestmark = pytest.mark.unit


def said_by(text: str) -> Callable[[Job], Answer]:
    """Answer partials with the first words of a text, two per second of audio."""
    words = text.split()

    def answer(job: Job) -> Answer:
        heard = words[: max(1, job.pcm.size * 2 // SECOND)]
        return spoken(" ".join(heard), job)

    return answer


def test_two_sentences_become_two_finals_and_an_end() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS)
    rig.command(Stop())
    (ready,) = rig.of(Ready)
    assert (ready.session, ready.resumed, ready.resumable) == ("S", False, True)
    assert [final.id for final in rig.finals] == [1, 2]
    assert len(rig.of(SpeechStarted)) == len(rig.of(SpeechEnded)) == 2
    first, second = rig.finals
    assert first.end_sample <= second.start_sample
    (closed,) = rig.of(Closed)
    assert closed.packets == len(PAIR_PACKETS)
    assert closed.audio_samples == len(PAIR_PACKETS) * 320
    assert rig.events[-1] is closed
    assert rig.session.is_closed


def test_a_final_that_was_predicted_needs_no_other_job() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS)
    assert len(rig.jobs_of(JobKind.SPECULATIVE)) == 2
    assert not rig.jobs_of(JobKind.FINAL)
    assert len(rig.finals) == 2
    assert all(final.latency_ms < 600 for final in rig.finals)


def test_captions_become_stable_and_what_is_stable_only_grows() -> None:
    rig = Rig(answer_with=said_by(CLIPS["fellow.wav"].text))
    rig.speak(encode_packets(np.concatenate([FELLOW, silence(1)])))
    assert len(rig.partials) >= 4
    for before, after in pairwise(rig.partials):
        assert after.stable.startswith(before.stable)
    assert rig.partials[-1].stable.startswith("And so my fellow Americans,")
    (final,) = rig.finals
    assert not final.revised


@pytest.mark.parametrize(("language", "is_sent"), [("de", True), (None, False)])
def test_a_language_that_is_hardly_spoken_is_reported_if_it_was_asked_for(
    language: str | None, is_sent: bool
) -> None:
    def answer(job: Job) -> Answer:
        return spoken("so so", job, language_probability=0.001)

    rig = Rig(parameters=StreamParameters(seq=True, language=language), answer_with=answer)
    rig.speak(PAIR_PACKETS)
    assert len(rig.finals) == 2
    assert (WarningCode.LANGUAGE_IMPROBABLE in codes(rig)) is is_sent


def test_a_final_in_another_language_than_requested_follows_its_warning() -> None:
    def answer(job: Job) -> Answer:
        return spoken("so so", job, language="en")

    rig = Rig(parameters=StreamParameters(seq=True, language="ja"), answer_with=answer)
    rig.speak(PAIR_PACKETS)
    assert [final.language for final in rig.finals] == ["en", "en"]
    reported = [event for event in rig.events if isinstance(event, Warned | Final)]
    assert isinstance(reported[0], Warned)
    assert "is in English, not in Japanese" in reported[0].message


@pytest.mark.parametrize("is_strict", [True, False])
def test_jobs_may_be_restricted_to_the_requested_language_from_the_next_utterance_on(
    is_strict: bool,
) -> None:
    rig = Rig(parameters=StreamParameters(seq=True, language="ja", strict_language=is_strict))
    rig.speak(PAIR_PACKETS)
    first = len(rig.jobs)
    rig.command(Configure(strict_language=not is_strict))
    rig.speak(PAIR_PACKETS, len(PAIR_PACKETS))
    assert {job.options.strict_language for job in rig.jobs[:first]} == {is_strict}
    assert rig.jobs[-1].options.strict_language is not is_strict


def test_a_final_has_the_last_word() -> None:
    guess = said_by(CLIPS["fellow.wav"].text)
    rig = Rig(
        answer_with=lambda job: guess(job) if job.kind is JobKind.PARTIAL else echo(job),
    )
    rig.speak(encode_packets(np.concatenate([FELLOW, silence(1)])))
    (final,) = rig.finals
    assert final.revised


def test_every_event_of_a_session_can_be_reported() -> None:
    rig = Rig(parameters=StreamParameters(seq=True, frame_ms=10, word_timestamps=True))
    rig.speak(PAIR_PACKETS[:150])
    rig.speak(PAIR_PACKETS[150:], 170)
    rig.speak([DAMAGED] * 6, 1000)
    rig.command(Stop())
    told = [encode_event(event) for event in rig.events if isinstance(event, Event)]
    kinds = {json.loads(text)["type"] for text in told}
    assert len(told) == len(rig.events)
    assert kinds == {
        "ready",
        "speech_started",
        "speech_ended",
        "final",
        "partial",
        "progress",
        "warning",
        "switch_format",
        "closed",
    }


def test_marks_come_each_second_and_never_go_back() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS)
    rig.command(Stop())
    assert len(rig.marks) >= len(PAIR_PACKETS) // 50
    for before, after in pairwise(rig.marks):
        assert before.received_sample <= after.received_sample
        assert before.safe_sample <= after.safe_sample <= after.received_sample
    for mark in rig.marks[:-1]:
        assert mark.received_sample == (mark.received_seq or 0) * 320 + 320
        assert mark.safe_sample == (-1 if mark.safe_seq is None else mark.safe_seq) * 320 + 320
    last = rig.marks[-1]
    assert last.safe_sample == last.received_sample == len(PAIR_PACKETS) * 320


def test_nothing_is_safe_before_its_final_is_out() -> None:
    rig = Rig(answer_with=lambda job: None)
    rig.speak(PAIR_PACKETS)
    start = rig.jobs[0].pcm.size
    assert start
    assert all(mark.safe_sample <= rig.of(SpeechStarted)[0].at_sample for mark in rig.marks)
    (job,) = [job for job in rig.open_jobs.values() if job.id == "S:1:s1"]
    rig.answer(job.id, transcript("one", job))
    (final,) = rig.finals
    assert rig.of(SpeechStarted)[0].at_sample < rig.marks[-1].safe_sample
    assert rig.marks[-1].safe_sample >= final.end_sample - 320


def test_silence_costs_nothing() -> None:
    rig = Rig()
    rig.speak(encode_packets(silence(20)))
    assert rig.jobs == []
    assert rig.session.wake_at == inf
    assert {type(event).__name__ for event in rig.events} == {"Ready", "AudioProgress"}


def test_without_partials_there_are_none() -> None:
    rig = Rig(parameters=StreamParameters(seq=True, partials=False))
    rig.speak(PAIR_PACKETS)
    assert not rig.jobs_of(JobKind.PARTIAL)
    assert len(rig.finals) == 2


def test_the_jobs_are_asked_as_the_client_and_the_settings_say() -> None:
    parameters = StreamParameters(
        seq=True, language="de", prompt="Namen.", hotwords=("Ohr",), word_timestamps=True
    )
    rig = Rig(parameters=parameters)
    rig.speak(PAIR_PACKETS)
    options = rig.jobs_of(JobKind.SPECULATIVE)[0].options
    assert (options.language, options.initial_prompt, options.hotwords) == (
        "de",
        "Namen.",
        ("Ohr",),
    )
    assert options.beam_size == LIVE_BEAM_SIZE
    assert options.word_timestamps
    assert options.prefix_tokens == ()


def test_a_language_that_is_not_known_makes_no_session() -> None:
    with pytest.raises(BadRequest, match="language"):
        Rig(parameters=StreamParameters(language="klingon"))
