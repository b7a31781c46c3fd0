"""Build words, and segments of them, from tokens and the times at which they were recognised.

A token that starts with a space starts a word; Chinese and Japanese characters are words of their
own. Pure functions.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp

from auricle.values.types import SAMPLE_RATE_HZ, Segment, Word

MAX_TOKEN_S = 0.3
"""Longest time of a token whose end is unknown; a spoken syllable takes about 0.2 s."""
_SPACELESS = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_SENTENCE_END = re.compile(r"[.?!。？！…]['\"”’)»]*$")


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What a model recognised.

    Attributes:
        text: The text.
        tokens: Its tokens, with a space for the start of a word; empty if unknown.
        starts_s: When each token was recognised, in seconds; empty if unknown.
        durations_s: How long each token takes; empty if unknown.
        logprobs: Log-probability of each token; empty if unknown.
        language: Code of the language that the model found; empty if it does not say.
    """

    text: str
    tokens: tuple[str, ...] = ()
    starts_s: tuple[float, ...] = ()
    durations_s: tuple[float, ...] = ()
    logprobs: tuple[float, ...] = ()
    language: str = ""

    @property
    def avg_logprob(self) -> float:
        """Mean log-probability of the tokens; 0 if unknown."""
        return sum(self.logprobs) / len(self.logprobs) if self.logprobs else 0.0


def words_of(hypothesis: Hypothesis, samples: int) -> tuple[Word, ...] | None:
    """Return the words of a hypothesis.

    Args:
        hypothesis: What was recognised.
        samples: Length of the audio.

    Returns:
        The words, in order; ``None`` if tokens have no times or do not make up the text, as those
        that are bytes.
    """
    tokens, starts = hypothesis.tokens, hypothesis.starts_s
    if len(tokens) != len(starts) or _unspaced("".join(tokens)) != _unspaced(hypothesis.text):
        return None
    words = [_word(hypothesis, first, last, samples) for first, last in _spans(tokens)]
    return (
        tuple(
            Word(
                word.start_sample,
                min(word.end_sample, max(following.start_sample, word.start_sample + 1)),
                word.text,
                word.probability,
            )
            for word, following in zip(words, [*words[1:], words[-1].shifted(samples)], strict=True)
        )
        if words
        else ()
    )


def segments_of(
    hypothesis: Hypothesis, samples: int, *, by_sentence: bool, with_words: bool
) -> tuple[Segment, ...]:
    """Return the segments of a hypothesis.

    Args:
        hypothesis: What was recognised, with a text.
        samples: Length of the audio.
        by_sentence: Make a segment of each sentence, if there are words; otherwise there is one.
        with_words: Include the words.
    """
    words = words_of(hypothesis, samples)
    if not words or not (by_sentence or with_words):
        segment = Segment(0, samples, f" {hypothesis.text}", avg_logprob=hypothesis.avg_logprob)
        return (segment,)
    parts = [*_sentences(words)] if by_sentence else [words]
    return tuple(
        Segment(
            part[0].start_sample,
            part[-1].end_sample,
            "".join(word.text for word in part),
            words=part if with_words else None,
            avg_logprob=hypothesis.avg_logprob,
        )
        for part in parts
    )


def _spans(tokens: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the first and last token of each word."""
    first, text = 0, ""
    for index, token in enumerate(tokens):
        starts_word = token.startswith(" ") or (
            bool(text.strip())
            and _is_spaceless(token) | _is_spaceless(text)
            and any(character.isalnum() for character in token)
        )
        if starts_word and text.strip():
            yield first, index - 1
            first, text = index, ""
        text += token
    if text.strip():
        yield first, len(tokens) - 1


def _is_spaceless(text: str) -> bool:
    return _SPACELESS.search(text) is not None


def _word(hypothesis: Hypothesis, first: int, last: int, samples: int) -> Word:
    text = "".join(hypothesis.tokens[first : last + 1]).rstrip()
    if text.startswith(" ") or not _is_spaceless(text):
        text = f" {text.lstrip()}"
    start = min(int(hypothesis.starts_s[first] * SAMPLE_RATE_HZ), samples - 1)
    length_s = hypothesis.durations_s[last] if len(hypothesis.durations_s) > last else 0.0
    end_s = hypothesis.starts_s[last] + (length_s or MAX_TOKEN_S)
    logprobs = hypothesis.logprobs[first : last + 1]
    probability = min(exp(sum(logprobs) / len(logprobs)), 1.0) if logprobs else 1.0
    end = max(min(int(end_s * SAMPLE_RATE_HZ), samples), start + 1)
    return Word(start, end, text, probability)


def _sentences(words: Sequence[Word]) -> Iterator[tuple[Word, ...]]:
    part: list[Word] = []
    for word in words:
        part.append(word)
        if _SENTENCE_END.search(word.text):
            yield tuple(part)
            part = []
    if part:
        yield tuple(part)


def _unspaced(text: str) -> str:
    return "".join(text.split())
