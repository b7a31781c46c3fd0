import pytest

from auricle.apis.wyoming.wire.transcript import RequestTranscript
from auricle.values.events import Final, Partial
from tests.apis.wyoming.service import read

pytestmark = pytest.mark.unit


def partial(stable: str, unstable: str = "") -> Partial:
    return Partial(1, stable, unstable, 0, 16_000)


def final(text: str, language: str | None = "en", error: str | None = None) -> Final:
    return Final(1, 1, text, 0, 16_000, language, None, 100.0, False, error)


def texts(events: list[str], kind: str = "transcript-chunk") -> list[str]:
    return [event.data["text"] for event in read("".join(events)) if event.type == kind]


def test_chunks_hold_stable_text_once() -> None:
    transcript = RequestTranscript()
    transcript.started()
    events = [*transcript.partial(partial("Good", " day"), None)]
    events += transcript.partial(partial("Good day"), None)
    events += transcript.final(final("Good day."), None)
    assert read("".join(events))[0].type == "transcript-start"
    assert texts(events) == ["Good", " day", "."]


def test_utterances_are_joined_with_a_space_where_the_language_has_spaces() -> None:
    for language, text in (("en", "Good day. Yes."), ("ja", "Good day.Yes.")):
        transcript = RequestTranscript()
        for part in ("Good day.", "Yes."):
            transcript.started()
            transcript.final(final(part, language), None)
        assert transcript.is_whole
        assert texts([*transcript.close(None)], "transcript") == [text]
        assert not transcript.is_whole


def test_a_final_that_differs_from_its_chunks_is_shown_at_the_end_only() -> None:
    transcript = RequestTranscript()
    transcript.started()
    transcript.partial(partial("Could day"), None)
    assert not transcript.final(final("Good day."), None)
    assert texts([*transcript.close(None)], "transcript") == ["Good day."]


def test_the_next_utterance_waits_for_the_final_of_the_last() -> None:
    transcript = RequestTranscript()
    transcript.started()
    transcript.started()
    assert not transcript.partial(partial("Yes."), None)
    assert texts([*transcript.final(final("Good day."), None)]) == ["Good day.", " Yes."]


def test_a_missing_part_is_an_error_and_no_transcript() -> None:
    transcript = RequestTranscript()
    transcript.started()
    transcript.final(final("", None, "poison_job"), None)
    (event,) = read("".join(transcript.close("en")))
    assert (event.type, event.data["code"]) == ("error", "poison_job")
    assert not transcript.is_whole
