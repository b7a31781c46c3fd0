"""Conversations without I/O: events in, messages out."""

from collections.abc import Iterator
from struct import unpack_from

import msgspec
import numpy as np
import pytest

from auricle.client.conversation import (
    MESSAGE_FRAMES,
    OFFSET,
    UNMARKED_SAMPLES,
    CatchingUp,
    Connected,
    Conversation,
    State,
)
from auricle.client.kept_audio import FRAME_SAMPLES, LEAD_IN_SAMPLES
from auricle.commands import Ack, Configure, Finalize, Stop, StreamParameters
from auricle.events import (
    AudioProgress,
    Closed,
    Failed,
    Final,
    Partial,
    Ready,
    SpeechStarted,
    SwitchFormat,
    Warned,
    WarningCode,
    Wire,
)
from auricle.protocol.framing import PacketFramer
from auricle.protocol.native.stream import Command, Resume, Start, decode_command, parse_query
from auricle.types import SAMPLE_RATE_HZ, Gap, OpusPacket, Pcm16

pytestmark = pytest.mark.unit

SECOND = SAMPLE_RATE_HZ
CLOSED = Closed("stop", 0, 0, 0, 0)


def speech(seconds: float) -> Pcm16:
    return np.zeros(int(seconds * SECOND), np.int16)


def ready(
    received: int = 0, *, safe: int | None = None, resumed: bool = False, name: str = "A"
) -> Ready:
    safe = received if safe is None else safe
    return Ready(name, f"secret of {name}", resumed, True, received, safe)


def final(id: int, start: int, end: int, utterance: int | None = None) -> Final:
    number = id if utterance is None else utterance
    return Final(id, number, f"{start}-{end}", start, end, "en", None, 1.0, False)


def in_pcm(**asked: object) -> Conversation:
    return Conversation(StreamParameters(**asked), None)  # type: ignore[arg-type]  # fields by name


def opened(**asked: object) -> Conversation:
    """Return a conversation in PCM with its first session open."""
    talk = in_pcm(**asked)
    talk.connected()
    talk.receive_event(ready(talk.safe_sample))
    return talk


def messages(talk: Conversation) -> Iterator[Command | tuple[int, int]]:
    """Yield all messages to send: commands, and the start and end of PCM."""
    while (message := talk.next_message()) is not None:
        if isinstance(message, str):
            yield decode_command(message)
        else:
            (at,) = unpack_from("<Q", message)
            yield at, at + (len(message) - OFFSET.size) // 2


def spans(talk: Conversation) -> list[tuple[int, int]]:
    return [message for message in messages(talk) if isinstance(message, tuple)]


def commands(talk: Conversation) -> list[Command]:
    return [message for message in messages(talk) if not isinstance(message, tuple)]


# The first session.


def test_it_begins_with_what_is_asked() -> None:
    talk = in_pcm(language="de", endpoint_ms=300, prompt="Of birds.")
    assert talk.query() == {}
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
    found = [framer.next_numbered_packet() for _ in range(3)]
    assert [(one.packet, one.seq) for one in found if one] == [
        (b"\x07", 0),
        (b"\x08", 1),
        (b"\t", 2),
    ]


def test_what_the_server_tells_is_passed_on() -> None:
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


def test_each_final_is_acknowledged_before_more_is_said() -> None:
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


# The end.


def test_stop_follows_the_last_audio_and_is_said_once() -> None:
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


# Finals on request of the application.


def test_finalize_is_said_at_its_place() -> None:
    talk = opened()
    talk.receive_pcm(speech(0.5))
    talk.finalize()
    talk.finalize()
    talk.receive_pcm(speech(0.5))
    assert list(messages(talk)) == [(0, 8000), Finalize(), (8000, 16_000)]


def test_finalize_is_said_again_at_its_place_until_its_final_is_there() -> None:
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


# Resuming.


def test_it_comes_back_with_what_proves_the_session_and_what_it_has() -> None:
    talk = opened(language="de")
    talk.receive_pcm(speech(4))
    list(messages(talk))
    talk.receive_event(final(1, 0, 2 * SECOND))
    talk.disconnected()
    assert decode_command(talk.connected()) == Resume("A", "secret of A", 1)
    query = talk.query()
    assert (query["resume"], query["session"]) == ("1", "A")
    asked = parse_query(query)
    assert (asked.language, asked.format, asked.seq) == ("de", Wire.PCM16, True)
    assert (asked.start_sample, asked.safe_sample) == (0, 2 * SECOND)
    assert "secret" not in str(query)


