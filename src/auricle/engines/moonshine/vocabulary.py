"""The text of Moonshine's tokens.

``tokenizer.bin`` lists all tokens in order: the length of each, in one byte or, from 128, in two
(``b0 + 128 * (b1 - 1)``), then its UTF-8 bytes with U+2581 for a space. Three special tokens are
first, and then all single bytes; further special tokens are last.
"""

from collections.abc import Iterable

START, END = 1, 2
FIRST_TEXT = 3
_SPACE = "\N{LOWER ONE EIGHTH BLOCK}".encode()


class Vocabulary:
    """All tokens of a ``tokenizer.bin``."""

    def __init__(self, content: bytes) -> None:
        self._tokens: list[bytes] = []
        at = 0
        while at < len(content):
            length = content[at]
            at += 1
            if length >= 128:
                length += 128 * (content[at] - 1)
                at += 1
            self._tokens.append(content[at : at + length])
            at += length

    def __len__(self) -> int:
        return len(self._tokens)

    def is_text(self, token: int) -> bool:
        """Return whether a number is a token of text, not a special one."""
        return FIRST_TEXT <= token < len(self) and not self._tokens[token].startswith(b"<<ST_")

    def starts_word(self, token: int) -> bool:
        """Return whether a token begins with a space."""
        return self.is_text(token) and self._tokens[token].startswith(_SPACE)

    def text_of(self, tokens: Iterable[int]) -> str:
        """Return the text of tokens, without the special ones and outer spaces."""
        content = b"".join(self._tokens[token] for token in tokens if self.is_text(token))
        return content.replace(_SPACE, b" ").decode("utf-8", "replace").strip()
