"""Tokens and their text."""

import pytest

from auricle.engines.moonshine.vocabulary import END, START, Vocabulary

pytestmark = pytest.mark.unit

LONG = b"a" * 300


def packed(token: bytes) -> bytes:
    """Return a token as a file holds it: the length in one byte or two."""
    size = len(token)
    head = bytes([size]) if size < 128 else bytes([size % 128 + 128, size // 128])
    return head + token


VOCABULARY = Vocabulary(
    b"".join(
        packed(token)
        for token in (
            *(b"<unk>", b"<s>", b"</s>", b"\xe2", b"\x82", b"\xac"),
            *("▁Hello".encode(), b",", "▁world".encode(), LONG, b"b" * 128, b"<<ST_0>>"),
        )
    )
)


def test_all_tokens_are_read() -> None:
    assert len(VOCABULARY) == 12


def test_text_has_spaces_between_words_only() -> None:
    assert VOCABULARY.text_of([6, 7, 8]) == "Hello, world"


def test_special_and_unknown_tokens_have_no_text() -> None:
    assert VOCABULARY.text_of([START, 6, 11, END, 0, 99, -1]) == "Hello"


def test_single_bytes_form_a_character() -> None:
    assert VOCABULARY.text_of([3, 4, 5]) == "€"


def test_an_incomplete_character_is_replaced() -> None:
    assert VOCABULARY.text_of([3, 4]) == "�"


@pytest.mark.parametrize(("token", "text"), [(9, LONG), (10, b"b" * 128)])
def test_long_tokens_have_a_length_of_two_bytes(token: int, text: bytes) -> None:
    assert VOCABULARY.text_of([token]) == text.decode()
