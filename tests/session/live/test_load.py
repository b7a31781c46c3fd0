"""Load, limits and errors of the recogniser."""

from collections.abc import Callable
from math import inf

import numpy as np
import pytest

from auricle.config.sections.live import NO_PARTIALS, LiveSettings
from auricle.protocol.framing import pack
from auricle.session.intake import MERGED_PACKETS
from auricle.session.journal import MAX_FINALS
from auricle.session.live import MAX_STEPS_AT_ONCE, MAX_UNFINISHED_SAMPLES
from auricle.values.commands import Finalize, Keepalive, Stop, StreamParameters
from auricle.values.errors import (
    AuricleError,
    Overloaded,
    PoisonJob,
    RemoteProtocolError,
    Superseded,
)
from auricle.values.events import Closed
from auricle.values.types import Job, JobKind, OpusPacket, Task
from tests.session.live.helpers import FELLOW, PAIR_AND_SILENCE, PAIR_PACKETS, SECOND, pcm_rig
from tests.support.opus import encode_packets
from tests.support.session import Answer, Rig, echo, silence, transcript, utterances

pytestmark = pytest.mark.unit


def test_a_backlog_of_minutes_is_of_the_file_class_and_what_follows_it_is_live() -> None:
    rig = pcm_rig(start_sample=16_000)
    for _ in range(60):  # minutes
        rig.send(PAIR_AND_SILENCE.tobytes())
    backlog = [job.kind for job in rig.jobs if job.kind in (JobKind.FINAL, JobKind.FILE)]
    assert backlog[-1] is JobKind.FILE
    assert backlog.count(JobKind.FILE) > backlog.count(JobKind.FINAL)
    rig.speak_pcm(PAIR_AND_SILENCE)
    rig.speak_pcm(PAIR_AND_SILENCE)
    rig.jobs.clear()
    rig.speak_pcm(PAIR_AND_SILENCE)
    assert not rig.session.is_ahead
    assert JobKind.FILE not in {job.kind for job in rig.jobs}
    assert rig.partials


def test_a_file_that_is_piped_in_is_of_the_file_class_until_time_has_caught_up() -> None:
    rig = pcm_rig()
    for _ in range(3):
        rig.send(PAIR_AND_SILENCE.tobytes())
    assert rig.session.is_ahead
    kinds = [job.kind for job in rig.jobs]
    assert kinds[-1] is JobKind.FILE
    assert kinds.count(JobKind.FILE) >= 3
    assert {*kinds[-3:]} == {JobKind.FILE}
    rig.wait(60)
    rig.session.poll(rig.now)
    assert not rig.session.is_ahead
    rig.jobs.clear()
    rig.speak_pcm(PAIR_AND_SILENCE)
    assert JobKind.FILE not in {job.kind for job in rig.jobs}
    assert rig.partials


def test_a_file_says_what_live_speech_says() -> None:
    live, file = pcm_rig(), pcm_rig()
    sent = np.concatenate([PAIR_AND_SILENCE] * 3)
    live.speak_pcm(sent)
    file.send(sent.tobytes())
    assert utterances(file) == utterances(live)


def test_load_ends_partials_but_neither_speculative_finals_nor_finals() -> None:
    kinds = {}
    for load in (0.0, 0.6, 0.95, 7.0):
        rig = Rig()
        rig.session.set_load(load)
        rig.speak(PAIR_PACKETS)
        kinds[load] = {job.kind for job in rig.jobs}
        assert len(rig.finals) == 2
    assert kinds[0.0] == kinds[0.6] == {JobKind.PARTIAL, JobKind.SPECULATIVE}
    assert kinds[0.95] == kinds[7.0] == {JobKind.SPECULATIVE}


def test_a_final_never_waits_for_a_speculative_one_that_a_busy_pool_does_not_start() -> None:
    rig = Rig(answer_with=lambda job: None if job.kind is JobKind.SPECULATIVE else echo(job))
    rig.session.set_load(1.0)
    rig.speak(PAIR_PACKETS)
    early, finals = rig.jobs_of(JobKind.SPECULATIVE), rig.jobs_of(JobKind.FINAL)
    assert [job.utterance for job in finals] == ["S:1", "S:2"]
    assert len(rig.finals) == 2
    assert {job.id for job in early} <= set(rig.cancelled)


