"""A live session as a whole, with real packets and real voice detection."""

import numpy as np
import pytest

from auricle.events import Closed, Ready, SpeechEnded, SpeechStarted
from auricle.protocol.native import Stop
from auricle.types import JobKind
from tests.fakes.clips import CLIPS
from tests.fakes.opus import encode_packets
from tests.fakes.session import Rig, silence

pytestmark = pytest.mark.unit

PAIR = CLIPS["pair.wav"]
PAIR_PACKETS = encode_packets(np.concatenate([PAIR.pcm, silence(1)]))


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


def test_a_final_that_was_foretold_needs_no_other_job() -> None:
    rig = Rig()
    rig.speak(PAIR_PACKETS)
    assert len(rig.jobs_of(JobKind.SPECULATIVE)) == 2
    assert not rig.jobs_of(JobKind.FINAL)
    assert len(rig.finals) == 2
