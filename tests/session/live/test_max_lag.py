"""Speech whose text would come too late is dropped, oldest first, if a session asks for that."""

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from auricle.apis.native.wire.stream import Start, decode_command, parse_query
from auricle.config.sections.live import LiveSettings
from auricle.values.commands import Stop, StreamParameters
from auricle.values.errors import BadRequest, DeadlineExceeded, TooLate
from auricle.values.events import Closed, Final, Wire
from auricle.values.limits import MAX_MAX_LAG_S, MIN_MAX_LAG_S
from auricle.values.types import Job, JobId, JobKind, Timing
from tests.session.live.helpers import PAIR_AND_SILENCE
from tests.support.session import Answer, Rig, said, transcript

pytestmark = pytest.mark.unit

UTTERANCES = 6
SPEECH = np.concatenate([PAIR_AND_SILENCE] * (UTTERANCES // 2))
"""One utterance of 1.5 s every 3 s."""
LAG_S = 5.0


class Busy:
    """A session whose finals take some time from submission to result."""

    def __init__(self, took_s: float, settings: LiveSettings | None = None, **changes: Any) -> None:
        self.took_s = took_s
        self.asr_s = 0.0  # of that on the worker
        self.submitted_at: dict[JobId, float] = {}
        values: dict[str, Any] = {"format": Wire.PCM16, "language": "en", "partials": False}
        self.rig = Rig(
            StreamParameters(**(values | changes)),
            answer_with=self._hold,
            settings=settings or LiveSettings(),
        )

    def _hold(self, job: Job) -> Answer:
        self.submitted_at[job.id] = self.rig.now
        return None

    def speak(self, pcm: Any = SPEECH, *, message_samples: int = 320) -> None:
        """Send samples at real-time pace."""
        for at in range(0, pcm.size, message_samples):
            self.pass_s(0.02)
            self.rig.send(pcm[at : at + message_samples].tobytes())

    def pass_s(self, seconds: float) -> None:
        self.rig.wait(seconds)
        for job in list(self.rig.open_jobs.values()):
            if self.rig.now >= self.submitted_at[job.id] + self.took_s - 0.001:
                timing = Timing(asr_ms=1000 * self.asr_s)
                self.rig.answer(job.id, replace(transcript(said(job), job), timing=timing))

    def stop(self) -> list[Final]:
        """End the session; return its finals."""
        self.rig.command(Stop())
        while not self.rig.of(Closed):
            self.pass_s(0.02)
        return self.rig.finals

    @property
    def decoded(self) -> list[str]:
        """The utterances that had a job for their final, in order."""
        return [job.utterance for job in self.rig.jobs_of(JobKind.FINAL)]


@pytest.mark.parametrize(("asr_s", "expected_s"), [(0.0, 20.0), (4.0, 16.0), (60.0, 10.0)])
def test_a_final_must_start_earlier_if_recognition_takes_long(
    asr_s: float, expected_s: float
) -> None:
    busy = Busy(3.2, max_lag_s=20.0)
    busy.asr_s = asr_s
    busy.speak()
    assert not any(final.error for final in busy.stop())
    last = busy.rig.jobs_of(JobKind.FINAL)[-1]
    assert last.max_start_s == pytest.approx(expected_s, abs=2.0)


def whole() -> list[Final]:
    """Return the finals of a session in which nothing is late."""
    busy = Busy(0.1)
    busy.speak()
    return busy.stop()


def places(finals: list[Final]) -> list[tuple[int, int, int]]:
    return [(final.utterance, final.start_sample, final.end_sample) for final in finals]


def test_without_a_maximum_nothing_is_dropped() -> None:
    busy = Busy(8.0)
    busy.speak()
    finals = busy.stop()
    assert [final.text for final in finals] == [final.text for final in whole()]
    assert len(finals) == UTTERANCES
    assert all(final.error is None for final in finals)


def test_nothing_is_dropped_that_is_in_time() -> None:
    for took_s in (0.1, 2.0):
        busy = Busy(took_s, max_lag_s=LAG_S)
        busy.speak()
        finals = busy.stop()
        assert [final.text for final in finals] == [final.text for final in whole()]
        assert all(final.error is None for final in finals)


def test_of_finals_that_can_not_all_be_in_time_the_oldest_are_dropped_and_reported() -> None:
    busy = Busy(6.0, max_lag_s=LAG_S)
    busy.speak()
    finals = busy.stop()
    assert places(finals) == places(whole())
    dropped = [final for final in finals if final.error == "too_late"]
    kept = [final for final in finals if final.error is None]
    assert len(dropped) + len(kept) == UTTERANCES
    assert len(dropped) >= 2
    assert all(final.text == "" for final in dropped)
    texts = {final.utterance: final.text for final in whole()}
    assert all(final.text == texts[final.utterance] for final in kept)
    assert finals[-1] in kept  # the newest is not the one that is dropped


def test_what_is_dropped_is_not_decoded_and_marks_go_on() -> None:
    busy = Busy(6.0, max_lag_s=LAG_S)
    busy.speak()
    finals = busy.stop()
    dropped = {f"S:{final.utterance}" for final in finals if final.error}
    assert dropped
    assert not dropped & set(busy.decoded)
    assert busy.rig.marks[-1].safe_sample == busy.rig.marks[-1].received_sample
    assert busy.rig.session.pending_since == float("inf")


def test_one_final_is_decoded_at_a_time_and_the_newest_follows_the_present_one() -> None:
    busy = Busy(1000.0, max_lag_s=LAG_S)
    busy.speak()
    (present,) = busy.rig.jobs_of(JobKind.FINAL)
    assert present.utterance == "S:1"
    busy.rig.answer(present.id, transcript("one", present))
    (newest,) = busy.rig.jobs_of(JobKind.FINAL)[1:]
    errors = [final.error for final in busy.rig.finals]
    assert errors == [None, *["too_late"] * (UTTERANCES - 2)]
    assert newest.utterance == f"S:{UTTERANCES}"
    busy.rig.answer(newest.id, transcript("six", newest))
    assert busy.rig.finals[-1].text == "six"
    assert busy.rig.session.pending_since == float("inf")


def test_a_final_that_was_not_begun_in_time_is_given_up() -> None:
    busy = Busy(1000.0, max_lag_s=LAG_S)
    busy.speak(SPEECH[: SPEECH.size // UTTERANCES * 2])
    (job,) = busy.rig.jobs_of(JobKind.FINAL)
    assert job.max_start_s is not None
    assert 4 <= job.max_start_s < LAG_S  # it is submitted some time after the speech ended
    begun_at = busy.submitted_at[job.id]
    busy.rig.wait(begun_at + job.max_start_s - busy.rig.now)
    busy.rig.answer(job.id, DeadlineExceeded("not begun"))
    (final,) = busy.rig.finals[:1]
    assert (final.error, final.text) == (TooLate.code, "")
    assert final.latency_ms == pytest.approx(LAG_S * 1000, abs=1)


def test_a_refusal_is_repeated_while_there_is_time() -> None:
    busy = Busy(1000.0, max_lag_s=LAG_S)
    busy.speak(SPEECH[: SPEECH.size // UTTERANCES])
    (job,) = busy.rig.jobs_of(JobKind.FINAL)
    busy.rig.answer(job.id, DeadlineExceeded("not begun"))
    busy.rig.wait(1.0)
    (_, again) = busy.rig.jobs_of(JobKind.FINAL)
    assert again.utterance == job.utterance
    assert again.max_start_s is not None
    assert job.max_start_s is not None
    assert again.max_start_s < job.max_start_s
    busy.rig.answer(again.id, transcript("hello", again))
    assert busy.rig.finals[0].text == "hello"


def test_speculative_finals_have_no_deadline_and_nor_has_anything_without_a_maximum() -> None:
    busy = Busy(0.5, max_lag_s=LAG_S)
    busy.speak()
    assert {job.max_start_s for job in busy.rig.jobs_of(JobKind.SPECULATIVE)} == {None}
    busy = Busy(2.0)
    busy.speak()
    assert busy.rig.jobs_of(JobKind.FINAL)
    assert {job.max_start_s for job in busy.rig.jobs} == {None}


def test_each_channel_drops_its_own() -> None:
    pcm = np.stack([SPEECH, np.roll(SPEECH, 16_000)], axis=-1)
    busy = Busy(6.0, max_lag_s=LAG_S, channels=2, multichannel=True)
    busy.speak(np.ascontiguousarray(pcm).reshape(-1), message_samples=640)
    finals = busy.stop()
    for channel in (0, 1):
        own = [final for final in finals if final.channel == channel]
        errors = [final.error for final in own]
        assert errors.count("too_late") >= 2
        assert errors[-1] is None


@pytest.mark.parametrize("message_samples", [4000, 16_000])
def test_audio_that_newer_audio_has_replaced_in_memory_is_reported(message_samples: int) -> None:
    finals = []
    for max_lag_s in (None, 1.0):
        busy = Busy(1000.0, max_lag_s=max_lag_s)
        for _ in range(6):  # much faster than in real time: more than the ring holds
            for at in range(0, SPEECH.size, message_samples):
                busy.rig.wait(0.001)
                busy.rig.send(SPEECH[at : at + message_samples].tobytes())
        busy.took_s = 0.01
        finals.append(busy.stop())
    everything, newest = finals
    assert len(everything) == 6 * UTTERANCES
    assert places(newest) == places(everything)
    errors = [final.error for final in newest]
    assert errors.count("too_late") > 3 * UTTERANCES
    for final, expected in zip(newest, everything, strict=True):
        assert final.text == ("" if final.error else expected.text)


def test_audio_that_is_not_decoded_yet_is_unfinished_and_what_was_dropped_is_not() -> None:
    with_lag, without = Busy(1000.0, max_lag_s=LAG_S), Busy(1000.0)
    for busy in (with_lag, without):
        busy.speak(SPEECH[: SPEECH.size // 2])
    unfinished, expected = (
        [
            (each.utterance, each.start_sample, each.samples, each.pcm.tobytes())
            for each in busy.rig.session.channels.unfinished_audio({1: 100})
        ]
        for busy in (with_lag, without)
    )
    assert len(unfinished) == 3
    assert unfinished == expected
    (job,) = with_lag.rig.jobs_of(JobKind.FINAL)
    with_lag.rig.wait(20)
    with_lag.rig.answer(job.id, transcript("one", job))
    assert [final.error for final in with_lag.rig.finals] == [None, "too_late", "too_late"]
    assert not with_lag.rig.session.channels.unfinished_audio({})


def test_the_setting_is_the_maximum_of_sessions_that_set_none() -> None:
    for settings, changes in (
        (LiveSettings(max_lag_s=LAG_S), {}),
        (LiveSettings(max_lag_s=60), {"max_lag_s": LAG_S}),
    ):
        busy = Busy(6.0, settings, **changes)
        busy.speak()
        assert "too_late" in {final.error for final in busy.stop()}


@pytest.mark.parametrize("max_lag_s", ["0", "0.9", "60.5", "-5", "nan", "inf", "soon"])
def test_a_maximum_out_of_range_is_refused(max_lag_s: str) -> None:
    with pytest.raises(BadRequest):
        parse_query({"max_lag_s": max_lag_s})


@pytest.mark.parametrize("max_lag_s", [0, 0.9, 60.5, "5", True])
def test_a_maximum_out_of_range_is_refused_in_a_first_message(max_lag_s: object) -> None:
    message = msgspec.json.encode({"type": "start", "max_lag_s": max_lag_s})
    with pytest.raises(BadRequest):
        decode_command(message.decode())


def test_a_maximum_in_range_is_accepted() -> None:
    for max_lag_s in (MIN_MAX_LAG_S, 2.5, MAX_MAX_LAG_S):
        assert parse_query({"max_lag_s": str(max_lag_s)}).max_lag_s == max_lag_s
        start = decode_command(f'{{"type": "start", "max_lag_s": {max_lag_s}}}')
        assert isinstance(start, Start)
        assert start.max_lag_s == max_lag_s
    assert parse_query({}).max_lag_s is None
