from dataclasses import replace
from typing import Any

import pytest

from auricle.text.filters.correction.filter import Correction
from auricle.text.filters.correction.options import Replacement, Term, Vocabulary
from auricle.text.filters.correction.rules import Corrector
from auricle.text.filters.registry import open_filters
from auricle.values.text_filters import FilterChoice, redaction
from auricle.values.types import SAMPLE_RATE_HZ, Redact, Word
from tests.text.helpers import segment, transcript

pytestmark = pytest.mark.unit

VOCABULARY = Vocabulary(
    (Term("Kubernetes"), Term("Caslon")), (Replacement("um", ""), Replacement("four", "4111"))
)
CHOICE = FilterChoice.of("correction", VOCABULARY)


def test_a_final_has_the_term_in_its_text_and_one_word_with_the_times_of_all() -> None:
    words = (Word(0, 1, " um", 0.5), Word(1, 2, " cube", 0.9), Word(2, 3, " ernetes.", 0.8))
    final = Correction(Corrector(VOCABULARY)).final("um cube ernetes.", words, "en")
    assert final == ("Kubernetes.", (Word(1, 3, " Kubernetes.", 0.8),))
    assert Correction(Corrector(VOCABULARY)).speculative("Kesslin", None, "en") == ("Caslon", None)
    assert Correction(Corrector(VOCABULARY)).speculative("Kesslin", None, None) == ("Kesslin", None)


def test_the_stable_text_of_partials_only_grows_and_no_word_is_held_back() -> None:
    correction = Correction(Corrector(VOCABULARY))
    text = "so we run cube ernetes and set type in Kaslon as they all did then and now"
    words, written = text.split(), "so we run Kubernetes and set type in Caslon as they all did"
    before, last = "", ""
    for count in range(1, len(words) + 1):
        stable, rest = " ".join(words[:count]), "".join(f" {word}" for word in words[count:])
        shown, unstable = correction.partial(stable, rest, "en")
        assert shown.startswith(before)
        assert shown + unstable == f"{written} then and now"
        before, last = shown, unstable
    assert before.startswith("so we run Kubernetes and set type in Caslon")
    assert 0 < len(last.split()) <= 5


def test_partials_are_corrected_as_finals_of_their_language() -> None:
    correction = Correction(Corrector(VOCABULARY))
    text = "cube ernetes und Kesslin"
    for language in ("en", "de", None):
        shown = "".join(correction.partial(text, "", language))
        assert (shown, None) == correction.final(text, None, language)
    assert "".join(correction.partial(text, "", "en")) == "Kubernetes und Caslon"


@pytest.mark.parametrize(
    "text", ["So I think, um, uh, um, yes, um.", "Um, so. Um, um. Yes, um, it is and on and on"]
)
def test_stable_text_only_grows_where_words_are_removed(text: str) -> None:
    replacements = tuple(Replacement(source, "") for source in ("um", "uh"))
    correction = Correction(Corrector(Vocabulary((), replacements)))
    words, before = text.split(), ""
    whole = correction.final(text, None, "en")[0]
    for count in range(1, len(words) + 1):
        stable, rest = " ".join(words[:count]), "".join(f" {word}" for word in words[count:])
        shown, unstable = correction.partial(stable, rest, "en")
        assert shown.startswith(before)
        assert shown + unstable == whole
        before = shown
    assert before


def test_words_that_are_removed_leave_no_word_of_punctuation() -> None:
    said = ("I", "am", "um.", "5", "%")
    words = tuple(Word(at, at + 1, f" {text}", 0.9) for at, text in enumerate(said))
    text, kept = Correction(Corrector(VOCABULARY)).final("I am um. 5 %", words, "en")
    assert text == "I am. 5 %"
    assert [word.text for word in kept or ()] == [" I", " am", " 5", " %"]


def test_a_spelling_of_many_letters_does_not_hold_back_stable_text() -> None:
    spelled = Term("Alphabet", (" ".join("abcdefghijklmnopqrstuvwxyz"),))
    correction = Correction(Corrector(Vocabulary((spelled,))))
    text = "so we take it for a ride"
    assert correction.partial(text, "", "en")[0] == "so"
    assert correction.partial(f"{text} and a spin", "", "en")[0] == "so we take it"
    assert correction.partial("so we now say a b c d", "", "en")[0] == ""
    spelled_text = f"so we now say {spelled.sounds_like[0]} and then we say it again"
    assert correction.partial(spelled_text, "", "en")[0] == "so we now say Alphabet and"


def test_a_partial_without_text_is_empty() -> None:
    assert Correction(Corrector(VOCABULARY)).partial("", "", None) == ("", "")


