"""What the streams of a level play."""

import pytest

from auricle.cli.bench.speech import PERIOD_S, stream_speech
from auricle.cli.support.speech_clip import PACKET_S, SpeechClip, speech_clip
from auricle.protocol.framing import PacketFramer
from auricle.values.types import OpusPacket

pytestmark = pytest.mark.unit


@pytest.fixture
def clip() -> SpeechClip:
    return speech_clip()


def packets_of(messages: tuple[bytes, ...]) -> list[OpusPacket]:
    framer, packets = PacketFramer(with_seq=True), []
    for number, message in enumerate(messages):
        framer.receive_data(message)
        numbered = framer.next_numbered_packet()
        assert numbered is not None
        assert numbered.seq == number
        packets.append(numbered.packet)
    return packets


def test_the_first_stream_plays_the_clip_from_its_start(clip: SpeechClip) -> None:
    speech = stream_speech(clip, 0, 4, 12.0, 3.0)
    assert packets_of(speech.messages) == list(clip.packets[:750])
    assert speech.ends_s == tuple(s.end_s for s in clip.sentences if s.end_s < 12.0)
    assert speech.delay_s == 0.0


def test_each_stream_begins_with_the_pause_before_another_sentence(clip: SpeechClip) -> None:
    starts = []
    for stream in range(9):
        speech = stream_speech(clip, stream, 18, 12.0, 3.0)
        first = packets_of(speech.messages)[0]
        starts.append(clip.packets.index(first))
        assert len(speech.messages) == 15.0 / PACKET_S
        assert speech.delay_s == pytest.approx(PERIOD_S * stream / 18)
        sentence = clip.sentences[stream]
        assert speech.ends_s[0] == pytest.approx(sentence.end_s - starts[-1] * PACKET_S)
        assert sentence.start_s - 1.3 < starts[-1] * PACKET_S < sentence.start_s - 0.9
    assert starts == sorted(set(starts))


def test_it_plays_on_beyond_the_end_of_the_clip(clip: SpeechClip) -> None:
    speech = stream_speech(clip, 8, 9, 100.0, 3.0)
    assert len(speech.messages) == 103.0 / PACKET_S
    assert len(speech.ends_s) > 2 * len(clip.sentences)
    gaps_s = [b - a for a, b in zip(speech.ends_s, speech.ends_s[1:], strict=False)]
    assert max(gaps_s) < 6.0
    assert speech.ends_s[9] - speech.ends_s[0] == pytest.approx(clip.seconds)
