import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.text.edits import Edit, core, edited_text, edited_words, text_of, tokens_of
from auricle.values.types import Word

pytestmark = pytest.mark.unit


def words(*texts: str) -> list[Word]:
    return [Word(at * 100, at * 100 + 80, text, 0.9 - at / 10) for at, text in enumerate(texts)]


def test_a_replacement_lasts_as_long_as_its_words() -> None:
    given_words = words(" My", " number", " is", " 4111", "-1111", ".")
    done = edited_words(given_words, [Edit(14, 23, "[CARD]")])
    assert [(word.text, word.start_sample, word.end_sample) for word in done] == [
        (" My", 0, 80),
        (" number", 100, 180),
        (" is", 200, 280),
        (" [CARD]", 300, 480),
        (".", 500, 580),
    ]
    assert done[3].probability == pytest.approx(0.5)  # of its least certain word


def test_digits_within_chinese_are_a_token() -> None:
    text = "我的号码是4111 1111。"
    assert [token.text for token in tokens_of(text)] == ["我的号码是", "4111", "1111", "。"]
    assert edited_text(text, [Edit(5, 14, "[N]")]) == "我的号码是[N]。"
    assert [
        word.text
        for word in edited_words(words("我的号码", "是4111", " 1111。"), [Edit(5, 14, "[N]")])
    ] == [
        "我的号码",
        "是[N]。",
    ]


@given(st.lists(st.text("ab 1", min_size=1, max_size=4), max_size=12), st.data())
def test_words_and_text_are_edited_alike(texts: list[str], data: st.DataObject) -> None:
    text = "".join(texts)
    cuts = data.draw(st.lists(st.integers(0, len(text)), unique=True).map(sorted))
    edits = [Edit(start, end, "<>") for start, end in zip(cuts[::2], cuts[1::2], strict=False)]
    done = edited_words(words(*texts), edits)
    assert text_of(done) == edited_text(text, edits)
    assert [word.start_sample for word in done] == sorted(word.start_sample for word in done)


def test_the_core_of_a_word() -> None:
    assert core(' "(twenty)," ') == "twenty"
    assert core("...") == ""
