"""Whisper's tokens: text to tokens and back, words, and the special tokens.

The results are those of faster-whisper's ``Tokenizer``, whose package also imports a decoder of
files, a voice detector and a client of the Hugging Face Hub: 40 MB in each worker. Runs in a worker
process only.
"""

import string
from collections.abc import Sequence
from functools import cached_property

import tokenizers

from auricle.values.types import Task

_CHARACTER_WISE = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
"""Languages in which Whisper's words are characters."""
_SYMBOLS = (
    *'"#()*+/:;<=>@[\\]^_`{|}~「」『』',
    *("<<", ">>", "<<<", ">>>", "--", "---", "-(", "-[", "('", '("', "((", "))", "(((", ")))"),
    *("[[", "]]", "{{", "}}", "♪♪", "♪♪♪"),
)
_NOTES = "♩♪♫♬♭♮♯"
"""Symbols of several tokens each, of which the first belongs to such symbols only."""
_REPLACEMENT = "\ufffd"
"""What the bytes of an incomplete character decode to."""


class Tokenizer:
    """The tokens of one language and task.

    Args:
        vocabulary: The model's ``tokenizer.json``.
        is_multilingual: Whether the model has tokens for languages and tasks.
        language: A language code.
        task: The task.
    """

    def __init__(
        self, vocabulary: tokenizers.Tokenizer, *, is_multilingual: bool, language: str, task: Task
    ) -> None:
        self._vocabulary = vocabulary
        self._is_character_wise = is_multilingual and language in _CHARACTER_WISE
        self.eot = self._id("<|endoftext|>")
        self.sot_prev = self._id("<|startofprev|>")
        self.no_timestamps = self._id("<|notimestamps|>")
        self.timestamp_begin = self.no_timestamps + 1
        named = (f"<|{language}|>", f"<|{task.value}|>") if is_multilingual else ()
        found = (vocabulary.token_to_id(name) for name in named)
        self.sot_sequence = [
            self._id("<|startoftranscript|>"),
            *(token for token in found if token is not None),
        ]

    def _id(self, name: str) -> int:
        token: int | None = self._vocabulary.token_to_id(name)
        if token is None:
            raise ValueError(f"the vocabulary has no token {name}")
        return token

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        return list(self._vocabulary.encode(text, add_special_tokens=False).ids)

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens, without special tokens and timestamps."""
        return str(self._vocabulary.decode([token for token in tokens if token < self.eot]))

    @cached_property
    def suppressed_tokens(self) -> list[int]:
        """Tokens that are never generated: special ones, and those of symbols that aren't spoken.

        A hyphen and an apostrophe are suppressed at the start of a word only.
        """
        suppressed = {self.encode(" -")[0], self.encode(" '")[0]}
        for symbol in (*_SYMBOLS, *_NOTES):
            for tokens in (self.encode(symbol), self.encode(" " + symbol)):
                if len(tokens) == 1 or symbol in _NOTES:
                    suppressed.add(tokens[0])
        special = ("transcribe", "translate", "startoftranscript", "startofprev", "startoflm")
        suppressed |= {self._id(f"<|{name}|>") for name in special}
        no_speech = self._vocabulary.token_to_id("<|nospeech|>")
        suppressed.add(no_speech or self._id("<|nocaptions|>"))
        return sorted(suppressed)

    def split_to_word_tokens(self, tokens: Sequence[int]) -> tuple[list[str], list[list[int]]]:
        """Return the words of a text, with their leading spaces and tokens; marks are words, too.

        Args:
            tokens: Tokens of text, and possibly the end token, which becomes an empty word.
        """
        characters, parts = self._split_to_characters(tokens)
        if self._is_character_wise:
            return characters, parts
        words: list[str] = []
        word_tokens: list[list[int]] = []
        for text, own in zip(characters, parts, strict=True):
            is_mark = text.strip() in string.punctuation
            if not words or own[0] >= self.eot or text.startswith(" ") or is_mark:
                words.append(text)
                word_tokens.append(own)
            else:
                words[-1] += text
                word_tokens[-1] += own
        return words, word_tokens

    def _split_to_characters(self, tokens: Sequence[int]) -> tuple[list[str], list[list[int]]]:
        """Return the shortest runs of tokens that are whole characters."""
        whole = self.decode(tokens)
        texts: list[str] = []
        parts: list[list[int]] = []
        own: list[int] = []
        length = 0
        for token in tokens:
            own.append(token)
            text = self.decode(own)
            at = text.find(_REPLACEMENT)
            is_spoken = 0 <= at < len(whole) - length and whole[length + at] == _REPLACEMENT
            if at < 0 or is_spoken:
                texts.append(text)
                parts.append(own)
                own = []
                length += len(text)
        return texts, parts