@pytest.mark.parametrize(
    ("streamed", "has_streams", "language", "has_partials"),
    [
        ({"en"}, True, "en", True),
        ({"en"}, False, "en", False),
        ({"de"}, True, "en", False),
        ({"en"}, True, None, False),
    ],
)
def test_the_load_does_not_limit_partials_that_are_recognised_apart(
    streamed: set[str], has_streams: bool, language: str | None, has_partials: bool
) -> None:
    rig = Rig(StreamParameters(seq=True, language=language), streamed_languages=frozenset(streamed))
    rig.session.set_load(1.0, has_streams=has_streams)
    rig.speak(PAIR_PACKETS)
    kinds = {job.kind for job in rig.jobs}
    assert kinds == {JobKind.SPECULATIVE} | ({JobKind.PARTIAL} if has_partials else set())


def test_partials_that_are_recognised_apart_become_rarer_and_never_end() -> None:
    counts = []
    for load in (0.0, 0.5, 0.6, 1.0):
        rig = Rig(streamed_languages=frozenset({"en"}))
        rig.session.set_load(load, has_streams=True)
        rig.speak(encode_packets(FELLOW))
        counts.append(sum(job.kind is JobKind.PARTIAL for job in rig.jobs))
    assert counts[0] > counts[1] == counts[2] == counts[3] > 1


def test_a_translation_has_no_streamed_partials() -> None:
    parameters = StreamParameters(seq=True, language="en", task=Task.TRANSLATE)
    rig = Rig(parameters, streamed_languages=frozenset({"en"}))
    rig.session.set_load(1.0, has_streams=True)
    rig.speak(PAIR_PACKETS)
    assert {job.kind for job in rig.jobs} == {JobKind.SPECULATIVE}


def test_the_operator_disables_partials() -> None:
    rig = Rig(settings=LiveSettings(partial_model=NO_PARTIALS))
    rig.speak(PAIR_PACKETS)
    assert {job.kind for job in rig.jobs} == {JobKind.SPECULATIVE}
    assert len(rig.finals) == 2


def test_unfinished_audio_is_bounded_by_not_reading_on() -> None:
    rig = pcm_rig()
    rig.answer_with = lambda job: None
    sent = 0
    while rig.session.wants_data:
        rig.send(PAIR_AND_SILENCE.tobytes())
        sent += PAIR_AND_SILENCE.size
        assert sent < 10 * MAX_UNFINISHED_SAMPLES
    held = sum(job.pcm.size for job in rig.open_jobs.values() if job.kind is not JobKind.PARTIAL)
    assert held <= MAX_UNFINISHED_SAMPLES + 30 * SECOND
    assert rig.session.wake_at > rig.now  # no busy loop meanwhile
    taken = rig.session.received_sample
    for _ in range(20):
        rig.command(Keepalive())
    assert rig.session.received_sample == taken  # commands do not advance it either
    rig.answer_with = echo
    for job in list(rig.open_jobs.values()):
        rig.answer(job.id, transcript("late", job))
    assert rig.session.wants_data
    rig.command(Stop())
    assert rig.of(Closed)[0].audio_samples == sent


def test_a_message_of_hours_in_a_few_bytes_is_worked_off_in_bites() -> None:
    rig = Rig()
    longest = OpusPacket(b"\xfb\x06")  # six empty frames of 20 ms
    data = b"".join(pack(longest, number) for number in range(500))  # a minute in 4 kB
    rig.session.receive_data(data, now=rig.now)
    assert rig.session.received_sample <= 2 * SECOND
    assert not rig.session.wants_data
    assert rig.session.wake_at == rig.now
    rig.drain()
    assert rig.session.received_sample == 60 * SECOND
    assert rig.session.wants_data


def test_packets_without_audio_are_worked_off_in_bites_too() -> None:
    rig = Rig()
    rig.session.receive_data(pack(PAIR_PACKETS[0], 0) * (3 * MAX_STEPS_AT_ONCE), now=rig.now)
    assert not rig.session.wants_data
    rig.drain()
    assert rig.session.wants_data
    assert rig.session.received_sample == 320


def test_packets_that_are_processed_together_count_one_by_one() -> None:
    rig = Rig(StreamParameters(seq=True, frame_ms=2.5))
    packets = encode_packets(silence(0.0025 * 3 * MAX_STEPS_AT_ONCE), 2.5)
    rig.session.receive_data(
        b"".join(pack(packet, number) for number, packet in enumerate(packets)), now=rig.now
    )
    assert 0 < rig.session.received_sample < (MAX_STEPS_AT_ONCE + MERGED_PACKETS) * 40
    assert not rig.session.wants_data
    rig.drain()
    assert rig.session.received_sample == 3 * MAX_STEPS_AT_ONCE * 40


