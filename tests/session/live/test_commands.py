"""Commands of a client: finalize, configure, stop, flush and discard."""

from itertools import pairwise

import numpy as np
import pytest

from auricle.config.sections.live import LiveSettings
from auricle.protocol.framing import pack
from auricle.session.end_requests import SPARED_S
from auricle.session.flushes import MAX_FLUSHES
from auricle.values.commands import (
    Ack,
    Configure,
    Discard,
    Finalize,
    Flush,
    Keepalive,
    Spare,
    Stop,
    StreamParameters,
    UpdateConfig,
)
from auricle.values.errors import BadRequest
from auricle.values.events import (
    Closed,
    Discarded,
    Final,
    Finalized,
    Flushed,
    SpeechEnded,
    SpeechStarted,
    Wire,
)
from auricle.values.types import SAMPLES_PER_MS, JobKind, Task
from tests.session.live.helpers import FELLOW, PAIR, PAIR_AND_SILENCE, PAIR_PACKETS, SECOND, pcm_rig
from tests.support.opus import encode_packets
from tests.support.session import Rig, silence, transcript, utterances

pytestmark = pytest.mark.unit


def test_finalize_ends_the_utterance_at_once() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS[:50])
    rig.command(Finalize())
    (final,) = rig.finals
    assert final.end_sample == 50 * 320
    assert rig.marks[-1].safe_sample == 50 * 320
    rig.speak(PAIR_PACKETS[50:], 50)
    assert [final.utterance for final in rig.finals] == [1, 2, 3]
    assert rig.finals[1].start_sample == 50 * 320  # no sample is lost or processed twice


@pytest.mark.parametrize("packets", [0, 1, 20])
def test_finalize_with_nothing_to_finalize(packets: int) -> None:
    rig = Rig()
    rig.speak(encode_packets(silence(packets / 50)))
    for _ in range(3):
        rig.command(Finalize())
    assert rig.jobs == []
    assert rig.marks[-1].received_sample == packets * 320
    rig.speak(PAIR_PACKETS, packets)
    assert len(rig.finals) == 2


def test_finalize_again_and_again_makes_no_empty_job() -> None:
    rig = Rig()
    for index, packet in enumerate(PAIR_PACKETS):
        rig.wait(0.02)
        rig.send(pack(packet, index))
        rig.command(Finalize())
        rig.command(Finalize())
    spans = [(final.start_sample, final.end_sample) for final in rig.finals]
    assert all(start < end for start, end in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_what_is_configured_in_mid_word_holds_from_the_next_utterance_on() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS[:50])
    rig.command(Configure(language="de", prompt="Namen.", hotwords=("Anna",), task=Task.TRANSLATE))
    rig.speak(PAIR_PACKETS[50:], 50)
    first, second = (job.options for job in rig.jobs_of(JobKind.SPECULATIVE))
    assert (first.language, first.initial_prompt) == ("en", None)
    assert (first.task, first.hotwords) == (Task.TRANSCRIBE, ())
    assert (second.language, second.initial_prompt) == ("de", "Namen.")
    assert (second.task, second.hotwords) == (Task.TRANSLATE, ("Anna",))
    rig.command(Configure(language=None, prompt=None))
    rig.speak(PAIR_PACKETS, len(PAIR_PACKETS))
    options = rig.jobs_of(JobKind.SPECULATIVE)[-1].options
    assert (options.language, options.initial_prompt) == (None, None)


def test_a_language_that_is_not_known_changes_nothing() -> None:
    rig = Rig()
    with pytest.raises(BadRequest, match="language"):
        rig.session.receive_command(Configure(language="klingon", endpoint_ms=5000), rig.now)
    rig.speak(PAIR_PACKETS)
    assert len(rig.finals) == 2
    assert rig.jobs[-1].options.language == "en"


def test_another_silence_ends_utterances_from_the_next_one_on() -> None:
    ends_after = []
    for endpoint_ms in (200, 3000):
        rig = Rig()
        rig.command(Configure(endpoint_ms=endpoint_ms))
        rig.speak(PAIR_PACKETS)
        ends_after.append(len(rig.finals))
    assert ends_after[0] >= 2
    assert ends_after[1] == 0
    late = Rig()
    late.speak(PAIR_PACKETS[:50])
    late.command(Configure(endpoint_ms=3000))
    late.speak(PAIR_PACKETS[50:], 50)
    assert len(late.finals) == 1


