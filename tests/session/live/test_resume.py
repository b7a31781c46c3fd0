"""Sessions that continue on another connection."""

import pytest

from auricle.audio.gate import GRID_SAMPLES
from auricle.protocol.framing import pack
from auricle.values.commands import Ack, Finalize, Stop, StreamParameters
from auricle.values.events import Closed, Ready
from tests.session.live.helpers import PAIR_AND_SILENCE, PAIR_PACKETS, pcm_rig
from tests.support.session import Rig, transcript, utterances

pytestmark = pytest.mark.unit


def test_a_session_continues_over_connections() -> None:
    clean = Rig()
    clean.speak(PAIR_PACKETS)
    rig = Rig()
    rig.speak(PAIR_PACKETS[:70])
    rig.wait(5.0)
    rig.reconnect(0)
    first, second = rig.of(Ready)
    assert (second.session, second.secret, second.resumed) == (first.session, first.secret, True)
    assert second.received_sample == 70 * 320
    rig.speak(PAIR_PACKETS[60:], 60)  # a part of it again
    assert utterances(rig) == utterances(clean)
    assert rig.warnings == []


def test_finals_that_were_missed_are_reported_once_and_in_order() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS * 2)
    finals = rig.finals
    assert [final.id for final in finals] == [1, 2, 3, 4]
    rig.command(Ack(1))
    rig.events.clear()
    rig.reconnect(2)
    assert isinstance(rig.events[0], Ready)
    assert rig.finals == finals[2:]
    rig.events.clear()
    rig.reconnect()  # without last_result, a client gets all finals that it has not acknowledged
    assert rig.finals == finals[2:]
    rig.command(Ack(4))
    rig.events.clear()
    rig.reconnect(0)
    assert rig.finals == []


def test_finals_without_a_connection_are_kept() -> None:
    rig = Rig(answer_with=lambda job: None)
    rig.speak(PAIR_PACKETS)
    rig.session.detach(rig.now)
    rig.wait(3.0)
    events = len(rig.events)
    for job in list(rig.open_jobs.values()):
        rig.answer(job.id, transcript(job.id, job))
    assert len(rig.events) == events
    assert [final.utterance for final in rig.session.journal.finals] == [1, 2]
    rig.session.attach(rig.now, 0)
    rig.drain()
    ready = rig.of(Ready)[-1]
    assert ready.safe_sample <= rig.finals[0].start_sample  # they may be lost in transit too
    assert [final.id for final in rig.finals] == [1, 2]
    assert rig.marks[-1].safe_sample > rig.finals[1].start_sample


def test_what_is_safe_counts_only_what_the_client_has() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS)
    rig.reconnect(1)
    assert rig.of(Ready)[-1].safe_sample <= rig.finals[1].start_sample
    rig.reconnect(2)
    assert rig.of(Ready)[-1].safe_sample == rig.session.safe_sample > rig.finals[1].start_sample


def test_a_finished_session_sends_its_last_finals_and_its_end_again() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS)
    rig.command(Stop())
    closed = rig.of(Closed)[0]
    for _ in range(2):
        rig.events.clear()
        rig.reconnect(1)
        assert [type(event) for event in rig.events] == [
            Ready,
            *[type(event) for event in rig.events[1:-2]],
            type(rig.marks[-1]),
            Closed,
        ]
        assert [final.id for final in rig.finals] == [2]
        assert rig.events[-1] == closed
        assert rig.of(Ready)[0].received_sample == len(PAIR_PACKETS) * 320
        rig.speak(PAIR_PACKETS, len(PAIR_PACKETS))
        assert [final.id for final in rig.finals] == [2]
    assert rig.session.is_closed


def test_an_end_is_sent_to_the_next_connection() -> None:
    rig = Rig(answer_with=lambda job: None)
    rig.speak(PAIR_PACKETS[:50])
    rig.command(Stop())
    rig.session.detach(rig.now)
    for job in list(rig.open_jobs.values()):
        rig.answer(job.id, transcript("one", job))
    assert not rig.session.is_closed
    rig.session.attach(rig.now, 0)
    rig.drain()
    assert rig.session.is_closed
    assert isinstance(rig.events[-1], Closed)