def test_it_goes_on_where_the_server_is() -> None:
    talk = opened()
    talk.receive_pcm(speech(2))
    list(messages(talk))
    talk.disconnected()
    talk.receive_pcm(speech(1))
    talk.connected()
    assert talk.receive_event(ready(SECOND + 320, resumed=True)) == [Connected(True)]
    assert spans(talk)[0][0] == SECOND + 320
    assert talk.audio.next_sample == 3 * SECOND


def test_a_final_that_comes_again_is_passed_on_once() -> None:
    talk = opened()
    talk.receive_pcm(speech(3))
    list(messages(talk))
    first = final(1, 0, SECOND)
    assert talk.receive_event(first) == [first]
    talk.disconnected()
    talk.connected()
    talk.receive_event(ready(SECOND, resumed=True))
    assert talk.receive_event(first) == []
    assert talk.receive_event(final(2, SECOND, 2 * SECOND)) == [final(2, SECOND, 2 * SECOND)]


def forgotten(talk: Conversation, received: int) -> list[object]:
    """Reconnect to a server without the session, which starts where requested."""
    talk.disconnected()
    talk.query()
    talk.connected()
    asked = talk.audio.safe_sample
    return list(talk.receive_event(ready(received, safe=asked, name="B")))


def test_a_new_session_hears_again_what_is_not_safe_and_the_time_to_tune_in() -> None:
    talk = opened()
    talk.receive_pcm(speech(40))
    list(messages(talk))
    talk.receive_event(final(1, 0, 30 * SECOND))
    assert forgotten(talk, 30 * SECOND - LEAD_IN_SAMPLES) == [Connected(False)]
    assert spans(talk)[0][0] == 30 * SECOND - LEAD_IN_SAMPLES
    assert talk.safe_sample == 30 * SECOND


def test_numbers_count_on_over_all_sessions() -> None:
    talk = opened()
    talk.receive_pcm(speech(10))
    list(messages(talk))
    talk.receive_event(final(1, 0, SECOND))
    talk.receive_event(final(2, SECOND, 2 * SECOND))
    forgotten(talk, 0)
    list(messages(talk))
    [partial] = talk.receive_event(Partial(1, "", "x", 2 * SECOND, 3 * SECOND))
    assert isinstance(partial, Partial)
    assert partial.utterance == 3
    [third] = talk.receive_event(final(1, 2 * SECOND, 3 * SECOND))
    assert isinstance(third, Final)
    assert (third.id, third.utterance) == (3, 3)
    assert commands(talk) == [Ack(1)]  # numbered within the session


@pytest.mark.parametrize("asked", [{"prompt": "Of birds."}, {"hotwords": ("Opus",)}])
def test_words_of_somebodys_stay_out_of_the_address(asked: dict[str, object]) -> None:
    talk = opened(**asked)
    talk.receive_pcm(speech(5))
    list(messages(talk))
    talk.receive_event(final(1, 0, 2 * SECOND))
    talk.disconnected()
    assert talk.query() == {"resume": "1", "session": "A"}
    talk.connected()
    # The new session is at the wrong position: it is stopped, and another is requested.
    assert talk.receive_event(ready(0, name="B")) == []
    assert talk.state is State.MISPLACED
    assert list(messages(talk)) == [Stop()]
    assert talk.receive_event(CLOSED) == []
    talk.disconnected()
    assert talk.query() == {}
    start = decode_command(talk.connected())
    assert isinstance(start, Start)
    assert (start.start_sample, start.safe_sample) == (0, 2 * SECOND)


def test_a_server_that_starts_elsewhere_than_asked_is_asked_again() -> None:
    talk = opened()
    talk.receive_pcm(speech(40))
    list(messages(talk))
    talk.receive_event(final(1, 0, 30 * SECOND))
    assert forgotten(talk, 0) == []
    assert talk.state is State.MISPLACED


def test_audio_dropped_while_connecting_does_not_misplace_a_session() -> None:
    talk = opened()
    talk.receive_pcm(speech(40))
    list(messages(talk))
    talk.receive_event(final(1, 0, 10 * SECOND))
    talk.disconnected()
    talk.audio.drop_above(20 * SECOND)
    asked = parse_query(talk.query())
    talk.connected()
    talk.receive_pcm(speech(1))
    talk.audio.drop_above(20 * SECOND)
    found = ready(asked.start_sample, safe=asked.safe_sample, name="B")
    connected, gap, _ = talk.receive_event(found)
    assert connected == Connected(False)
    assert gap == Gap(10 * SECOND, 21 * SECOND, "unreachable")
    assert spans(talk)[0][0] == 21 * SECOND


