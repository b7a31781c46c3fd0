import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.text.edits import edited_text
from auricle.text.filters.redaction.rules import (
    PLACEHOLDERS,
    open_digits,
    partial_edits,
    redaction_edits,
)
from auricle.values.types import Redact

pytestmark = pytest.mark.unit

ALL = tuple(Redact)


def redacted(text: str, *kinds: Redact) -> str:
    return edited_text(text, redaction_edits(text, kinds or ALL))


@pytest.mark.parametrize(
    "number",
    [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111, 1111. 1111 um 1111",
        "378282246310005",
        "four one one one one one one one one one one one one one one one",
        "four triple one double one double one, eleven eleven eleven eleven",
        "four-one-one-one, one-one-one-one, one-one-one-one, one-one-one-one",
        "4111—1111‑1111−1111",
        "4111 1111 1111 1111 12/27 123",
    ],
)
def test_a_card_is_hidden(number: str) -> None:
    assert (
        redacted(f"My card is {number}, thanks.", Redact.PCI) == "My card is [CREDIT_CARD], thanks."
    )


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (Redact.PCI, "It is for 1111 1111 1111 1112.", "It is for [NUMBER]."),  # misheard
        (Redact.PCI, "The security code is 123.", "The security code is [CVV]."),
        (Redact.PCI, "It expires in 12/27.", "It expires in [CREDIT_CARD_EXPIRATION]."),
        (Redact.PCI, "IBAN DE89 3704 0044 0532 0130 00.", "IBAN [BANK_ACCOUNT]."),
        (Redact.PCI, "to GB82 WEST 1234 5698 7654 32 today", "to [BANK_ACCOUNT] today"),
        (
            Redact.PCI,
            "D E eight nine three seven oh four double oh four four oh five three two oh one three "
            "oh oh oh please",
            "[BANK_ACCOUNT] please",
        ),
        (Redact.SSN, "It's 123-45-6789.", "It's [SSN]."),
        (Redact.SSN, "one two three, four five, six seven eight nine", "[SSN]"),
        (Redact.SSN, "the last four of my social are 6789", "the last four of my social are [SSN]"),
        (Redact.PHONE, "Call (555) 234-5678 now", "Call [PHONE_NUMBER] now"),
        (Redact.PHONE, "Call me (555 234-5678).", "Call me ([PHONE_NUMBER])."),
        (Redact.PHONE, "234-5678 (555)", "[PHONE_NUMBER]"),
        (Redact.PHONE, "Call +49 30 1234567 now", "Call [PHONE_NUMBER] now"),
        (Redact.PHONE, "Call 0176 1234567 now", "Call [PHONE_NUMBER] now"),
        (Redact.PHONE, "five five five, two three four, five six seven eight", "[PHONE_NUMBER]"),
        (Redact.EMAIL, "Write to jane.doe@example.com.", "Write to [EMAIL_ADDRESS]."),
        (Redact.EMAIL, "My email is jane.doatexample.com.", "My email is [EMAIL_ADDRESS]."),
        (Redact.EMAIL, "jane dot doe at example dot co dot uk works", "[EMAIL_ADDRESS] works"),
        (Redact.EMAIL, "it's J A N E 2 2 at example.com.", "it's [EMAIL_ADDRESS]."),
        (Redact.EMAIL, "an jürgen.müller@bücher.de und", "an [EMAIL_ADDRESS] und"),
        (Redact.EMAIL, "es José at correo dot es", "es [EMAIL_ADDRESS]"),
        (Redact.EMAIL, "邮箱是jane@example.com。", "邮箱是[EMAIL_ADDRESS]。"),
        (Redact.EMAIL, "It was jane@example.com's idea.", "It was [EMAIL_ADDRESS] idea."),
        (Redact.EMAIL, "mailto:jane@example.com", "[EMAIL_ADDRESS]"),
        (
            Redact.NUMBERS,
            "My account is 12 34 and I have 25.",
            "My account is [NUMBER] and I have 25.",
        ),
        (Redact.NUMBERS, "nine hundred dollars", "[NUMBER] dollars"),
        (Redact.NUMBERS, "我的号码是4111。", "我的号码是[NUMBER]。"),
    ],
)
def test_what_each_kind_hides(kind: Redact, text: str, expected: str) -> None:
    assert redacted(text, kind) == expected


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Redact.PCI, "Order 1234 5678 9012 has 25 items, 4111 in all."),
        (Redact.PCI, "The code is 123. My Social Security number is 123 too."),
        (Redact.SSN, "Order 12-3456 for 250 dollars."),
        (Redact.PHONE, "It costs 1234567 dollars in 2026."),
        (Redact.EMAIL, "Look at this. We met at noon. See example.com."),
        (Redact.NUMBERS, "Twenty-five of the first ten."),
    ],
)
def test_what_stays(kind: Redact, text: str) -> None:
    assert redacted(text, kind) == text


