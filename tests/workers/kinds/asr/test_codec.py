import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from auricle.values.errors import AudioError, BadRequest, EmptyAudio, WorkerError
from auricle.values.types import Job, JobId, Options, Segment, Transcript, Word
from auricle.workers.kinds.asr.backlog import Ticket
from auricle.workers.kinds.asr.codec import (
    job_message,
    read_outcome,
    read_outcomes,
    refuse_unsendable,
)
from auricle.workers.kinds.asr.messages import (
    MAX_LANGUAGE_CHARS,
    MAX_SEGMENTS,
    MAX_TEXT_CHARS,
    MAX_TOKENS,
    BatchDone,
    JobDone,
    JobFailed,
)

pytestmark = pytest.mark.unit

SAMPLES = 16_000


def ticket() -> Ticket:
    job = Job(JobId("a"), np.ones(SAMPLES, np.int16), Options(word_timestamps=True))
    return Ticket(job, submitted_at=1.0, deadline_at=math.inf, attempts=2, started_at=3.0)


def segment(**changes: Any) -> Segment:
    return replace(Segment(0, SAMPLES, " hello", None, -0.2, 0.1, 1.0, 0.0), **changes)


def done(*segments: Segment, probability: float = 1.0, language: str = "en") -> JobDone:
    return JobDone("a", Transcript("", language, probability, SAMPLES, segments))


def test_a_good_answer_becomes_a_transcript_with_its_times() -> None:
    outcome = read_outcome(ticket(), done(segment()), now=5.0, asr_s=1.5)
    assert isinstance(outcome, Transcript)
    assert (outcome.text, outcome.attempts, outcome.duration_samples) == ("hello", 2, SAMPLES)
    assert outcome.timing.queue_ms == 2000
    assert outcome.timing.asr_ms == 1500
    assert outcome.timing.ipc_ms == 500


@pytest.mark.parametrize(
    "bad",
    [
        done(segment(start_sample=-1)),
        done(segment(end_sample=SAMPLES + 1)),
        done(segment(start_sample=2, end_sample=1)),
        done(segment(avg_logprob=math.nan)),
        done(segment(temperature=math.inf)),
        done(segment(text="x" * (MAX_TEXT_CHARS + 1))),
        done(segment(words=(Word(0, SAMPLES + 1, "hello", 0.5),))),
        done(segment(words=(Word(0, 1, "hello", math.nan),))),
        done(segment(words=(Word(0, 1, "hello", 0.5, (1,) * (MAX_TOKENS + 1)),))),
        done(segment(words=(Word(0, 1, "x", 0.5),) * (MAX_SEGMENTS + 1))),
        done(*[segment(text="")] * (MAX_SEGMENTS + 1)),
        done(language="x" * (MAX_LANGUAGE_CHARS + 1)),
        done(probability=1.1),
        done(probability=math.nan),
    ],
)
def test_an_impossible_answer_is_the_workers_fault(bad: JobDone) -> None:
    with pytest.raises(WorkerError):
        read_outcome(ticket(), bad, now=5.0, asr_s=1.5)


@pytest.mark.parametrize("asr_s", [-1.0, 3.1, math.nan, math.inf])
def test_an_impossible_time_is_the_workers_fault(asr_s: float) -> None:
    with pytest.raises(WorkerError):
        read_outcome(ticket(), done(segment()), now=5.0, asr_s=asr_s)


def test_every_text_of_an_answer_is_cleaned() -> None:
    word = Word(0, 1, "a\nb", 0.5)
    answer = done(segment(text="a\x1b[31mb\u202ec", words=(word,)), language="e\0n")
    outcome = read_outcome(ticket(), answer, now=5.0, asr_s=1.5)
    assert isinstance(outcome, Transcript)
    assert (outcome.text, outcome.language) == ("a[31mbc", "en")
    assert outcome.segments[0].words == (replace(word, text="a b"),)


def test_words_are_omitted_unless_requested() -> None:
    asked = ticket()
    asked.job = replace(asked.job, options=Options())
    outcome = read_outcome(asked, done(segment(words=(Word(0, 1, "x", 1),))), now=5.0, asr_s=1.5)
    assert isinstance(outcome, Transcript)
    assert outcome.segments[0].words is None


def test_speakers_are_omitted_as_no_engine_assigns_them() -> None:
    words = (Word(0, 10, " hello", 0.9, speaker=3, speaker_confidence=0.5),)
    outcome = read_outcome(ticket(), done(segment(words=words, speaker=7)), now=5.0, asr_s=1.5)
    assert isinstance(outcome, Transcript)
    assert outcome.segments[0].speaker is None
    assert outcome.segments[0].words == (Word(0, 10, " hello", 0.9),)


def test_the_inputs_fault_comes_as_its_own_class() -> None:
    empty = read_outcome(ticket(), JobFailed("a", "empty_audio"), now=5.0, asr_s=0.0)
    other = read_outcome(ticket(), JobFailed("a", "anything"), now=5.0, asr_s=0.0)
    assert isinstance(empty, EmptyAudio)
    assert type(other) is AudioError


def test_samples_are_sent_as_they_lie_in_memory() -> None:
    job = ticket().job
    assert bytes(job_message(job).pcm) == job.pcm.tobytes()


def test_text_that_is_no_unicode_never_reaches_a_worker() -> None:
    job = Job(JobId("a"), np.ones(10, np.int16), Options(initial_prompt="\ud800"))
    with pytest.raises(BadRequest):
        refuse_unsendable(job)


@pytest.mark.parametrize("jobs", [["b"], [], ["a", "a"]])
def test_results_of_other_jobs_are_rejected(jobs: list[str]) -> None:
    results = tuple(JobFailed(job, "bad_audio") for job in jobs)
    with pytest.raises(WorkerError):
        read_outcomes([ticket()], BatchDone(results, 0.5), now=5.0)


def test_the_results_of_a_batch_are_read_in_its_order() -> None:
    (outcome,) = read_outcomes([ticket()], BatchDone((done(segment()),), 1.5), now=5.0)
    assert isinstance(outcome, Transcript)
    assert outcome.text == "hello"
