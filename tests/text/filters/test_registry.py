"""Text filters are found by their folders; a request for one that is missing is refused."""

from pathlib import Path

import pytest

import auricle.text.filters
from auricle.text.filters.registry import (
    FILTERS,
    PLACEHOLDERS,
    PreparedOptions,
    find_filters,
    hides_text,
    open_filters,
)
from auricle.values.errors import BadRequest, UnsupportedOption
from auricle.values.text_filters import FilterChoice, redaction
from auricle.values.types import Redact, Word
from tests.text.helpers import segment, transcript

pytestmark = pytest.mark.unit

FOLDERS = Path(auricle.text.filters.__file__).parent
MISSING = FilterChoice("missing")
CARD, NUMERALS = redaction((Redact.PCI,)), FilterChoice("numerals")


def test_a_filter_is_a_folder_with_a_spec(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert set(find_filters()) == {path.parent.name for path in FOLDERS.glob("*/spec.py")}
    monkeypatch.setattr(auricle.text.filters, "__path__", [str(tmp_path)])
    assert find_filters() == {}


def test_a_request_for_a_missing_filter_is_refused() -> None:
    for apply in (open_filters, hides_text):
        with pytest.raises(UnsupportedOption, match="no missing; remove the option"):
            apply([MISSING, *CARD])


@pytest.mark.parametrize("options", ['["names"]', "[]", "null", "{", "[1]"])
def test_invalid_options_are_refused(options: str) -> None:
    with pytest.raises(BadRequest, match="options of redaction"):
        open_filters([FilterChoice("redaction", options)])


def test_without_filters_a_text_is_the_same() -> None:
    filters, given = open_filters(()), transcript(segment(0, "4111 1111 1111 1111"))
    words = [Word(0, 1, " 4111", 1.0)]
    assert filters.partial("4111", " 1111 ", None) == ("4111", " 1111 ")
    assert filters.final("4111", words, "en") == ("4111", tuple(words))
    assert filters.speculative("4111", None, None) == ("4111", None)
    assert filters.transcript(given) is given
    assert redaction(()) == ()


@pytest.mark.parametrize("order", [1, -1])
def test_private_data_is_hidden_first_whatever_the_order_of_a_request(order: int) -> None:
    choices = (*redaction((Redact.NUMBERS,)), NUMERALS)[::order]
    text = "five nineteen is one thing, and here are twenty five"
    shown = "[NUMBER] is one thing, and here are 25"
    assert open_filters(choices).final(text, None, "en") == (shown, None)
    assert open_filters(choices).speculative(text, None, "en") == (shown, None)
    assert open_filters(choices).transcript(transcript(segment(0, text))).text == shown
    assert open_filters(choices).partial("five nineteen is", " one thing", "en") == (
        "[NUMBER] is",
        " one thing",
    )


def test_each_stream_has_its_own_filters() -> None:
    first, second = open_filters(CARD), open_filters(CARD)
    assert first.final("It is 4111 1111", None, "en")[0] == "It is [NUMBER]"
    assert second.final("1111 1111 thanks", None, "en")[0] == "1111 1111 thanks"
    assert first.final("1111 1111 thanks", None, "en")[0] == "[CREDIT_CARD] thanks"


def test_only_filters_that_hide_keep_a_text_from_being_stored() -> None:
    assert hides_text(CARD)
    assert not hides_text([NUMERALS])
    assert not hides_text(())


def test_formats_keep_the_placeholders_of_all_filters() -> None:
    assert "[CREDIT_CARD]" in PLACEHOLDERS
    assert frozenset().union(*(spec.placeholders for spec in FILTERS.values())) == PLACEHOLDERS


def test_filters_that_stay_remember_the_text_so_far() -> None:
    filters = open_filters(CARD)
    filters.final("4111 1111", None, "en")
    later = filters.changed([NUMERALS, *CARD])
    assert later.final("1111 1111 on twenty five", None, "en")[0] == "[CREDIT_CARD] on 25"


def test_options_are_prepared_once_up_to_a_number_of_characters() -> None:
    first, second, third = (
        FilterChoice.of("correction", {"terms": [{"term": term}]})
        for term in ("Zyntrix", "Digique", "Kesslin")
    )
    prepared = PreparedOptions(2 * len(first.options))
    kept, dropped = prepared.get(first), prepared.get(second)
    assert prepared.get(first) is kept
    prepared.get(third)
    assert prepared.get(first) is kept
    assert prepared.get(second) is not dropped
