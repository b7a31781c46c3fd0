import pytest

from auricle.apis.wyoming.wire.command_end import (
    MAX_COMMAND_SAMPLES,
    NO_SPEECH_SAMPLES,
    CommandEnd,
    CommandPauses,
    pauses_for,
)
from auricle.values.events import AudioProgress, Final, Trigger

pytestmark = pytest.mark.unit


def final(
    text: str,
    trigger: Trigger | None = Trigger.MODEL,
    *,
    end_sample: int = 16_000,
) -> Final:
    return Final(1, 1, text, 0, end_sample, "en", None, 300.0, False, trigger=trigger)


def at(sample: int) -> AudioProgress:
    return AudioProgress(sample, 0)


SILENCE = 11_200


@pytest.fixture
def end() -> CommandEnd:
    """The end of a command that has one utterance, from the start to sample 16,000."""
    found = CommandEnd(700)
    found.start_utterance()
    return found


def test_a_finished_turn_with_text_ends_a_command_after_silence(end: CommandEnd) -> None:
    assert not end.awaits_silence
    end.finish_utterance(final("Turn on the light."))
    assert end.awaits_silence
    assert not end.is_reached(at(16_000 + SILENCE - 1))
    assert end.is_reached(at(16_000 + SILENCE))


def test_the_silence_may_be_over_when_the_text_is_there(end: CommandEnd) -> None:
    assert not end.is_reached(at(16_000 + SILENCE))
    end.finish_utterance(final("Turn on the light."))
    assert end.is_reached(at(16_000 + SILENCE))


def test_speech_that_follows_in_time_belongs_to_the_command(end: CommandEnd) -> None:
    end.start_utterance()
    end.finish_utterance(final("Turn on the light."))
    assert not end.awaits_silence
    assert not end.is_reached(at(100_000))
    end.finish_utterance(final("In the kitchen.", end_sample=80_000))
    assert end.is_reached(at(100_000))


def test_a_noise_does_not_end_a_command(end: CommandEnd) -> None:
    end.finish_utterance(final("", Trigger.TIMEOUT))
    assert not end.is_reached(at(100_000))
    end.start_utterance()
    end.finish_utterance(final("Turn on the light.", Trigger.TIMEOUT))
    assert end.is_reached(at(100_000))


def test_speech_that_was_too_long_for_one_utterance_continues(end: CommandEnd) -> None:
    end.finish_utterance(final("Turn on the", None))
    assert not end.is_reached(at(100_000))
    end.start_utterance()
    end.finish_utterance(final(""))  # the rest was silence, but the command has text
    assert end.is_reached(at(100_000))


def test_a_command_that_nobody_speaks_ends() -> None:
    end = CommandEnd(700)
    assert not end.is_at_limit(at(NO_SPEECH_SAMPLES - 1))
    assert end.is_at_limit(at(NO_SPEECH_SAMPLES))


def test_the_wait_for_speech_starts_again_after_a_noise(end: CommandEnd) -> None:
    assert not end.is_at_limit(at(NO_SPEECH_SAMPLES + 1))  # it may become speech
    end.finish_utterance(final("", end_sample=50_000))
    assert not end.is_at_limit(at(50_000 + NO_SPEECH_SAMPLES - 1))
    assert end.is_at_limit(at(50_000 + NO_SPEECH_SAMPLES))


def test_speech_without_an_end_ends_at_the_maximum_length(end: CommandEnd) -> None:
    assert not end.is_at_limit(at(MAX_COMMAND_SAMPLES - 1))
    assert end.is_at_limit(at(MAX_COMMAND_SAMPLES))


def test_a_sensitivity_chooses_the_pauses() -> None:
    assert pauses_for("default") == pauses_for(None) == pauses_for("x") == CommandPauses(700, 2000)
    aggressive, relaxed = pauses_for("aggressive"), pauses_for("relaxed")
    assert aggressive.silence_ms < 700 < relaxed.silence_ms
    assert aggressive.limit_ms < 2000 < relaxed.limit_ms