def test_messages_that_arrive_together_are_received_in_one_call() -> None:
    apart, together = Rig(), Rig()
    messages = [pack(packet, number) for number, packet in enumerate(PAIR_PACKETS)]
    for at in range(0, len(messages), 5):
        for rig in (apart, together):
            rig.wait(0.1)
        together.session.receive_data(*messages[at : at + 5], now=together.now)
        together.drain()
        for message in messages[at : at + 5]:
            apart.send(message)
    assert len(utterances(together)) == 2
    assert utterances(together) == utterances(apart)
    assert together.session.received_sample == len(PAIR_PACKETS) * 320


def test_valid_messages_before_an_invalid_one_are_received_and_later_ones_are_not() -> None:
    rig = Rig()
    messages = [pack(packet, number) for number, packet in enumerate(PAIR_PACKETS[:3])]
    with pytest.raises(RemoteProtocolError):
        rig.session.receive_data(*messages[:2], b"\0\0", messages[2], now=rig.now)
    assert rig.session.received_sample == 640


def test_unacknowledged_finals_are_bounded() -> None:
    rig = Rig(parameters=StreamParameters(seq=True, partials=False))
    number = 0
    while len(rig.finals) < MAX_FINALS + 5:
        for packet in PAIR_PACKETS[20:30]:
            rig.send(pack(packet, number))
            number += 1
        rig.command(Finalize())
    assert len(rig.session.journal.finals) == MAX_FINALS


def test_two_sessions_at_one_transcriber_have_separate_jobs() -> None:
    first, second = Rig(name="A"), Rig(name="B")
    for rig in (first, second):
        rig.speak(PAIR_PACKETS)
    assert not {job.id for job in first.jobs} & {job.id for job in second.jobs}
    assert not {job.utterance for job in first.jobs} & {job.utterance for job in second.jobs}
    assert utterances(first) == utterances(second)


def refuse(kinds: set[JobKind], error: AuricleError, times: float = inf) -> Callable[[Job], Answer]:
    left = [times]

    def answer(job: Job) -> Answer:
        if job.kind in kinds and left[0] > 0:
            left[0] -= 1
            return error
        return echo(job)

    return answer


def test_an_overload_costs_partials_and_time_but_no_text() -> None:
    clean = Rig()
    clean.speak(PAIR_PACKETS)
    rig = Rig(answer_with=refuse(set(JobKind), Overloaded("full", 1), times=12))
    rig.speak(PAIR_PACKETS)
    rig.wait(30)
    assert utterances(rig) == utterances(clean)


def test_an_utterance_that_kills_the_engine_is_tried_as_a_final_and_reported_with_an_error() -> (
    None
):
    died = Superseded("a worker died of it")

    def answer(job: Job) -> Answer:
        if not job.utterance.endswith(":1"):
            return echo(job)
        return PoisonJob("twice") if job.kind is JobKind.FINAL else died

    rig = Rig(answer_with=answer)
    rig.speak(PAIR_PACKETS)
    rig.wait(5)
    first, second = rig.finals
    assert (first.text, first.error, first.utterance) == ("", "poison_job", 1)
    assert (second.error, second.utterance) == (None, 2)
    assert len([job for job in rig.jobs_of(JobKind.FINAL) if job.utterance == "S:1"]) == 1
    rig.command(Stop())
    assert rig.session.is_closed


def test_poison_stops_the_partials_at_its_own_utterance_only() -> None:
    rig = Rig(
        answer_with=lambda job: (
            PoisonJob("twice")
            if job.kind is JobKind.PARTIAL and job.utterance == "S:1"
            else echo(job)
        )
    )
    rig.speak(encode_packets(np.concatenate([FELLOW, silence(1), FELLOW, silence(1)])))
    guesses = [job.utterance for job in rig.jobs_of(JobKind.PARTIAL)]
    assert guesses.count("S:1") == 1
    assert guesses.count("S:2") >= 4
    assert [final.error for final in rig.finals] == [None, None]


def test_an_empty_result_gives_an_empty_final() -> None:
    rig = Rig(answer_with=lambda job: transcript("", job, segments=()))
    rig.speak(PAIR_PACKETS)
    assert [(final.text, final.error) for final in rig.finals] == [("", None)] * 2
    assert rig.partials == []


def test_an_answer_without_a_waiting_caller_is_ignored() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS)
    before = len(rig.events)
    for job in rig.jobs:
        rig.answer(job.id, transcript("again", job))
    assert len(rig.events) == before


def test_time_that_goes_back_is_no_trouble() -> None:
    rig = Rig()
    for index, packet in enumerate(PAIR_PACKETS):
        rig.session.receive_data(pack(packet, index), now=100.0 + index * 0.02 - (index % 7))
        rig.now = 100.0 + index * 0.02
        rig.drain()
    assert len(rig.finals) == 2
