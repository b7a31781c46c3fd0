"""Resumed and new sessions after a lost connection."""

from dataclasses import replace

import pytest

from auricle.apis.native.wire.stream import Resume, Start, decode_command, parse_query
from auricle.client.conversation import CatchingUp, Connected, Conversation, State
from auricle.client.kept_audio import LEAD_IN_SAMPLES
from auricle.values.commands import Ack, Stop
from auricle.values.events import (
    AudioProgress,
    Final,
    FinalSpeakers,
    Partial,
    Ready,
    SpeakerRevision,
    SpeakerSegment,
    Warned,
    WarningCode,
    Wire,
)
from auricle.values.types import Gap, Speaker, Word
from tests.client.conversation.helpers import (
    CLOSED,
    SECOND,
    commands,
    final,
    forgotten,
    in_pcm,
    messages,
    opened,
    ready,
    spans,
    speech,
)

pytestmark = pytest.mark.unit


def test_it_resumes_with_the_secret_of_the_session_and_its_last_final() -> None:
    talk = opened(language="de", max_lag_s=2.5)
    waiter = talk.query()["waiter"]
    talk.receive_pcm(speech(4))
    list(messages(talk))
    talk.receive_event(final(1, 0, 2 * SECOND))
    talk.disconnected()
    assert decode_command(talk.connected()) == Resume("A", "secret of A", 1)
    query = talk.query()
    assert (query["resume"], query["session"], query["waiter"]) == ("1", "A", waiter)
    parameters = parse_query(query)
    assert (parameters.language, parameters.format, parameters.seq) == ("de", Wire.PCM16, True)
    assert (parameters.start_sample, parameters.safe_sample) == (0, 2 * SECOND)
    assert parameters.max_lag_s == 2.5
    assert "secret" not in str(query)


def test_it_continues_where_the_server_is() -> None:
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


def test_a_new_session_receives_unsafe_audio_again_and_the_warm_up_before_it() -> None:
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


def labelled(final: Final, speaker: int) -> Final:
    start, end = final.start_sample, final.end_sample
    return replace(
        final,
        words=(Word(start, end, f" {final.text}", 0.9, speaker=speaker),),
        speaker=speaker,
        segments=(SpeakerSegment(start, end, final.text, speaker),),
    )


def test_speakers_of_a_new_session_have_new_numbers() -> None:
    talk = opened(speakers=True)
    talk.receive_pcm(speech(4))
    list(messages(talk))
    (first,) = talk.receive_event(labelled(final(1, 0, SECOND), 0))
    (second,) = talk.receive_event(labelled(final(2, SECOND, 2 * SECOND), 1))
    assert isinstance(first, Final)
    assert isinstance(second, Final)
    assert (first.speaker, second.speaker) == (0, 1)
    revised = SpeakerRevision((FinalSpeakers(2, 0, second.segments or ()),))
    assert talk.receive_event(revised) == [revised]
    forgotten(talk, 0)
    (third,) = talk.receive_event(labelled(final(1, 2 * SECOND, 3 * SECOND), 0))
    assert isinstance(third, Final)
    assert (third.id, third.speaker) == (3, 2)
    assert [segment.speaker for segment in third.segments or ()] == [2]
    assert [word.speaker for word in third.words or ()] == [2]
    known = (Speaker(1, "Ann"),)
    (revision,) = talk.receive_event(SpeakerRevision((FinalSpeakers(1, 1, (), known),)))
    assert revision == SpeakerRevision((FinalSpeakers(3, 3, (), (Speaker(3, "Ann"),)),))
    named = replace(labelled(final(2, 3 * SECOND, 4 * SECOND), 1), speakers=known)
    (fourth,) = talk.receive_event(named)
    assert isinstance(fourth, Final)
    assert fourth.speakers == (Speaker(3, "Ann"),)
    assert talk.receive_event(SpeakerRevision((FinalSpeakers(9, 1, ()),))) == []


