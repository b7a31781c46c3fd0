"""What the client sends and receives within one session."""

import numpy as np
import pytest

from auricle.apis.native.wire.stream import Start, decode_command
from auricle.client.conversation import (
    MESSAGE_FRAMES,
    UNMARKED_SAMPLES,
    Connected,
    Conversation,
    State,
)
from auricle.client.kept_audio import FRAME_SAMPLES
from auricle.protocol.framing import PacketFramer
from auricle.values.commands import Ack, Finalize, Stop, StreamParameters
from auricle.values.events import AudioProgress, Failed, SpeechStarted, Warned, WarningCode, Wire
from auricle.values.types import SAMPLE_RATE_HZ, OpusPacket
from tests.client.conversation.helpers import (
    CLOSED,
    SECOND,
    commands,
    final,
    in_pcm,
    messages,
    opened,
    ready,
    spans,
    speech,
)

pytestmark = pytest.mark.unit


def test_it_begins_with_what_is_asked() -> None:
    talk = in_pcm(language="de", endpoint_ms=300, prompt="Of birds.")
    assert talk.query().keys() == {"waiter"}
    start = decode_command(talk.connected())
    assert isinstance(start, Start)
    assert (start.language, start.endpoint_ms, start.prompt) == ("de", 300, "Of birds.")
    assert (start.format, start.sample_rate, start.seq) == (Wire.PCM16, SAMPLE_RATE_HZ, True)


def test_nothing_is_sent_before_the_server_is_ready() -> None:
    talk = in_pcm()
    talk.receive_pcm(speech(1))
    talk.finalize()
    talk.connected()
    assert talk.is_waiting
    assert list(messages(talk)) == []
    assert talk.receive_event(ready()) == [Connected(False)]
    assert spans(talk) == [(0, SECOND)]


def test_a_backlog_goes_out_in_messages_of_a_second() -> None:
    talk = opened()
    talk.receive_pcm(speech(2.5))
    step = MESSAGE_FRAMES * FRAME_SAMPLES
    assert spans(talk) == [(0, step), (step, 2 * step), (2 * step, 2 * step + 8000)]


def test_opus_packets_are_framed_and_numbered() -> None:
    talk = Conversation(StreamParameters(), lambda pcm: OpusPacket(bytes([pcm[0] % 256])))
    talk.connected()
    talk.receive_event(ready())
    talk.receive_pcm(np.repeat(np.arange(7, 10, dtype=np.int16), FRAME_SAMPLES))
    message = talk.next_message()
    assert isinstance(message, bytes)
    framer = PacketFramer(with_seq=True)
    framer.receive_data(message)
    packets = [framer.next_numbered_packet() for _ in range(3)]
    assert [(one.packet, one.seq) for one in packets if one] == [
        (b"\x07", 0),
        (b"\x08", 1),
        (b"\t", 2),
    ]


def test_events_of_the_server_are_passed_on() -> None:
    talk = opened()
    for event in (SpeechStarted(5), Warned(WarningCode.SLOW, "Slow."), Failed("x", "No.", False)):
        assert talk.receive_event(event) == [event]


def test_marks_are_not_the_applications_business() -> None:
    talk = opened()
    talk.receive_pcm(speech(3))
    list(messages(talk))
    assert talk.receive_event(AudioProgress(2 * SECOND, SECOND)) == []
    assert (talk.received_sample, talk.safe_sample) == (2 * SECOND, SECOND)


def test_a_server_may_not_call_safe_what_was_not_sent() -> None:
    talk = opened()
    talk.receive_pcm(speech(3))
    talk.receive_event(AudioProgress(0, 10 * SECOND))
    assert talk.safe_sample == 0
    assert spans(talk)[0][0] == 0


def test_each_final_is_acknowledged_before_more_audio_is_sent() -> None:
    talk = opened()
    talk.receive_pcm(speech(1))
    assert talk.receive_event(final(1, 0, 100)) == [final(1, 0, 100)]
    assert next(messages(talk)) == Ack(1)


def test_a_server_that_owes_marks_is_waited_for() -> None:
    talk = opened()
    talk.receive_pcm(speech(UNMARKED_SAMPLES / SECOND))
    list(messages(talk))
    assert not talk.is_waiting
    talk.receive_pcm(speech(0.02))
    list(messages(talk))
    assert talk.is_waiting
    talk.receive_event(AudioProgress(UNMARKED_SAMPLES, 0))
    assert not talk.is_waiting


def test_stop_follows_the_last_audio_and_is_sent_once() -> None:
    talk = opened()
    talk.receive_pcm(speech(0.5))
    talk.finish()
    talk.finish()
    assert list(messages(talk)) == [(0, 8000), Stop()]
    assert talk.is_waiting
    assert talk.receive_event(CLOSED) == [CLOSED]
    assert talk.state is State.OVER


def test_nothing_is_acknowledged_after_stop() -> None:
    talk = opened()
    talk.finish()
    list(messages(talk))
    assert talk.receive_event(final(1, 0, 1))
    assert list(messages(talk)) == []


def test_a_session_that_the_server_ends_early_is_followed_by_another() -> None:
    talk = opened()
    talk.receive_pcm(speech(1))
    list(messages(talk))
    assert talk.receive_event(CLOSED) == []
    assert talk.state is State.WAITING
    talk.disconnected()
    assert isinstance(decode_command(talk.connected()), Start)


def test_finalize_is_sent_at_its_place() -> None:
    talk = opened()
    talk.receive_pcm(speech(0.5))
    talk.finalize()
    talk.finalize()
    talk.receive_pcm(speech(0.5))
    assert list(messages(talk)) == [(0, 8000), Finalize(), (8000, 16_000)]


def test_finalize_is_sent_again_at_its_place_until_its_final_is_there() -> None:
    talk = opened()
    talk.receive_pcm(speech(0.5))
    talk.finalize()
    talk.receive_pcm(speech(0.5))
    list(messages(talk))
    talk.disconnected()
    talk.connected()
    talk.receive_event(ready(4800, resumed=True))
    assert list(messages(talk)) == [(4800, 8000), Finalize(), (8000, 16_000)]
    talk.receive_event(final(1, 0, 8000))
    talk.disconnected()
    talk.connected()
    talk.receive_event(ready(16_000, resumed=True))
    assert Finalize() not in commands(talk)