def test_a_second_connection_takes_over_in_the_middle_of_a_packet() -> None:
    rig, clean = Rig(), Rig()
    clean.speak(PAIR_PACKETS)
    rig.speak(PAIR_PACKETS[:70])
    rig.send(pack(PAIR_PACKETS[70], 70)[:15])
    rig.session.attach(rig.now, 0)  # without detach
    rig.drain()
    assert rig.of(Ready)[-1].received_sample == 70 * 320
    rig.speak(PAIR_PACKETS[70:], 70)
    assert utterances(rig) == utterances(clean)


def test_messages_not_sent_to_the_old_connection_are_not_sent_to_the_new_one() -> None:
    rig = Rig()
    rig.session.receive_data(pack(PAIR_PACKETS[0], 0), now=rig.now)
    rig.session.receive_command(Finalize(), rig.now)  # emits marks
    rig.session.attach(rig.now, 0)
    assert isinstance(rig.session.next_output(), Ready)
    assert rig.session.next_output() is None


def test_what_was_not_worked_off_is_asked_for_again() -> None:
    rig = Rig()
    rig.session.receive_data(
        b"".join(pack(packet, index) for index, packet in enumerate(PAIR_PACKETS)), now=rig.now
    )
    assert not rig.session.wants_data
    taken = rig.session.received_sample
    assert taken < len(PAIR_PACKETS) * 320
    rig.session.detach(rig.now)
    rig.session.attach(rig.now, 0)
    rig.drain()
    assert rig.of(Ready)[-1].received_sample == taken
    assert rig.session.wants_data
    rig.speak(PAIR_PACKETS[taken // 320 :], taken // 320)
    clean = Rig()
    clean.speak(PAIR_PACKETS)
    assert utterances(rig) == utterances(clean)


def test_warnings_wait_for_the_next_connection() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS[:50])
    rig.session.detach(rig.now)
    rig.send(pack(PAIR_PACKETS[60], 60))
    rig.session.attach(rig.now)
    rig.drain()
    rig.speak(PAIR_PACKETS[61:], 61)
    (warned,) = rig.warnings
    assert warned.gap_ms == 200


def test_a_new_session_starts_its_clock_at_the_requested_sample() -> None:
    start_sample = 20 * GRID_SAMPLES
    rig = Rig(parameters=StreamParameters(seq=True, start_sample=start_sample, language="en"))
    ready = rig.of(Ready)[0]
    assert (ready.received_sample, ready.safe_sample) == (start_sample, start_sample)
    rig.speak(PAIR_PACKETS, 500)
    rig.command(Stop())
    clean = Rig()
    clean.speak(PAIR_PACKETS)
    assert [
        (start - start_sample, end - start_sample, text) for start, end, text in utterances(rig)
    ] == (utterances(clean))
    assert rig.of(Closed)[0].audio_samples == len(PAIR_PACKETS) * 320
    assert rig.marks[-1].received_seq == 499 + len(PAIR_PACKETS)


def test_speech_in_the_warm_up_of_a_new_session_is_not_reported() -> None:
    clean = pcm_rig(seq=True)
    clean.speak_pcm(PAIR_AND_SILENCE, 0)
    border = clean.finals[0].end_sample
    rig = pcm_rig(seq=True, safe_sample=border)
    assert rig.of(Ready)[0].safe_sample == border
    rig.speak_pcm(PAIR_AND_SILENCE, 0)
    assert utterances(rig) == utterances(clean)[1:]
    short = pcm_rig(seq=True, safe_sample=border)
    short.speak_pcm(PAIR_AND_SILENCE[: border // 2], 0)
    short.command(Stop())
    assert utterances(short) == []
    assert all(mark.safe_sample >= border for mark in [*rig.marks, *short.marks])
