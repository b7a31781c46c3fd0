import pytest

from auricle.text.formats.stable_text import StableText
from auricle.values.events import Final, Partial

pytestmark = pytest.mark.unit


def partial(stable: str) -> Partial:
    return Partial(1, stable, " maybe", 0, 16_000)


def final(text: str) -> Final:
    return Final(1, 1, text, 0, 16_000, "en", None, 0.0, False)


def test_each_part_is_sent_once_and_the_first_follows_the_glue() -> None:
    it = StableText()
    assert it.next_part(" ") == ""
    it.update(partial("And so"))
    assert (it.next_part(" "), it.next_part(" ")) == (" And so", "")
    it.update(partial("And so my fellow"))
    assert it.next_part(" ") == " my fellow"
    it.update(final("And so my fellow Americans."))
    assert it.next_part(" ") == " Americans."


@pytest.mark.parametrize("text", ["and so", "", "And"])
def test_a_final_that_differs_from_what_was_sent_adds_nothing(text: str) -> None:
    it = StableText()
    it.update(partial("And so"))
    it.next_part("")
    it.update(final(text))
    assert it.next_part("") == ""


def test_a_final_without_partials_is_sent_whole() -> None:
    it = StableText()
    it.update(final("Hello."))
    assert it.next_part(" ") == " Hello."
