import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.text.live_redaction import LiveRedaction
from auricle.values.types import Redact, Word

pytestmark = pytest.mark.unit


def words(text: str) -> list[Word]:
    return [Word(at, at + 1, f" {word}", 1.0) for at, word in enumerate(text.split())]


def final(redaction: LiveRedaction, text: str) -> str:
    shown, shown_words = redaction.final(text, words(text))
    assert shown_words is not None
    assert "".join(word.text for word in shown_words).strip() == shown
    return shown


def test_a_number_continues_after_a_final_but_not_after_a_speculative_one() -> None:
    redaction = LiveRedaction({Redact.PCI})
    assert redaction.speculative("4111 1111", None) == ("[NUMBER]", None)
    assert redaction.partial("25 of", " them") == ("25 of", " them")
    assert final(redaction, "4111 1111") == "[NUMBER]"
    assert redaction.partial("", "1111 1111 is it") == ("", "[CREDIT_CARD] is it")
    assert final(redaction, "1111 1111 is it") == "[CREDIT_CARD] is it"
    assert redaction.partial("25 of", " them") == ("25 of", " them")


def test_nothing_is_hidden_unless_it_is_requested() -> None:
    redaction = LiveRedaction(())
    assert final(redaction, "4111 1111 1111 1111") == "4111 1111 1111 1111"
    assert redaction.partial("4111", " 1111 ") == ("4111", " 1111 ")


PIECES = "I look at the dot 25 4111 one double, jane.doe example.com x DE89 WEST +49 plus 2 @ so"


@given(
    st.lists(st.sampled_from(PIECES.split()), max_size=14),
    st.sets(st.sampled_from(tuple(Redact)), min_size=1),
)
def test_stable_text_only_grows(pieces: list[str], kinds: set[Redact]) -> None:
    redaction, before = LiveRedaction(kinds), ""
    for count in range(len(pieces) + 1):
        stable, unstable = " ".join(pieces[:count]), " ".join(["", *pieces[count:]])
        shown, rest = redaction.partial(stable, unstable)
        assert shown.startswith(before)
        assert (shown + rest).strip() == redaction.partial(" ".join(pieces), "")[0]
        before = shown
