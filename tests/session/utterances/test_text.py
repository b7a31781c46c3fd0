"""How results become the text of a channel."""

from typing import Any

import numpy as np
import pytest

from auricle.session.utterances.final import PendingFinal
from auricle.session.utterances.text import ChannelText
from auricle.session.utterances.utterance import Caller, JobFactory
from auricle.values.errors import TooLate
from auricle.values.events import Partial
from auricle.values.text_filters import FilterChoice, redaction
from auricle.values.types import Options, Redact, Segment, Transcript, Word
from tests.support.session import CLIENT

pytestmark = pytest.mark.unit

SECOND = 16_000


def pending(text: str | None, start: float = 0.0, **changes: Any) -> PendingFinal:
    """Return a second of speech with its text; ``None``: its audio was dropped."""
    language = changes.pop("language", "en")
    transcript = Transcript(text or "", language, 0.99, SECOND, (Segment(0, SECOND, text or ""),))
    values: dict[str, Any] = {
        "factory": JobFactory(Caller("S", CLIENT, {}), 1),
        "pcm": np.zeros(SECOND, np.int16),
        "start_sample": int(start * SECOND),
        "end_sample": int((start + 1) * SECOND),
        "speech_sample": int(start * SECOND),
        "speech_end_sample": int((start + 1) * SECOND),
        "options": Options(language="en"),
        "arrived_at": 9.0,
        "ended_at": 9.5,
        "result": TooLate() if text is None else transcript,
    }
    return PendingFinal(**(values | changes))


def test_a_final_has_the_place_and_the_latency_of_its_speech() -> None:
    final = ChannelText(3, ()).final(7, pending(" Good morning. ", 2.0), 10.0)
    assert (final.id, final.utterance, final.channel) == (7, 1, 3)
    assert (final.text, final.start_sample, final.end_sample) == ("Good morning.", 32000, 48000)
    assert (final.latency_ms, final.error, final.words) == (1000, None, None)


def test_text_begins_as_the_final_before_it_ends() -> None:
    it = ChannelText(None, ())
    it.final(1, pending("The train leaves"), 10.0)
    assert it.final(2, pending("At noon.", 1.5), 10.0).text == "at noon."
    assert it.final(3, pending("It is full.", 3.0), 10.0).text == "It is full."


@pytest.mark.parametrize("changes", [{"is_cut": True}, {"end_of_turn": 0.04}], ids=["cut", "turn"])
def test_a_sentence_that_continues_has_no_full_stop(changes: dict[str, Any]) -> None:
    words = (Word(0, 8000, " The", 0.9), Word(8000, SECOND, " train.", 0.9))
    segments = (Segment(0, SECOND, "The train.", words),)
    result = Transcript("The train.", "en", 0.99, SECOND, segments)
    options = Options(language="en", word_timestamps=True)
    it = ChannelText(None, ())
    final = it.final(1, pending("", result=result, options=options, **changes), 10.0)
    assert final.text == "The train"
    assert [word.text.strip() for word in final.words or ()] == ["The", "train"]
    assert it.final(2, pending("Is full.", 1.5), 10.0).text == "is full."


@pytest.mark.parametrize("changes", [{}, {"end_of_turn": 0.06}], ids=["silence", "turn"])
def test_a_sentence_that_may_have_ended_keeps_its_full_stop(changes: dict[str, Any]) -> None:
    final = ChannelText(None, ()).final(1, pending("The train.", **changes), 10.0)
    assert final.text == "The train."


def test_a_final_without_text_is_not_continued() -> None:
    it = ChannelText(None, ())
    it.final(1, pending("The train leaves"), 10.0)
    assert it.final(2, pending(None, 1.2), 10.0).error == TooLate().code
    assert it.final(3, pending("At noon.", 2.4), 10.0).text == "at noon."


def test_an_eager_final_changes_nothing() -> None:
    it = ChannelText(None, ())
    it.final(1, pending("The train leaves"), 10.0)
    eager = it.eager(pending("At noon.", 1.5), 0.9, 10.0)
    assert eager is not None
    assert (eager.text, eager.probability) == ("at noon.", 0.9)
    assert it.eager(pending("", 1.5), 0.9, 10.0) is None
    assert it.eager(pending(None, 1.5), 0.9, 10.0) is None
    assert it.final(2, pending("At noon.", 1.5), 10.0).text == "at noon."