def test_marks_of_a_session_that_started_elsewhere_hide_no_loss() -> None:
    talk = opened()
    talk.receive_pcm(speech(40))
    list(messages(talk))
    talk.receive_event(final(1, 0, 5 * SECOND))
    talk.disconnected()
    talk.audio.drop_above(5 * SECOND)
    talk.query()
    talk.connected()
    assert talk.receive_event(ready(0, safe=0, name="B")) == []
    list(messages(talk))
    for event in (
        AudioProgress(34 * SECOND, 34 * SECOND),
        final(1, 5 * SECOND, 34 * SECOND),
        Partial(1, "", "x", 0, 1),
        CLOSED,
    ):
        assert talk.receive_event(event) == []
    assert (talk.safe_sample, talk.received_sample) == (5 * SECOND, 0)
    talk.disconnected()
    talk.connected()
    connected, gap, *_ = talk.receive_event(ready(35 * SECOND, name="C"))
    assert connected == Connected(False)
    assert gap == Gap(5 * SECOND, 35 * SECOND, "unreachable")


def test_a_session_that_cant_be_resumed_is_not_asked_for() -> None:
    talk = in_pcm()
    talk.connected()
    talk.receive_event(Ready("A", "s", False, False, 0, 0))
    talk.disconnected()
    assert isinstance(decode_command(talk.connected()), Start)


def test_speech_that_is_gone_for_good_is_told() -> None:
    talk = opened()
    talk.receive_pcm(speech(2))
    list(messages(talk))
    talk.disconnected()
    talk.receive_pcm(speech(8))
    talk.audio.drop_above(3 * SECOND)
    told = forgotten(talk, 7 * SECOND)
    assert told == [Connected(False), Gap(0, 7 * SECOND, "unreachable")]
    assert spans(talk)[0][0] == 7 * SECOND


def test_speech_that_the_session_never_got_is_told_after_the_finals_before_it() -> None:
    talk = opened()
    talk.receive_pcm(speech(10))
    list(messages(talk))
    talk.disconnected()
    talk.receive_pcm(speech(20))
    talk.limit(15 * SECOND)
    talk.connected()
    connected, behind = talk.receive_event(ready(10 * SECOND, safe=0, resumed=True))
    assert (connected, behind) == (Connected(True), CatchingUp(30.0))
    assert spans(talk)[0][0] == 15 * SECOND
    one = final(1, 4 * SECOND, 10 * SECOND)
    gap = Gap(10 * SECOND, 15 * SECOND, "unreachable")
    assert talk.receive_event(one) == [one, gap, CatchingUp(20.0)]
    # If that session has expired too, only gaps that were not reported yet are reported.
    talk.receive_pcm(speech(4))
    talk.disconnected()
    talk.limit(10 * SECOND)
    assert forgotten(talk, 24 * SECOND) == [
        Connected(False),
        Gap(15 * SECOND, 24 * SECOND, "unreachable"),
        CatchingUp(10.0),
    ]


def test_after_a_long_outage_it_says_how_far_the_text_is_behind() -> None:
    talk = opened()
    talk.receive_pcm(speech(4))
    list(messages(talk))
    talk.receive_event(AudioProgress(4 * SECOND, 4 * SECOND))
    talk.disconnected()
    talk.receive_pcm(speech(60))
    assert forgotten(talk, 0) == [Connected(False), CatchingUp(60.0)]
    list(messages(talk))
    assert talk.receive_event(AudioProgress(20 * SECOND, 4 * SECOND + 8000)) == []
    assert talk.receive_event(AudioProgress(40 * SECOND, 34 * SECOND)) == [CatchingUp(30.0)]
    partial = Partial(1, "", "x", 35 * SECOND, 54 * SECOND)
    assert talk.receive_event(partial) == [partial, CatchingUp(10.0)]
    assert talk.receive_event(AudioProgress(64 * SECOND, 60 * SECOND)) == [CatchingUp(0.0)]
    assert talk.receive_event(AudioProgress(64 * SECOND, 64 * SECOND)) == []


def test_a_short_outage_is_nothing_to_catch_up() -> None:
    talk = opened()
    talk.disconnected()
    talk.receive_pcm(speech(9))
    assert forgotten(talk, 0) == [Connected(False)]


