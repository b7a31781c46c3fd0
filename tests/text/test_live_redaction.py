import pytest

from auricle.text.edits import text_of
from auricle.text.live_redaction import LiveRedaction
from auricle.text.redaction import Redact
from auricle.types import Word

pytestmark = pytest.mark.unit


def words(text: str) -> list[Word]:
    return [Word(at, at + 1, f" {word}", 1.0) for at, word in enumerate(text.split())]


def test_a_number_goes_on_after_a_final_but_not_after_a_speculative_one() -> None:
    redaction = LiveRedaction({Redact.PCI})
    assert text_of(redaction.speculative(words("4111 1111"))) == " [NUMBER]"
    assert redaction.partial("25 of them") == "25 of them"
    assert text_of(redaction.final(words("4111 1111"))) == " [NUMBER]"
    assert redaction.partial("1111 1111 is it") == "[CREDIT_CARD] is it"
    assert text_of(redaction.final(words("1111 1111 is it"))) == " [CREDIT_CARD] is it"
    assert redaction.partial("25 of them") == "25 of them"


def test_nothing_is_hidden_unless_it_is_requested() -> None:
    redaction = LiveRedaction(())
    given_words = words("4111 1111 1111 1111")
    assert redaction.final(given_words) == tuple(given_words)
    assert redaction.partial("4111 ") == "4111 "