def test_words_have_their_times_in_the_session() -> None:
    words = (Word(0, 8000, " One", 0.9), Word(8000, SECOND, " two.", 0.9))
    segments = (Segment(0, SECOND, "One two.", words),)
    result = Transcript("One two.", "en", 0.99, SECOND, segments)
    options = Options(language="en", word_timestamps=True)
    final = ChannelText(None, ()).final(1, pending("", 2.0, result=result, options=options), 10.0)
    assert [word.start_sample for word in final.words or ()] == [32000, 40000]


def test_the_language_is_that_of_the_last_certain_final() -> None:
    it = ChannelText(None, ())
    it.final(1, pending("Guten Tag.", language="de", options=Options()), 10.0)
    assert (it.language, it.language_warning) == ("de", None)
    it.final(2, pending("", 2.0, language="en"), 10.0)
    assert it.language == "de"


def test_a_warning_belongs_to_one_final() -> None:
    it = ChannelText(None, ())
    it.final(1, pending("Guten Tag.", language="de"), 10.0)
    assert it.language_warning is not None
    it.final(2, pending(None, 2.0), 10.0)
    assert it.language_warning is None


def test_partials_and_finals_are_redacted() -> None:
    it = ChannelText(1, redaction((Redact.NUMBERS,)))
    partial = it.shown(Partial(1, "Call 555 0199", " now", 0, SECOND), "en")
    assert "555" not in partial.stable + partial.unstable
    assert partial.channel == 1
    assert "0199" not in it.final(1, pending("Call 555 0199 now."), 10.0).text


def test_further_filters_replace_former_ones_but_not_those_of_the_channel() -> None:
    it = ChannelText(None, redaction((Redact.PCI,)))
    it.also_filter([FilterChoice("numerals")])
    assert it.final(1, pending("It is twenty five."), 10.0).text == "It is 25."
    it.final(2, pending("It is 4111 1111"), 10.0)
    it.also_filter(())
    later = it.final(3, pending("1111 1111. I have twenty apples."), 10.0)
    assert later.text == "[CREDIT_CARD]. I have twenty apples."


def test_a_corrected_final_keeps_its_text_before() -> None:
    choice = FilterChoice.of("correction", {"terms": [{"term": "Caslon"}]})
    it = ChannelText(None, (choice, *redaction((Redact.NUMBERS,))))
    final = it.final(1, pending("Kaslon has 4111."), 10.0)
    assert (final.text, final.original) == ("Caslon has [NUMBER].", "Kaslon has [NUMBER].")
    assert it.final(2, pending("It has.", 5.0), 10.0).original is None


def correction(*terms: str) -> FilterChoice:
    return FilterChoice.of("correction", {"terms": [{"term": term} for term in terms]})


def number(utterance: int) -> JobFactory:
    return JobFactory(Caller("S", CLIENT, {}), utterance)


def test_a_final_is_revised_if_it_lacks_a_word_that_was_shown_as_stable() -> None:
    it = ChannelText(None, (correction("Ozempic"),))
    said = "we like osempic and then it is good and so on and on and on"
    shown = it.shown(Partial(1, said, "", 0, SECOND), "en").stable
    assert shown.startswith("we like Ozempic and")
    assert not it.final(1, pending(said), 10.0).revised
    it.shown(Partial(2, said, "", 0, SECOND), "de")
    assert it.final(2, pending(said, 2.0, factory=number(2)), 10.0).revised
    assert not it.final(3, pending("It is.", 9.0, factory=number(3)), 10.0).revised


def test_each_final_is_compared_with_the_partials_of_its_own_utterance() -> None:
    it = ChannelText(None, ())
    it.shown(Partial(1, "one two", "", 0, SECOND), "en")
    it.shown(Partial(2, "three", "", 2 * SECOND, 3 * SECOND), "en")
    it.shown(Partial(1, "one two three", "", 0, SECOND), "en")
    assert not it.final(1, pending("One two, three four."), 10.0).revised
    assert it.final(2, pending("Two.", 2.0, factory=number(2)), 10.0).revised