def test_what_was_never_captured_is_silence_and_a_gap_after_the_text_before_it() -> None:
    talk = opened()
    talk.receive_pcm(speech(1))
    talk.skip(2 * SECOND)
    talk.receive_pcm(speech(1))
    assert spans(talk)[-1][1] == 4 * SECOND
    assert talk.receive_event(AudioProgress(4 * SECOND, 0)) == []
    one = final(1, 0, SECOND)
    assert talk.receive_event(one) == [one, Gap(SECOND, 3 * SECOND, "not_captured")]


def test_the_servers_word_of_a_gap_is_not_passed_on_as_it_is_reported_with_its_place() -> None:
    talk = opened()
    assert talk.receive_event(Warned(WarningCode.AUDIO_GAP, "Missing.", 40)) == []


def test_a_connection_that_is_too_slow_loses_blocks_and_no_crumbs() -> None:
    talk = opened()
    talk.receive_pcm(speech(1))
    assert next(messages(talk)) == (0, SECOND)
    talk.receive_event(AudioProgress(SECOND, SECOND))
    for _ in range(60):
        talk.receive_pcm(speech(1))
        talk.limit(40 * SECOND)
    assert talk.audio.first_sample == 23 * SECOND
    assert next(messages(talk)) == (23 * SECOND, 24 * SECOND)
    assert talk.receive_event(AudioProgress(SECOND, SECOND)) == [
        Gap(SECOND, 23 * SECOND, "too_slow")
    ]


def test_what_is_kept_is_lost_when_the_server_is_given_up() -> None:
    talk = opened()
    talk.receive_pcm(speech(5))
    list(messages(talk))
    talk.receive_event(final(1, 0, 2 * SECOND))
    talk.disconnected()
    assert talk.give_up("unreachable") == [Gap(2 * SECOND, 5 * SECOND, "unreachable")]


def test_stop_is_said_again_to_a_server_that_may_not_have_heard_it() -> None:
    talk = opened()
    talk.receive_pcm(speech(1))
    talk.finish()
    assert Stop() in commands(talk)
    talk.disconnected()
    talk.connected()
    talk.receive_event(ready(SECOND, resumed=True))
    assert list(messages(talk)) == [Stop()]


# Configuration changes.


def test_a_change_is_told_at_once_and_again_after_a_return() -> None:
    talk = opened()
    talk.configure(Configure(language="fr"))
    [told] = commands(talk)
    assert isinstance(told, Configure)
    assert (told.language, told.endpoint_ms, told.format) == ("fr", msgspec.UNSET, Wire.PCM16)
    talk.disconnected()
    talk.connected()
    talk.receive_event(ready(0, resumed=True))
    assert commands(talk) == [told]


def test_a_change_holds_for_a_new_session_too() -> None:
    talk = opened(language="en")
    talk.receive_pcm(speech(1))
    list(messages(talk))
    talk.configure(Configure(language=None, endpoint_ms=900))
    forgotten(talk, 0)
    assert parse_query(talk.query()).endpoint_ms == 900
    assert "language" not in talk.query()


def test_the_format_is_not_the_applications_to_change() -> None:
    talk = Conversation(StreamParameters(), lambda pcm: OpusPacket(b"x"))
    talk.connected()
    talk.receive_event(ready())
    talk.configure(Configure(format=Wire.OGG, sample_rate=48_000, language="fr"))
    [told] = commands(talk)
    assert isinstance(told, Configure)
    assert (told.format, told.sample_rate) == (msgspec.UNSET, msgspec.UNSET)
    assert parse_query(talk.query()).format is Wire.OPUS


def test_pcm_follows_once_the_server_asks_for_it() -> None:
    talk = Conversation(StreamParameters(), lambda pcm: OpusPacket(b"x"))
    talk.connected()
    talk.receive_event(ready())
    talk.receive_pcm(speech(0.04))
    assert talk.next_message() == b"\x01\x00x\x00\x00\x00\x00\x01\x00x\x01\x00\x00\x00"
    assert talk.receive_event(SwitchFormat(Wire.PCM16, "why")) == []
    talk.receive_pcm(speech(0.02))
    told, span = messages(talk)
    assert isinstance(told, Configure)
    assert told.format is Wire.PCM16
    assert span == (640, 960)


def test_another_format_than_pcm_is_not_what_it_can_send() -> None:
    talk = Conversation(StreamParameters(), lambda pcm: OpusPacket(b"x"))
    talk.connected()
    talk.receive_event(ready())
    talk.receive_event(SwitchFormat(Wire.WEBM, "why"))
    assert commands(talk) == []