def spoken_by(talk: Conversation, id: int, at_s: int, speaker: int) -> int | None:
    """Return the number that the application gets for the speaker of a final."""
    end = (at_s + 1) * SECOND
    (event,) = talk.receive_event(labelled(final(id, at_s * SECOND, end), speaker))
    assert isinstance(event, Final)
    return event.speaker


def test_speakers_that_a_new_session_knows_keep_their_numbers() -> None:
    talk = opened(speakers=True)
    talk.receive_pcm(speech(6))
    list(messages(talk))
    assert [spoken_by(talk, id, id - 1, speaker) for id, speaker in ((1, 0), (2, 1))] == [0, 1]
    forgotten(talk, 0, speakers_continue=True)
    assert spoken_by(talk, 1, 2, 1) == 1
    forgotten(talk, 0)
    assert spoken_by(talk, 1, 3, 0) == 2
    forgotten(talk, 0, speakers_continue=True)
    assert [spoken_by(talk, id, id + 3, speaker) for id, speaker in ((1, 1), (2, 0))] == [3, 2]


def test_speakers_keep_their_numbers_if_the_first_new_session_is_at_the_wrong_position() -> None:
    talk = opened(speakers=True, prompt="Of birds.")
    talk.receive_pcm(speech(6))
    list(messages(talk))
    assert spoken_by(talk, 1, 0, 0) == 0
    forgotten(talk, 0)
    assert list(messages(talk)) == [Stop()]
    talk.receive_event(CLOSED)
    talk.disconnected()
    talk.connected()
    talk.receive_event(ready(0, safe=talk.audio.safe_sample, name="C", speakers_continue=True))
    assert spoken_by(talk, 1, 1, 0) == 0


@pytest.mark.parametrize("parameters", [{"prompt": "Of birds."}, {"hotwords": ("Opus",)}])
def test_private_text_stays_out_of_the_url(parameters: dict[str, object]) -> None:
    talk = opened(**parameters)
    talk.receive_pcm(speech(5))
    list(messages(talk))
    talk.receive_event(final(1, 0, 2 * SECOND))
    talk.disconnected()
    query = talk.query()
    assert query == {"resume": "1", "session": "A", "waiter": query["waiter"]}
    talk.connected()
    # The new session is at the wrong position: it is stopped, and another is requested.
    assert talk.receive_event(ready(0, name="B")) == []
    assert talk.state is State.MISPLACED
    assert list(messages(talk)) == [Stop()]
    assert talk.receive_event(CLOSED) == []
    talk.disconnected()
    assert talk.query() == {"session": "A", "waiter": query["waiter"]}
    start = decode_command(talk.connected())
    assert isinstance(start, Start)
    assert (start.start_sample, start.safe_sample) == (0, 2 * SECOND)
    assert (start.session, start.secret) == ("A", "secret of A")  # its readers stay
    talk.receive_event(ready(0, safe=2 * SECOND))
    talk.disconnected()
    assert talk.query() == query


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
    parameters = parse_query(talk.query())
    talk.connected()
    talk.receive_pcm(speech(1))
    talk.audio.drop_above(20 * SECOND)
    again = ready(parameters.start_sample, safe=parameters.safe_sample, name="B")
    connected, gap, _ = talk.receive_event(again)
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


def test_speech_that_is_gone_for_good_is_reported() -> None:
    talk = opened()
    talk.receive_pcm(speech(2))
    list(messages(talk))
    talk.disconnected()
    talk.receive_pcm(speech(8))
    talk.audio.drop_above(3 * SECOND)
    events = forgotten(talk, 7 * SECOND)
    assert events == [Connected(False), Gap(0, 7 * SECOND, "unreachable")]
    assert spans(talk)[0][0] == 7 * SECOND


def test_speech_that_the_session_never_got_is_reported_after_the_finals_before_it() -> None:
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


def test_stop_is_sent_again_if_it_may_be_lost() -> None:
    talk = opened()
    talk.receive_pcm(speech(1))
    talk.finish()
    assert Stop() in commands(talk)
    talk.disconnected()
    talk.connected()
    talk.receive_event(ready(SECOND, resumed=True))
    assert list(messages(talk)) == [Stop()]
