"""Turn the decoder's attention into words with times.

CTranslate2's ``align`` returns the encoder position of each token, from a median filter and dynamic
time warping over the model's alignment heads. The rest follows faster-whisper: words from tokens,
punctuation joined to its word, and words that would extend over a pause shortened to twice the
median length. Times are seconds of the window until the last step.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from auricle.engines.whisper.segmentation import TokenSpan
from auricle.engines.whisper.window import SAMPLES_PER_TIMESTAMP
from auricle.values.types import SAMPLE_RATE_HZ, Word

POSITIONS_PER_SECOND = SAMPLE_RATE_HZ // SAMPLES_PER_TIMESTAMP
OPENING_MARKS = "\"'“¿([{-"
CLOSING_MARKS = "\"'.。,，!！?？:：”)]}、"
SENTENCE_END_MARKS = ".。!！?？"
MAX_MEDIAN_S = 0.7
"""Upper bound of the median word length (faster-whisper's constant)."""


@dataclass(slots=True)
class TimedWord:
    """A word whose times are still being computed; only this module mutates it."""

    text: str
    tokens: tuple[int, ...]
    start_s: float
    end_s: float
    probability: float

    @property
    def length_s(self) -> float:
        """Length of the word in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Alignment:
    """Result of ``align`` for one window.

    Attributes:
        pairs: (token index, encoder position) along the warping path.
        token_probs: Probability of each text token.
    """

    pairs: Sequence[tuple[int, int]]
    token_probs: Sequence[float]


@dataclass(frozen=True, slots=True)
class AlignedSpan:
    """A segment with its words; samples count from the window's start."""

    start_sample: int
    end_sample: int
    words: tuple[Word, ...]


def timed_words(
    words: Sequence[str], word_tokens: Sequence[Sequence[int]], alignment: Alignment
) -> list[TimedWord]:
    """Return the words with times from the warping path.

    Args:
        words: The text's words; the last one is the end-of-text token's.
        word_tokens: Each word's tokens.
        alignment: The path over the same tokens.
    """
    if len(word_tokens) <= 1:
        return []
    token_index = np.array([pair[0] for pair in alignment.pairs])
    position = np.array([pair[1] for pair in alignment.pairs])
    bounds = np.concatenate(([0], np.cumsum([len(tokens) for tokens in word_tokens[:-1]])))
    jumps = np.concatenate(([True], np.diff(token_index) != 0))
    jump_times_s = position[jumps] / POSITIONS_PER_SECOND
    return [
        TimedWord(
            text=text,
            tokens=tuple(tokens),
            start_s=float(jump_times_s[first]),
            end_s=float(jump_times_s[end]),
            probability=float(np.mean(alignment.token_probs[first:end])),
        )
        for text, tokens, first, end in zip(
            words, word_tokens, bounds[:-1], bounds[1:], strict=False
        )
    ]


def align_spans(
    spans: Sequence[TokenSpan], words: list[TimedWord], eot: int, last_speech_s: float
) -> tuple[AlignedSpan, ...]:
    """Assign words to each segment, with consistent times.

    Args:
        spans: The window's segments.
        words: The window's words in order, from :func:`timed_words`; modified in place.
        eot: The end-of-text token: smaller ids are text.
        last_speech_s: End of the job's earlier speech, in seconds of this window.
    """
    median_s = _median_length_s(words)
    _shorten_at_sentence_ends(words, 2 * median_s)
    _join_marks(words)
    remaining = iter(words)
    aligned = []
    for span in spans:
        own = _take(remaining, sum(token < eot for token in span.tokens))
        aligned.append(_fit(span, own, median_s, last_speech_s))
        if own:
            last_speech_s = aligned[-1].end_sample / SAMPLE_RATE_HZ
    return tuple(aligned)


def _median_length_s(words: Sequence[TimedWord]) -> float:
    lengths_s = [word.length_s for word in words if word.length_s]
    return min(MAX_MEDIAN_S, float(np.median(lengths_s))) if lengths_s else 0.0


def _shorten_at_sentence_ends(words: Sequence[TimedWord], max_length_s: float) -> None:
    """Shorten words so that a pause between sentences is not part of a word."""
    for before, word in zip(words, words[1:], strict=False):
        if word.length_s > max_length_s:
            if word.text in SENTENCE_END_MARKS:
                word.end_s = word.start_s + max_length_s
            elif before.text in SENTENCE_END_MARKS:
                word.start_s = word.end_s - max_length_s


def _join_marks(words: Sequence[TimedWord]) -> None:
    """Move opening marks into the next word and closing marks into the previous one."""
    following = len(words) - 1
    for i in range(len(words) - 2, -1, -1):
        mark = words[i]
        if mark.text.startswith(" ") and mark.text.strip() in OPENING_MARKS:
            words[following].text = mark.text + words[following].text
            words[following].tokens = mark.tokens + words[following].tokens
            mark.text, mark.tokens = "", ()
        else:
            following = i
    previous = 0
    for i in range(1, len(words)):
        mark = words[i]
        if not words[previous].text.endswith(" ") and mark.text in CLOSING_MARKS:
            words[previous].text += mark.text
            words[previous].tokens += mark.tokens
            mark.text, mark.tokens = "", ()
        else:
            previous = i


def _take(words: Iterable[TimedWord], token_count: int) -> list[TimedWord]:
    """Take the next segment's words, as many as its tokens make up."""
    taken: list[TimedWord] = []
    tokens = 0
    if token_count:
        for word in words:
            if word.text:
                taken.append(word)
            tokens += len(word.tokens)
            if tokens >= token_count:
                break
    return taken


def _fit(
    span: TokenSpan, words: list[TimedWord], median_s: float, last_speech_s: float
) -> AlignedSpan:
    """Resolve differences between a segment's times and its words' times."""
    start_s, end_s = span.start_sample / SAMPLE_RATE_HZ, span.end_sample / SAMPLE_RATE_HZ
    if not words:
        return AlignedSpan(span.start_sample, span.end_sample, ())
    first, last = words[0], words[-1]
    for word in words:
        word.start_s, word.end_s = round(word.start_s, 2), round(word.end_s, 2)
    if first.end_s - last_speech_s > 4 * median_s:
        _shorten_after_pause(words, 2 * median_s)
    if start_s < first.end_s and start_s - 0.5 > first.start_s:
        first.start_s = max(0.0, min(first.end_s - median_s, start_s))
    else:
        start_s = first.start_s
    if end_s > last.start_s and end_s + 0.5 < last.end_s:
        last.end_s = max(last.start_s + median_s, end_s)
    else:
        end_s = last.end_s
    return AlignedSpan(_samples(start_s), _samples(end_s), tuple(map(_finished, words)))


def _shorten_after_pause(words: Sequence[TimedWord], max_length_s: float) -> None:
    """Shorten the first two words after a pause, so that they do not extend back into it."""
    first = words[0]
    second = words[1] if len(words) > 1 else None
    is_long = first.length_s > max_length_s
    if not is_long and (second is None or second.end_s - first.start_s <= 2 * max_length_s):
        return
    if second is not None and second.length_s > max_length_s:
        boundary_s = max(second.end_s / 2, second.end_s - max_length_s)
        first.end_s = second.start_s = boundary_s
    first.start_s = max(0.0, first.end_s - max_length_s)


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE_HZ)


def _finished(word: TimedWord) -> Word:
    return Word(
        _samples(word.start_s), _samples(word.end_s), word.text, word.probability, word.tokens
    )
