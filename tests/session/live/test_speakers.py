"""Speakers of finals: known at once, late, revised, and after a lost connection."""

import numpy as np
import pytest

from auricle.session.speakers import LAST_PATIENCE_S
from auricle.values.commands import Finalize, Stop, StreamParameters, UpdateConfig
from auricle.values.errors import BadRequest
from auricle.values.events import Closed, Ready, SpeakerRevision, WarningCode, Wire
from auricle.values.types import EmbedJob, Job, JobKind
from auricle.workers.kinds.speakers.labels import PATIENCE_S
from auricle.workers.kinds.speakers.voices.known_voices import KnownVoices
from tests.session.live.helpers import FELLOW, codes
from tests.support.session import Answer, Rig, Voices, by_loudness, silence, spoken

pytestmark = pytest.mark.unit

LOUD = FELLOW[: 7 * 16_000 // 2]
QUIET = (LOUD / 6).astype(np.int16)
DIALOGUE = np.concatenate([LOUD, silence(0.7), QUIET, silence(0.7)])


def words(job: Job) -> Answer:
    return spoken("And so my fellow.", job)


def late(job: EmbedJob) -> Voices:
    return None


def rig_of(embed_with: object = by_loudness, known_voices: bytes = b"", **changes: object) -> Rig:
    values = {"format": Wire.PCM16, "language": "en", "speakers": True} | changes
    parameters = StreamParameters(**values)  # type: ignore[arg-type]  # fields by name
    return Rig(
        parameters=parameters,
        answer_with=words,
        embed_with=embed_with,  # type: ignore[arg-type]  # a function, or None
        known_voices=known_voices,
    )


def test_finals_have_their_speakers() -> None:
    rig = rig_of()
    rig.speak_pcm(DIALOGUE, message_samples=1600)
    rig.command(Stop())
    assert [final.speaker for final in rig.finals] == [0, 1]
    assert not rig.of(SpeakerRevision)
    assert all(job.is_live for job in rig.voice_jobs)
    for final in rig.finals:
        (segment,) = final.segments or ()
        assert (segment.text, segment.speaker) == (final.text, final.speaker)
        assert final.words is None  # they were decoded to split finals, not requested


def test_voices_are_embedded_together_with_a_speculative_final() -> None:
    rig = rig_of()
    rig.speak_pcm(np.concatenate([QUIET, silence(0.3)]), message_samples=1600)
    assert rig.jobs_of(JobKind.SPECULATIVE)
    before = len(rig.voice_jobs)
    assert before
    rig.speak_pcm(silence(0.4), message_samples=1600)
    assert [final.speaker for final in rig.finals] == [0]
    assert len(rig.voice_jobs) == before


def test_words_have_speakers_if_they_are_requested() -> None:
    rig = rig_of(word_timestamps=True)
    rig.speak_pcm(DIALOGUE, message_samples=1600)
    rig.command(Stop())
    assert [{word.speaker for word in final.words or ()} for final in rig.finals] == [
        {0},
        {1},
    ]


def test_without_the_request_nothing_is_embedded() -> None:
    rig = rig_of(speakers=False)
    rig.speak_pcm(QUIET)
    rig.command(Stop())
    (final,) = rig.finals
    assert (final.speaker, final.segments, rig.voice_jobs) == (None, None, [])


def test_a_final_with_two_speakers_is_split_between_words() -> None:
    rig = rig_of(endpoint_ms=1500)
    rig.speak_pcm(np.concatenate([LOUD, QUIET]), message_samples=1600)
    rig.command(Stop())
    (final,) = rig.finals
    first, second = final.segments or ()
    assert (first.speaker, second.speaker) == (0, 1)
    assert f"{first.text} {second.text}" == final.text
    assert first.end_sample <= second.start_sample


def test_a_busy_server_does_not_time_words_to_split_a_final() -> None:
    rig = rig_of(endpoint_ms=1500)
    rig.session.set_load(0.2)
    rig.speak_pcm(np.concatenate([LOUD, QUIET, silence(1)]), message_samples=1600)
    rig.session.set_load(0.0)
    rig.command(Stop())
    (final,) = rig.finals
    finals = [*rig.jobs_of(JobKind.SPECULATIVE), *rig.jobs_of(JobKind.FINAL)]
    assert finals
    assert not any(job.options.word_timestamps for job in finals)
    (segment,) = final.segments or ()
    assert segment.speaker == final.speaker
    assert segment.text == final.text


@pytest.mark.parametrize("load", [0.0, 0.01, 0.5])
def test_a_final_waits_for_its_speaker(load: float) -> None:
    rig = rig_of(late)
    rig.session.set_load(load)
    rig.speak_pcm(QUIET)
    rig.command(Finalize())
    rig.wait(PATIENCE_S * 0.9)
    assert not rig.finals
    for job in rig.voice_jobs:
        result = by_loudness(job)
        assert result is not None
        rig.embedded(job, result)
    assert [final.speaker for final in rig.finals] == [0]
    assert not rig.of(SpeakerRevision)


@pytest.mark.parametrize(("load", "wait_s"), [(0.0, PATIENCE_S), (0.6, 0.0), (1.0, 0.0)])
def test_the_speaker_of_a_late_final_or_of_a_busy_server_is_reported_later(
    load: float, wait_s: float
) -> None:
    rig = rig_of(late)
    rig.session.set_load(load)
    rig.speak_pcm(QUIET)
    rig.command(Finalize())
    rig.wait(wait_s)
    (final,) = rig.finals
    assert final.speaker is None
    for job in rig.voice_jobs:
        result = by_loudness(job)
        assert result is not None
        rig.embedded(job, result)
    (revision,) = rig.of(SpeakerRevision)
    assert [(final.id, final.speaker) for final in revision.finals] == [(1, 0)]


@pytest.mark.parametrize("load", [0.0, 1.0])
def test_without_the_request_no_final_waits(load: float) -> None:
    rig = rig_of(late, speakers=False)
    rig.session.set_load(load)
    rig.speak_pcm(QUIET)
    rig.command(Finalize())
    assert len(rig.finals) == 1


def test_the_end_waits_for_the_last_speakers_for_a_limited_time() -> None:
    rig = rig_of(late)
    rig.speak_pcm(QUIET)
    rig.command(Stop())
    rig.wait(PATIENCE_S)
    assert len(rig.finals) == 1
    assert not rig.of(Closed)
    rig.wait(LAST_PATIENCE_S)
    assert rig.of(Closed)
    assert rig.session.wake_at > rig.now + 1  # there is nothing to do


def test_speakers_that_arrive_before_the_end_are_reported_before_it() -> None:
    rig = rig_of(late)
    rig.speak_pcm(QUIET)
    rig.command(Stop())
    rig.wait(PATIENCE_S)
    for job in rig.voice_jobs:
        result = by_loudness(job)
        assert result is not None
        rig.embedded(job, result)
    assert [type(event) for event in rig.events[-3:-1]][0] is SpeakerRevision
    assert isinstance(rig.events[-1], Closed)


def test_a_server_without_speaker_workers_says_so_once() -> None:
    rig = rig_of(None)
    rig.speak_pcm(np.concatenate([QUIET, silence(1)]))
    rig.command(Stop())
    assert codes(rig) == [WarningCode.SPEAKERS_UNAVAILABLE]
    assert [final.speaker for final in rig.finals] == [None]


def test_speakers_can_be_requested_later() -> None:
    rig = rig_of(speakers=False)
    rig.speak_pcm(np.concatenate([QUIET, silence(1)]))
    rig.command(UpdateConfig(speakers=True))
    rig.speak_pcm(np.concatenate([QUIET, silence(1)]))
    rig.command(UpdateConfig(speakers=False))
    rig.speak_pcm(np.concatenate([QUIET, silence(1)]))
    rig.command(Stop())
    assert [final.speaker for final in rig.finals] == [None, 0, None]


def test_a_number_of_speakers_requests_them() -> None:
    rig = rig_of(speakers=False, num_speakers=1)
    rig.speak_pcm(QUIET, message_samples=1600)
    rig.command(Stop())
    assert [final.speaker for final in rig.finals] == [0]


def test_impossible_numbers_of_speakers_are_rejected() -> None:
    with pytest.raises(BadRequest, match="num_speakers"):
        rig_of(num_speakers=0)


def test_a_client_that_resumes_learns_the_speakers_that_it_missed() -> None:
    rig = rig_of(late, seq=True)
    rig.speak_pcm(np.concatenate([LOUD, silence(1.2)]), 0)
    rig.speak_pcm(np.concatenate([QUIET, silence(1.2)]), rig.session.received_sample)
    assert [final.speaker for final in rig.finals] == [None, None]
    rig.session.detach(rig.now)
    for job in rig.voice_jobs:
        result = by_loudness(job)
        assert result is not None
        rig.embedded(job, result)
    rig.session.attach(rig.now, last_result=1)
    rig.drain()
    _, _, replayed = rig.finals
    assert (replayed.id, replayed.speaker) == (2, 1)
    (revision,) = rig.of(SpeakerRevision)
    assert [(final.id, final.speaker) for final in revision.finals] == [(1, 0)]


def knows_voices(rig: Rig) -> bool:
    return [ready.speakers_continue for ready in rig.of(Ready)] == [True]


def test_numbers_continue_with_the_voices_of_a_lost_session() -> None:
    lost = rig_of()
    assert (lost.session.speakers.has_voices, lost.session.speakers.voices()) == (False, b"")
    lost.speak_pcm(DIALOGUE, message_samples=1600)
    assert [final.speaker for final in lost.finals] == [0, 1]
    assert lost.session.speakers.labelled_finals == 2
    known = lost.session.speakers.voices()
    again = rig_of(known_voices=known)
    assert (knows_voices(lost), knows_voices(again)) == (False, True)
    assert again.session.speakers.voices() is known
    again.speak_pcm(np.concatenate([QUIET, silence(0.7), LOUD, silence(0.7)]), message_samples=1600)
    assert [final.speaker for final in again.finals] == [1, 0]
    counts, more = (
        KnownVoices.decoded(each, "") for each in (known, again.session.speakers.voices())
    )
    assert counts is not None
    assert more is not None
    assert (more.counts > counts.counts).all()


def test_known_voices_are_used_when_speakers_are_requested_later() -> None:
    lost = rig_of()
    lost.speak_pcm(DIALOGUE, message_samples=1600)
    rig = rig_of(known_voices=lost.session.speakers.voices(), speakers=False)
    assert rig.session.speakers.has_voices
    rig.command(UpdateConfig(speakers=True))
    rig.speak_pcm(np.concatenate([QUIET, silence(0.7)]), message_samples=1600)
    assert [final.speaker for final in rig.finals] == [1]


def test_numbers_do_not_continue_if_no_voices_can_be_embedded() -> None:
    lost = rig_of()
    lost.speak_pcm(DIALOGUE, message_samples=1600)
    assert not knows_voices(rig_of(None, known_voices=lost.session.speakers.voices()))
