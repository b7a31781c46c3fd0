"""What a vocabulary contains, and what it adds to a request."""

import msgspec
import pytest

from auricle.text.filters.registry import FILTERS, open_filters
from auricle.values.errors import BadRequest
from auricle.values.types import Options
from auricle.values.wording import NO_WORDING
from auricle.vocabularies.content import (
    CORRECTION,
    MAX_CHARACTERS,
    MAX_NAMED_TERMS,
    MAX_TERMS,
    Content,
    Replacement,
    Term,
    listed_terms,
    wording_of,
)

pytestmark = pytest.mark.unit

NAMES = Content.of([Term("Zyntrix", ("sin tricks",)), "Ørsted Power"], [Replacement("ok", "OK")])


def spelled(content: Content) -> list[str]:
    return [each.term for each in content.terms]


def test_texts_are_in_normal_form_and_the_first_of_equal_ones_stays() -> None:
    content = Content.of([" Zyntrix  Ltd ", "ZYNTRIX LTD", "Zu\u0308rich"])
    assert spelled(content) == ["Zyntrix Ltd", "Zürich"]


@pytest.mark.parametrize(
    "name",
    [
        "Ελένη",
        "Олена",
        "שרה",
        "فاطمة",
        "रवि",
        "美咲",
        "수빈",
        "ნინო",
        "Գոհար",
        "ไพลิน",
        "می\u200cخواهم",
        "ශ්\u200dරී",
    ],
)
def test_names_may_be_in_any_script(name: str) -> None:
    assert spelled(Content.of([name])) == [name]


@pytest.mark.parametrize("text", ["", " ", "\u200d", "\x00", "a\x07b", "\u202eabc", "x" * 101])
def test_what_can_not_be_written_is_refused(text: str) -> None:
    for terms, replacements in (
        ([text], []),
        ([Term("ok", (text,))], []),
        ([], [Replacement(text, "x")]),
    ):
        with pytest.raises(BadRequest):
            Content.of(terms, replacements)


def test_lists_that_csv_could_not_have_are_refused() -> None:
    for term in (Term("x", ("a;b",)), Term("x", tuple("abcdefghijk"))):
        with pytest.raises(BadRequest):
            Content.of([term])
    with pytest.raises(BadRequest):
        Content.of([], [Replacement("a;b", "c")])


@pytest.mark.parametrize("word", ["", " ", "a\tb", "a\x00b", "\u202e"])
def test_hot_words_that_are_no_terms_stay_hot_words_only(word: str) -> None:
    options = Options(hotwords=(word, "Anna"))
    wording = wording_of(Content(), options)
    assert wording.applied(options) == options
    open_filters(wording.filters)


def test_a_replacement_may_be_empty() -> None:
    assert Content.of([], [Replacement("um", " ")]).replacements == (Replacement("um", ""),)


def test_the_number_of_terms_is_limited() -> None:
    terms = [f"term {number}" for number in range(MAX_TERMS + 1)]
    assert len(Content.of(terms[:-1]).terms) == MAX_TERMS
    with pytest.raises(BadRequest, match="at most 5000 terms"):
        Content.of(terms)
    with pytest.raises(BadRequest, match="at most 5000 terms"):
        Content.of(terms[:-1]).changed(["one more"], [])


def test_the_characters_of_all_texts_are_limited() -> None:
    long = [Term(f"{number:05}" + "x" * 95) for number in range(MAX_CHARACTERS // 100)]
    assert len(Content.of(long).terms) == len(long)
    with pytest.raises(BadRequest, match="at most 200000 characters"):
        Content.of([*long, "one more"])


def test_similar_names_are_two() -> None:
    assert spelled(Content.of(["Maße", "Masse"])) == ["Maße", "Masse"]


def test_a_change_adds_replaces_and_removes_terms() -> None:
    changed = NAMES.changed(["zyntrix", "Digique"], ["ørsted power", "unknown"])
    assert changed.terms == (Term("zyntrix"), Term("Digique"))
    assert changed.replacements == NAMES.replacements


def test_a_changed_term_keeps_its_place() -> None:
    changed = Content.of(["a", "b", "c"]).changed([Term("B", ("bee",)), "d"], [])
    assert [each.term for each in changed.terms] == ["a", "B", "c", "d"]


def test_a_change_adds_replaces_and_removes_replacements() -> None:
    before = Content.of(["Anna"], [Replacement("ok", "OK"), Replacement("gonna", "going to")])
    changed = before.changed(
        [], [], [Replacement("OK", "okay"), Replacement("uh", "")], ["Gonna", "x"]
    )
    assert changed.replacements == (Replacement("OK", "okay"), Replacement("uh", ""))
    assert changed.terms == before.terms
    with pytest.raises(BadRequest, match="remove_replacements"):
        before.changed([], [], [], ["\0"])


def test_without_terms_nothing_is_added() -> None:
    assert wording_of(Content(), Options(initial_prompt="It was a bright day.")) == NO_WORDING


def test_terms_become_hot_words_the_recent_ones_first() -> None:
    words = wording_of(NAMES, Options(hotwords=("Anna",)), ["Ørsted Power", "Anna"])
    assert words.hotwords == ("Ørsted Power", "Zyntrix")


@pytest.mark.parametrize(
    "options",
    [Options(hotwords=("Anna", "Digique")), Options(initial_prompt="Anna, Digique")],
)
def test_terms_of_a_request_have_a_filter_of_their_own(options: Options) -> None:
    plain = wording_of(NAMES, Options())
    if CORRECTION not in FILTERS:
        assert wording_of(NAMES, options) == plain
        return
    named, stored = wording_of(NAMES, options).filters
    assert [each["term"] for each in msgspec.json.decode(named.options)["terms"]] == [
        "Anna",
        "Digique",
    ]
    assert (stored,) == plain.filters
    chosen = msgspec.json.decode(stored.options)
    assert [each["term"] for each in chosen["terms"]] == spelled(NAMES)
    assert chosen["terms"][0]["sounds_like"] == ["sin tricks"]
    assert chosen["replacements"] == [{"from": "ok", "to": "OK"}]


def test_the_terms_of_a_request_that_are_corrected_are_limited() -> None:
    words = tuple(f"Term{number}" for number in range(MAX_NAMED_TERMS + 1))
    for choice in wording_of(Content(), Options(hotwords=words)).filters:
        assert len(msgspec.json.decode(choice.options)["terms"]) == MAX_NAMED_TERMS


@pytest.mark.parametrize(
    ("prompt", "terms"),
    [
        ("ZyntriQix, Digique Plus, CynapseFive", ("ZyntriQix", "Digique Plus", "CynapseFive")),
        ("Anna\nBjørn\n", ("Anna", "Bjørn")),
        ("kubernetes, nginx, 4chan", ("kubernetes", "nginx", "4chan")),
        ("Hello, welcome to my lecture.", ()),
        ("Umm, let me think like, hmm... Okay, here's what I'm, like, thinking.", ()),
        ("So, Anna said, Go To bed, and I left", ()),
        ("Glossary", ()),
        ("Hello, this is a talk about the history of printing.", ()),
        ("", ()),
    ],
)
def test_only_a_list_of_short_items_is_a_list_of_terms(prompt: str, terms: tuple[str, ...]) -> None:
    assert listed_terms(prompt) == terms
