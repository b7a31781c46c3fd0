"""Commands that the server ends."""

import pytest

from auricle.apis.wyoming.wire.command_end import MAX_COMMAND_SAMPLES
from auricle.apis.wyoming.wire.events import info_event
from auricle.protocol.dialect import End
from auricle.values.commands import Discard, Stop
from auricle.values.errors import RemoteProtocolError
from auricle.values.events import AudioProgress, SpeechEnded, SpeechStarted, Trigger
from tests.apis.wyoming.service import MONO_16, event, read
from tests.apis.wyoming.wire.talk import CHUNK, CLOSED, MODEL, STOP, Talk, final, partial

pytestmark = pytest.mark.unit

SECOND = event("audio-chunk", MONO_16, bytes(32_000))


@pytest.fixture
def commanded() -> Talk:
    """A command of which two seconds were received."""
    talk = Talk(ends_commands=True)
    talk.begin(event("transcribe", {"language": "en"}), SECOND, SECOND)
    return talk


SPOKEN = (SpeechStarted(0), SpeechEnded(16_000), final("Light on.", trigger=Trigger.MODEL))
ENDING = (*SPOKEN, AudioProgress(32_000, 16_000))


def test_who_ends_a_command_is_described() -> None:
    [info] = read(info_event([MODEL], "1", ends_commands=True))
    assert info.data["asr"][0]["requires_external_vad"] is False


def test_turns_are_detected_and_a_sensitivity_sets_the_pauses() -> None:
    for sensitivity, pauses in ((None, (700, 2000)), ("relaxed", (1250, 3000))):
        parameters, _ = Talk(ends_commands=True).begin(
            event("transcribe", {"vad_sensitivity": sensitivity}), CHUNK
        )
        assert parameters is not None
        assert parameters.turn_detection
        assert (parameters.endpoint_ms, parameters.turn_limit_ms) == pauses


def test_a_finished_turn_is_answered_at_once_and_its_session_ends(commanded: Talk) -> None:
    assert commanded.tell(*ENDING)[-2:] == [
        ("transcript", {"text": "Light on.", "language": "en"}),
        ("transcript-stop", {}),
    ]
    assert commanded.dialect.wants_stop
    assert commanded.hear(CHUNK) == [Discard(), Stop()]
    assert not commanded.dialect.wants_stop
    assert commanded.dialect.has_pending_answer  # until the session is closed


def test_a_text_that_is_there_early_waits_for_silence(commanded: Talk) -> None:
    assert not commanded.dialect.awaits_silence
    assert commanded.tell(*SPOKEN, AudioProgress(27_199, 16_000))[-1][0] == "transcript-chunk"
    assert commanded.dialect.awaits_silence
    replies = commanded.tell(AudioProgress(27_200, 16_000))
    assert [type for type, _ in replies] == ["transcript", "transcript-stop"]
    assert not commanded.dialect.awaits_silence
    assert commanded.hear() == [Discard(), Stop()]


def test_received_audio_that_was_not_processed_yet_may_have_speech(commanded: Talk) -> None:
    commanded.tell(*SPOKEN, AudioProgress(17_000, 16_000))
    assert commanded.hear(SECOND, SECOND) == [bytes(32_000)] * 2
    commanded.tell(SpeechStarted(18_000))
    assert commanded.tell(AudioProgress(64_000, 16_000)) == []


def test_nothing_follows_the_transcript(commanded: Talk) -> None:
    commanded.tell(*ENDING)
    late = (SpeechStarted(32_000), partial("And"), SpeechEnded(48_000), final("And off."))
    assert commanded.tell(*late, CLOSED) == []
    assert commanded.dialect.closing_messages(End("done", 1000)).texts == ()


def test_audio_after_the_end_is_ignored_up_to_audio_stop(commanded: Talk) -> None:
    commanded.tell(*ENDING)
    assert commanded.hear(CHUNK, CHUNK) == [Discard(), Stop()]
    commanded.dialect.finish()
    assert commanded.hear(CHUNK, STOP) == []
    assert not commanded.dialect.has_pending_answer
    assert commanded.begin(CHUNK)[0] is not None


@pytest.mark.parametrize(("payload", "chunks"), [(32_000, 300), (0, 30_000)])
def test_audio_after_the_end_is_not_ignored_for_ever(
    commanded: Talk, payload: int, chunks: int
) -> None:
    chunk = event("audio-chunk", MONO_16, bytes(payload))

    def end_and_send(number: int) -> None:
        commanded.tell(*ENDING)
        commanded.hear()
        commanded.dialect.finish()
        for _ in range(number):
            assert commanded.hear(chunk) == []

    end_and_send(chunks)
    commanded.hear(STOP)
    commanded.begin(SECOND, SECOND)  # the next command has its own limit
    with pytest.raises(RemoteProtocolError, match="after the transcript"):
        end_and_send(chunks + 1)


@pytest.mark.parametrize("next_event", ["transcribe", "audio-start"])
def test_a_next_request_needs_no_audio_stop(commanded: Talk, next_event: str) -> None:
    commanded.tell(*ENDING)
    assert commanded.hear(CHUNK, event(next_event), CHUNK) == [Discard(), Stop()]
    assert commanded.dialect.has_pending_event
    commanded.dialect.finish()
    assert commanded.begin()[0] is not None


def test_after_audio_stop_all_of_the_command_is_in_the_transcript(commanded: Talk) -> None:
    assert commanded.hear(STOP) == [Stop()]
    assert commanded.tell(*ENDING)[-1][0] == "transcript-chunk"
    late = (SpeechStarted(0), final("And off.", trigger=Trigger.MANUAL))
    events = dict(commanded.tell(*late, CLOSED))
    assert events["transcript"]["text"] == "Light on. And off."
    assert not commanded.dialect.wants_stop
    commanded.dialect.finish()
    assert commanded.begin(CHUNK)[0] is not None  # nothing is ignored


def test_a_command_at_a_limit_is_answered_with_what_was_said(commanded: Talk) -> None:
    commanded.tell(SpeechStarted(0))
    assert commanded.tell(AudioProgress(MAX_COMMAND_SAMPLES, 0)) == []
    assert commanded.hear(CHUNK) == [Stop()]
    assert commanded.dialect.has_pending_answer
    replies = commanded.tell(SpeechEnded(0), final("Light on.", trigger=Trigger.MANUAL), CLOSED)
    assert [type for type, _ in replies][-2:] == ["transcript", "transcript-stop"]
    commanded.dialect.finish()
    assert commanded.hear(CHUNK, STOP) == []


def test_an_error_ends_a_command_and_is_reported(commanded: Talk) -> None:
    replies = commanded.tell(SpeechStarted(0), final("", error="internal"))
    assert [type for type, _ in replies] == ["voice-started", "error"]
    assert commanded.dialect.has_failed
    assert commanded.dialect.wants_stop
