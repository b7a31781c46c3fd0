import pytest

from auricle.text.formats.spoken_words import approximate_words, plain

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("And so, my fellow Americans:", "and so my fellow americans"),
        ("Don't pay 3.50 -- it's twenty-one!", "don't pay 3.50 it's twenty-one"),
        ("« Où ? »", "où"),
        ("こんにちは。世界", "こんにちは世界"),
        ("...", ""),
        ("It is [CREDIT_CARD].", "it is [CREDIT_CARD]"),
    ],
)
def test_a_plain_text_has_neither_capitals_nor_punctuation(text: str, bare: str) -> None:
    assert plain(text) == bare


def test_words_of_a_partial_fill_its_time() -> None:
    words = approximate_words(" and so my fellow", 16_000, 32_000)
    assert [word.text for word in words] == ["and", "so", "my", "fellow"]
    assert (words[0].start_sample, words[-1].end_sample) == (16_000, 32_000)
    for word, after in zip(words, words[1:], strict=False):
        assert word.end_sample == after.start_sample
    assert approximate_words(" ", 0, 16_000) == []