@pytest.mark.parametrize(("setting_ms", "client_ms", "finals"), [(3000, None, 0), (3000, 500, 2)])
def test_the_setting_ends_utterances_unless_the_client_sets_another_silence(
    setting_ms: int, client_ms: int | None, finals: int
) -> None:
    parameters = StreamParameters(seq=True, language="en", endpoint_ms=client_ms)
    rig = Rig(parameters, settings=LiveSettings(endpoint_ms=setting_ms))
    rig.speak(PAIR_PACKETS)
    assert len(rig.finals) == finals


def test_another_format_in_mid_word_loses_no_sample() -> None:
    plain = pcm_rig(seq=True)
    plain.speak_pcm(PAIR_AND_SILENCE, 0)
    rig = pcm_rig(seq=True)
    rig.speak_pcm(PAIR_AND_SILENCE[:16_000], 0)
    rig.command(Configure(sample_rate=16_000, format=Wire.PCM16))
    rig.speak_pcm(PAIR_AND_SILENCE[16_000:], 16_000)
    assert utterances(rig) == utterances(plain)
    rig = pcm_rig(seq=True)
    rig.speak_pcm(PAIR_AND_SILENCE[:16_000], 0)
    rig.command(Configure(format=Wire.OPUS))
    rig.speak(PAIR_PACKETS[50:], 50)
    assert rig.session.received_sample == plain.session.received_sample // 320 * 320 + 320
    starts = [np.array([final.start_sample for final in it.finals]) for it in (rig, plain)]
    assert np.abs(starts[0] - starts[1]).max() <= 1024  # one or two windows: Opus is lossy


def test_keepalive_and_acknowledgements_cause_no_event() -> None:
    rig = Rig()
    before = len(rig.events)
    rig.command(Keepalive())
    rig.command(Ack(0))
    rig.command(Ack(2**53))
    assert len(rig.events) == before


def test_stop_flushes_what_is_open() -> None:
    rig = Rig(answer_with=lambda job: None)
    rig.speak(PAIR_PACKETS[:50])
    rig.command(Stop())
    assert rig.session.is_stopping
    assert rig.of(Closed) == []
    (job,) = [job for job in rig.open_jobs.values() if job.kind is JobKind.FINAL]
    rig.answer(job.id, transcript("last words", job))
    assert rig.finals[-1].text == "last words"
    assert isinstance(rig.events[-1], Closed)


def test_stop_waits_behind_the_audio_before_it() -> None:
    rig = pcm_rig()
    sent = np.concatenate([PAIR_AND_SILENCE] * 3)
    rig.session.receive_data(sent.tobytes(), now=rig.now)
    rig.session.receive_command(Stop(), rig.now)
    assert not rig.session.is_stopping
    rig.drain()
    assert rig.session.is_closed
    assert rig.of(Closed)[0].audio_samples == sent.size
    assert len(rig.finals) == 6


def test_after_stop_audio_and_commands_are_ignored() -> None:
    rig = pcm_rig()
    rig.session.receive_data(PAIR_AND_SILENCE.tobytes(), now=rig.now)
    rig.session.receive_command(Stop(), rig.now)
    rig.session.receive_data(PAIR_AND_SILENCE.tobytes(), now=rig.now)
    rig.session.receive_command(Finalize(), rig.now)
    rig.session.receive_command(Stop(), rig.now)
    rig.drain()
    rig.speak_pcm(PAIR_AND_SILENCE)
    assert rig.of(Closed)[0].audio_samples == PAIR_AND_SILENCE.size
    assert len(rig.of(Closed)) == 1
    assert len(rig.finals) == 2


def test_stop_without_audio() -> None:
    rig = Rig()
    rig.command(Stop())
    closed = rig.of(Closed)[0]
    assert (closed.audio_samples, closed.packets) == (0, 0)
    assert rig.jobs == []