def test_terms_of_files_are_found_across_segments() -> None:
    given = transcript(
        segment(0, "we run cube"),
        segment(10, "ernetes um"),
        segment(20, "um"),
        segment(30, "Kesslin", language="de"),
        segment(40, "Kesslin", has_words=False),
    )
    written = Correction(Corrector(VOCABULARY)).transcript(given)
    assert written.text == "we run Kubernetes Kesslin Caslon"
    assert [each.text for each in written.segments] == [" we run Kubernetes", " Kesslin", " Caslon"]
    assert written.segments[0].words is not None
    assert written.segments[0].words[-1] == Word(2, 11, " Kubernetes", 0.9)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({}, "we run Kubernetes"),
        ({"start_sample": 2 + SAMPLE_RATE_HZ}, "we run Kubernetes"),
        ({"start_sample": 3 + SAMPLE_RATE_HZ}, "we run cube ernetes"),
        ({"speaker": 1}, "we run cube ernetes"),
        ({"channel": 1}, "we run cube ernetes"),
        ({"language": "de"}, "we run cube ernetes"),
    ],
)
def test_a_term_ends_with_a_pause_a_speaker_a_channel_or_a_language(
    change: dict[str, Any], text: str
) -> None:
    first = replace(segment(0, "we run cube"), end_sample=2)
    second = replace(segment(10, "ernetes"), **change)
    written = Correction(Corrector(VOCABULARY)).transcript(transcript(first, second))
    assert written.text == text
    assert len(written.segments) == 1 + ("cube" in text)


def test_a_transcript_without_terms_is_the_same() -> None:
    given = transcript(segment(0, "we run it"))
    assert Correction(Corrector(VOCABULARY)).transcript(given) is given


def test_terms_are_corrected_after_private_data_is_hidden_and_before_numbers_are_written() -> None:
    filters = open_filters([FilterChoice("numerals"), CHOICE, *redaction((Redact.NUMBERS,))])
    text = "four and nine nine nine on cube ernetes twenty five"
    shown = "4111 and [NUMBER] on Kubernetes 25"
    assert filters.final(text, None, "en") == (shown, None)


def test_results_keep_the_text_before_correction_but_nothing_that_was_hidden() -> None:
    filters = open_filters([FilterChoice("numerals"), CHOICE, *redaction((Redact.NUMBERS,))])
    text = "nine nine nine on cube ernetes twenty five"
    shown = "[NUMBER] on Kubernetes 25"
    before = "[NUMBER] on cube ernetes twenty five"
    assert filters.final_with_original(text, None, "en") == (shown, None, before)
    assert filters.final_with_original("here", None, "en") == ("here", None, None)
    [first, second] = filters.transcript(
        transcript(segment(0, text), segment(100, "on twenty five"))
    ).segments
    assert (first.text, first.original) == (f" {shown}", f" {before}")
    assert (second.text, second.original) == (" on 25", None)


RECOGNISED = (
    ("de", "Der hinter diesem portalliegende Raum wurde als Leichenhaler genutzt."),
    ("de", "Die Werbung vermittelt ein falschen Eindruck."),
    ("es", "las arenas son blancesinas de grano medio y tienen muy poca asistencia"),
    ("fr", "Sous le consulat, il devient conservateur des eaux et forêts et conseiller générales."),
    ("it", "Sempre la radio nacque rancarcuni sui canzoni o meglio ritmi."),
    ("ja", "客観的実在の判断的知識が整理するのである。"),
    ("ko", "그는 1위절이 피하면서 길 한 옆으로 걸어갔다."),
    ("pt", "Uma raposa velha não consegue aprender ninho em um ofício."),
    ("zh", "廣州市佛地產中間協會分析"),
)
"""What Whisper base recognised in recordings of Picovoice (Apache-2.0) and AISHELL-1."""
NAMES_ALIKE = (
    *("Raun", "Dehr", "Werber", "Portal", "Falchen", "Wurde", "Hintner", "Arenas", "Blancas"),
    *("Grano", "Sousa", "Desaux", "Foray", "Forest", "Ille", "Consul", "Semper", "Radio", "Naque"),
    *("Metz", "Raposo", "Velho", "Umar", "Vella", "廣州", "佛山", "客観", "그녀", "Müller"),
)


@pytest.mark.parametrize(("language", "text"), RECOGNISED)
def test_names_that_sound_like_words_of_other_languages_change_nothing(
    language: str, text: str
) -> None:
    correction = Correction(Corrector(Vocabulary(tuple(map(Term, NAMES_ALIKE)))))
    assert correction.final(text, None, language)[0] == text
    assert "".join(correction.partial(text, "", language)) == text


@pytest.mark.parametrize(
    ("language", "recognised", "written"),
    [
        (
            "de",
            "in Grosschönau mit Frau Mueller",
            "in Großschönau mit Frau Mueller",
        ),  # a short noun
        ("fr", "avec Madame Lefevre", "avec Madame Lefèvre"),
        ("es", "con Muños y Nunyez", "con Muñoz y Núñez"),
        ("zh", "廣州市佛地產中間協會分析", "廣州市房地產中介協會分析"),
    ],
)
def test_umlauts_accents_and_characters_are_corrected(
    language: str, recognised: str, written: str
) -> None:
    names = tuple(map(Term, ("Müller", "Großschönau", "Lefèvre", "Muñoz", "Núñez", "房地產")))
    spelled = (*names, Term("中介", ("中間",)))
    vocabulary = Vocabulary(spelled, (Replacement("佛地產", "房地產"),))
    assert Correction(Corrector(vocabulary)).final(recognised, None, language)[0] == written
