"""Gaps, repeated packets and positions that jump."""

import pytest

from auricle.protocol.framing import pack
from auricle.values.commands import Stop
from auricle.values.events import Closed, WarningCode
from tests.session.live.helpers import PAIR, PAIR_PACKETS, codes, pcm_rig
from tests.support.session import Rig, utterances

pytestmark = pytest.mark.unit


def test_a_gap_is_reported_with_its_length_and_keeps_the_clock() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS[:100])
    rig.speak(PAIR_PACKETS[102:], 102)
    (warned,) = rig.warnings
    assert (warned.code, warned.gap_ms) == (WarningCode.AUDIO_GAP, 40)
    rig.command(Stop())
    closed = rig.of(Closed)[0]
    assert (closed.lost_packets, closed.packets) == (2, len(PAIR_PACKETS) - 2)
    assert closed.audio_samples == len(PAIR_PACKETS) * 320


def test_many_gaps_are_reported_once_a_second_with_all_that_is_missing() -> None:
    rig = Rig()
    for index in range(0, 200, 2):  # every other packet is lost
        rig.wait(0.04)
        rig.send(pack(PAIR_PACKETS[index], index))
    rig.command(Stop())
    assert 4 <= len(rig.warnings) <= 5
    assert sum(warned.gap_ms or 0 for warned in rig.warnings) == 99 * 20


def test_numbers_that_repeat_or_go_back_are_dropped_and_reported_once_a_second() -> None:
    rig, clean = Rig(), Rig()
    clean.speak(PAIR_PACKETS)
    for index, packet in enumerate(PAIR_PACKETS):
        rig.wait(0.02)
        rig.send(pack(packet, index))
        rig.send(pack(PAIR_PACKETS[index // 2], index // 2))
    assert utterances(rig) == utterances(clean)
    assert set(codes(rig)) == {WarningCode.AUDIO_DROPPED}
    assert len(rig.warnings) <= len(PAIR_PACKETS) // 50 + 1


def test_numbers_wrap_round_in_mid_word() -> None:
    rig, clean = Rig(), Rig()
    clean.speak(PAIR_PACKETS)
    for index, packet in enumerate(PAIR_PACKETS):
        rig.wait(0.02)
        rig.send(pack(packet, 2**32 - 100 + index))
    assert utterances(rig) == utterances(clean)
    assert rig.warnings == []
    assert rig.marks[-1].received_seq == (rig.marks[-1].received_sample // 320 - 101) % 2**32


def test_a_gap_of_an_hour_is_no_hour_of_work() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS[:150])
    rig.speak(PAIR_PACKETS, 150 + 50 * 3500)
    assert rig.session.received_sample == (150 + 50 * 3500 + len(PAIR_PACKETS)) * 320
    assert len(rig.finals) == 3
    assert rig.warnings[0].gap_ms == 3500 * 1000


def test_positions_that_jump_go_back_and_overlap() -> None:
    rig = pcm_rig(seq=True)
    rig.speak_pcm(PAIR[:16_000], 0)
    rig.speak_pcm(PAIR[8000:24_000], 8000)
    rig.speak_pcm(PAIR[:320], 0)
    assert rig.session.received_sample == 24_000
    rig.speak_pcm(PAIR[32_000:48_000], 32_000)
    assert rig.session.received_sample == 48_000
    gaps = [w.gap_ms for w in rig.warnings if w.code is WarningCode.AUDIO_GAP]
    assert gaps == [500]
    assert WarningCode.AUDIO_DROPPED in codes(rig)