def test_the_last_word_is_transcribed_though_its_window_is_not_full() -> None:
    rig = pcm_rig()
    cut = 20_077  # in the middle of a word
    rig.speak_pcm(PAIR[:cut])
    rig.command(Stop())
    (final,) = rig.finals
    assert cut <= final.end_sample < cut + 512
    assert rig.marks[-1].safe_sample == rig.marks[-1].received_sample == cut
    assert all(mark.safe_sample <= cut for mark in rig.marks)


def story(rig: Rig) -> list[type]:
    """Return the types of events about utterances, in order."""
    kinds = (SpeechStarted, SpeechEnded, Final, Flushed, Finalized, Discarded)
    return [type(event) for event in rig.events if isinstance(event, kinds)]


def test_a_flush_ends_the_utterance_and_reports_when_its_final_was_sent() -> None:
    rig = pcm_rig()
    rig.answer_with = lambda job: None
    rig.speak_pcm(FELLOW[: 2 * SECOND])
    rig.command(Flush())
    assert story(rig) == [SpeechStarted, SpeechEnded, Flushed]
    assert rig.of(Flushed) == [Flushed(2 * SECOND, ended_utterance=True)]
    rig.speak_pcm(FELLOW[2 * SECOND : 4 * SECOND])  # by then, the next one is open
    (job,) = rig.jobs_of(JobKind.FINAL)
    rig.answer(job.id, transcript("words", job))
    assert story(rig)[-3:] == [SpeechStarted, Final, Finalized]
    assert rig.of(Finalized) == [Finalized(2 * SECOND)]


def test_a_flush_waits_for_finals_of_utterances_that_had_ended_before() -> None:
    rig = pcm_rig()
    rig.answer_with = lambda job: None
    rig.speak_pcm(PAIR_AND_SILENCE)
    assert story(rig).count(SpeechEnded) == 2
    rig.command(Flush())
    assert rig.of(Flushed) == [Flushed(PAIR_AND_SILENCE.size, ended_utterance=False)]
    early = rig.jobs_of(JobKind.SPECULATIVE)
    for job in reversed(early):
        assert not rig.of(Finalized)
        rig.answer(job.id, transcript("words", job))
    assert story(rig)[-3:] == [Final, Final, Finalized]


def test_every_flush_is_answered_in_turn_also_without_speech() -> None:
    rig = pcm_rig()
    rig.command(Flush())
    rig.speak_pcm(silence(1))
    rig.command(Flush())
    rig.command(Flush())
    assert story(rig) == [Flushed, Finalized] * 3
    assert [event.at_sample for event in rig.of(Finalized)] == [0, SECOND, SECOND]


def test_a_client_that_flushes_without_end_is_not_read() -> None:
    rig = pcm_rig()
    rig.answer_with = lambda job: None
    rig.speak_pcm(FELLOW[: 2 * SECOND])
    for _ in range(MAX_FLUSHES):
        assert rig.session.wants_data
        rig.command(Flush())
    assert not rig.session.wants_data
    (job,) = rig.jobs_of(JobKind.FINAL)
    rig.answer(job.id, transcript("words", job))
    assert rig.session.wants_data
    assert len(rig.of(Finalized)) == MAX_FLUSHES


def test_a_flush_may_spare_speech_that_continues() -> None:
    rig = pcm_rig()
    for at in range(2, 5):
        rig.speak_pcm(FELLOW[(at - 1) * SECOND : at * SECOND])
        rig.command(Flush(spares=Spare.UTTERANCE))
    assert story(rig) == [SpeechStarted, *[Flushed, Finalized] * 3]
    assert rig.of(Flushed)[0] == Flushed(SECOND, ended_utterance=False, is_open=True)
    rig.speak_pcm(FELLOW[4 * SECOND :])
    rig.command(Flush())
    assert story(rig)[7:] == [SpeechEnded, Flushed, Final, Finalized]
    assert len(rig.finals) == 1


def test_a_flush_may_spare_speech_and_end_what_pauses() -> None:
    rig = pcm_rig()
    rig.speak_pcm(FELLOW[:SECOND])
    rig.command(Flush(spares=Spare.SPEECH))
    assert story(rig) == [SpeechStarted, Flushed, Finalized]
    rig.speak_pcm(silence(0.3))
    assert not rig.of(SpeechEnded)
    rig.command(Flush(spares=Spare.SPEECH))
    assert story(rig)[3:] == [SpeechEnded, Flushed, Final, Finalized]