def test_a_number_with_pauses_is_hidden_in_each_utterance() -> None:
    kinds, before, shown = (Redact.PCI,), "", []
    for text in ("My card is 4111", "1111 1111", "1111, thanks. 25 of them."):
        shown.append(edited_text(text, redaction_edits(text, kinds, before=before, is_live=True)))
        before = open_digits(text, before=before)
    assert shown == ["My card is [NUMBER]", "[NUMBER]", "[CREDIT_CARD], thanks. 25 of them."]
    assert not before


def test_a_number_that_was_recognised_twice_is_hidden() -> None:
    text = "123456789. Thanks."
    edits = redaction_edits(text, (Redact.SSN,), before="123", is_live=True)
    assert edited_text(text, edits) == "[SSN]. Thanks."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My card is 4111 11", "My card is "),
        ("My card is four", "My card is "),
        ("My card is four-one", "My card is "),
        ("To DE89 3704 double", "To "),
        ("My card is 4111 1111 1111 1112, so", "My card is [NUMBER], so"),
        ("The year 2026 is", "The year [NUMBER] is"),
        ("I have 25 of", "I have 25 of"),
    ],
)
def test_a_partial_shows_no_number_that_may_become_private(text: str, expected: str) -> None:
    assert edited_text(text, partial_edits(text, (Redact.PCI,))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("my mail is jane", "my mail is "),
        ("my mail is jane dot", "my mail is "),
        ("my mail is jane dot doe at example", "my mail is "),
        ("my mail is jane dot doe at example dot com so", "my mail is [EMAIL_ADDRESS] "),
    ],
)
def test_a_partial_shows_no_word_that_may_become_an_address(text: str, expected: str) -> None:
    assert edited_text(text, partial_edits(text, (Redact.EMAIL,))) == expected


WORDS = """
I have um and at the dot of plus security code expires social 25 1984 7 B2B DE89 GB82 WEST @
4111 1111 one twenty hundred double oh four, 12/27 123-45-6789 (555) 234-5678 +49 0176 first
jane.doe example.com j dash com jane@example.com thousand point josé@bücher.de müller ü 四4111
"""
PIECES = [
    *WORDS.split(),
    "4111 1111 1111 1111",
    "DE89 3704 0044 0532 0130 00",
    "one two three four five six seven eight nine",
    "four-one one-one-one one",
    "jane dot doe at g mail dot co dot uk",
]


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=12),
    st.sets(st.sampled_from(ALL), min_size=1),
    st.sampled_from(["", "12", "4111", "411111111111"]),
)
def test_a_partial_shows_nothing_that_the_final_hides(
    pieces: list[str], kinds: set[Redact], before: str
) -> None:
    words = " ".join(pieces).split()
    text = " ".join(words)
    hidden = redaction_edits(text, kinds, before=before, is_live=True)
    for count in range(1, len(words) + 1):
        partial = " ".join(words[:count])
        edits = partial_edits(partial, kinds, before=before)
        covered = {at for edit in edits for at in range(edit.start, edit.end)}
        for edit in hidden:
            secret = text[edit.start : edit.end].removeprefix("double")  # says nothing yet
            places = range(edit.end - len(secret), min(edit.end, len(partial)))
            shown = {at for at in places if text[at].isalnum()} - covered
            assert not shown, (partial, edited_text(partial, edits), edited_text(text, hidden))


def test_placeholders_are_not_hidden_again() -> None:
    for placeholder in PLACEHOLDERS:
        assert redacted(f"It is {placeholder}.") == f"It is {placeholder}."


def test_a_long_list_of_dots_takes_a_moment() -> None:
    text = "at dot " * 20_000  # a quadratic rule would take a minute
    assert redacted(text, Redact.EMAIL) == "at [EMAIL_ADDRESS] dot "