PAUSE_SAMPLES = (29_184, 31_744)
"""A pause in the middle of FELLOW."""


@pytest.mark.parametrize("command", [Finalize(), Flush(spares=Spare.ONSET)])
@pytest.mark.parametrize("onset_ms", [20, 40, 100, 200, 280])
def test_a_request_at_the_onset_of_a_word_ends_the_utterance_before_it(
    command: Finalize | Flush, onset_ms: int
) -> None:
    rig = pcm_rig()
    end_sample, word_sample = PAUSE_SAMPLES
    cut_sample = word_sample + onset_ms * SAMPLES_PER_MS
    rig.speak_pcm(FELLOW[:cut_sample])
    rig.command(command)
    (before,) = rig.finals
    assert end_sample < before.end_sample <= word_sample
    rig.speak_pcm(FELLOW[cut_sample:])
    rig.speak_pcm(silence(1))
    _, after = rig.finals
    assert after.start_sample == before.end_sample
    assert after.end_sample > FELLOW.size - SECOND // 2


def test_a_sound_that_a_request_has_spared_ends_if_no_audio_follows() -> None:
    rig = pcm_rig()
    rig.speak_pcm(FELLOW[: PAUSE_SAMPLES[1] + 200 * SAMPLES_PER_MS])
    rig.command(Finalize())
    rig.wait(SPARED_S / 2)
    assert len(rig.finals) == 1
    rig.wait(SPARED_S)
    before, after = rig.finals
    assert after.start_sample == before.end_sample
    assert after.end_sample == PAUSE_SAMPLES[1] + 200 * SAMPLES_PER_MS


@pytest.mark.parametrize("command", [Finalize(), Flush(spares=Spare.ONSET)])
@pytest.mark.parametrize("onset_ms", [100, 200, 280])
def test_a_request_at_the_onset_of_a_word_spares_it_if_the_pause_has_ended_the_speech_before_it(
    command: Finalize | Flush, onset_ms: int
) -> None:
    rig = pcm_rig(endpoint_ms=100)
    end_sample, word_sample = PAUSE_SAMPLES
    cut_sample = word_sample + onset_ms * SAMPLES_PER_MS
    rig.speak_pcm(FELLOW[:cut_sample])
    before = rig.finals[-1]
    assert end_sample < before.end_sample <= word_sample
    rig.command(command)
    rig.speak_pcm(FELLOW[cut_sample:])
    rig.speak_pcm(silence(1))
    after = rig.finals[rig.finals.index(before) + 1]
    assert after.start_sample == before.end_sample
    assert after.end_sample > cut_sample + SAMPLES_PER_MS * 300


@pytest.mark.parametrize("command", [Finalize(), Flush(spares=Spare.ONSET)])
def test_a_request_in_the_middle_of_a_word_ends_it_there(command: Finalize | Flush) -> None:
    rig = pcm_rig()
    cut_sample = PAUSE_SAMPLES[1] + 400 * SAMPLES_PER_MS
    rig.speak_pcm(FELLOW[:cut_sample])
    rig.command(command)
    (before,) = rig.finals
    assert before.end_sample == cut_sample


@pytest.mark.parametrize("end", [Stop(), Flush()])
def test_the_onset_of_a_word_belongs_to_the_utterance_that_ends_for_good(end: Stop | Flush) -> None:
    rig = pcm_rig()
    cut_sample = PAUSE_SAMPLES[1] + 200 * SAMPLES_PER_MS
    rig.speak_pcm(FELLOW[:cut_sample])
    rig.command(end)
    (final,) = rig.finals
    assert final.end_sample >= cut_sample


def test_a_word_that_a_request_has_spared_ends_if_no_audio_follows() -> None:
    rig = pcm_rig(endpoint_ms=100)
    cut_sample = PAUSE_SAMPLES[1] + 200 * SAMPLES_PER_MS
    rig.speak_pcm(FELLOW[:cut_sample])
    rig.command(Flush(spares=Spare.ONSET))
    (flushed,) = rig.of(Flushed)
    assert (flushed.ended_utterance, flushed.is_open) == (False, True)
    before = rig.finals[-1]
    rig.wait(SPARED_S)
    after = rig.finals[-1]
    assert after.start_sample == before.end_sample
    assert after.end_sample == cut_sample


def test_speech_that_a_flush_has_spared_ends_if_no_audio_follows() -> None:
    rig = pcm_rig()
    rig.speak_pcm(FELLOW[: 2 * SECOND])
    rig.command(Flush(spares=Spare.UTTERANCE))
    rig.wait(SPARED_S / 2)
    assert story(rig) == [SpeechStarted, Flushed, Finalized]
    rig.wait(SPARED_S)
    assert story(rig) == [SpeechStarted, Flushed, Finalized, SpeechEnded, Final]
    rig.command(Flush(spares=Spare.UTTERANCE))
    assert rig.of(Flushed)[-1] == Flushed(2 * SECOND, ended_utterance=False)


def test_discarded_audio_is_never_transcribed_but_what_follows_is() -> None:
    rig = pcm_rig()
    rig.speak_pcm(FELLOW[: 2 * SECOND])
    assert story(rig) == [SpeechStarted]
    rig.command(Discard())
    assert story(rig) == [SpeechStarted, Discarded]
    assert rig.of(Discarded) == [Discarded(2 * SECOND)]
    rig.speak_pcm(FELLOW[2 * SECOND :])
    rig.command(Flush())
    assert story(rig)[2:] == [SpeechStarted, SpeechEnded, Flushed, Final, Finalized]
    (final,) = rig.finals
    assert final.start_sample >= 2 * SECOND


def test_discarding_gives_up_partials_and_keeps_finals_of_what_had_ended() -> None:
    rig = pcm_rig()
    rig.answer_with = lambda job: None
    rig.speak_pcm(PAIR_AND_SILENCE[: PAIR_AND_SILENCE.size - 2 * SECOND])
    ended = story(rig).count(SpeechEnded)
    assert ended == 1
    guesses = [job.id for job in rig.open_jobs.values() if job.kind is JobKind.PARTIAL]
    rig.command(Discard())
    assert guesses
    assert set(guesses) <= set(rig.cancelled)
    for job in rig.jobs_of(JobKind.SPECULATIVE):
        rig.answer(job.id, transcript("words", job))
    rig.wait(5)
    for job in rig.jobs_of(JobKind.FINAL):
        rig.answer(job.id, transcript("words", job))
    assert [final.utterance for final in rig.finals] == [1]


def test_hotwords_can_change_from_the_next_utterance_on() -> None:
    rig = pcm_rig(hotwords=("Auricle",))
    rig.speak_pcm(FELLOW[: 2 * SECOND])
    rig.command(UpdateConfig(hotwords=("Whisper",), prompt="before"))
    rig.command(Flush())
    rig.speak_pcm(FELLOW[2 * SECOND :])
    rig.command(Flush())
    assert len(rig.finals) == 2
    first, last = rig.jobs[0].options, rig.jobs[-1].options
    assert (first.hotwords, last.hotwords) == (("Auricle",), ("Whisper",))
    assert (first.initial_prompt, last.initial_prompt) == (None, "before")


def test_a_flush_includes_samples_held_back_by_the_resampler_and_the_clock_stays_exact() -> None:
    rig = pcm_rig(sample_rate=8000)
    for _ in range(3):
        rig.send(bytes(2 * 8000 + 1))  # half a sample stays with the next message
        rig.command(Flush())
    assert [event.at_sample for event in rig.of(Flushed)] == [
        SECOND,
        2 * SECOND + 2,
        3 * SECOND + 2,
    ]


def test_what_rings_after_a_flush_is_no_utterance() -> None:
    rig = pcm_rig()
    rig.speak_pcm(FELLOW[: 2 * SECOND])
    rig.command(Flush())
    rig.speak_pcm(silence(3))
    rig.command(Flush())
    assert len(rig.finals) == 1
    assert story(rig)[-2:] == [Flushed, Finalized]
