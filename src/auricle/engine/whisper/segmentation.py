"""Cuts generated tokens into segments at Whisper's timestamp tokens.

Whisper writes ``<|0.00|> text <|4.38|><|4.38|> text <|9.72|>``. Two timestamps in a row end one
segment and start the next. A single one at the end means that nothing follows it; a pair at the end
means that the model stopped in the middle of the window, which goes on from there.

The text of a piece of a file is cut at the ends of its sentences instead.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from auricle.engine.whisper.window import SAMPLES_PER_FRAME, SAMPLES_PER_TIMESTAMP

FRAMES_PER_TIMESTAMP = SAMPLES_PER_TIMESTAMP // SAMPLES_PER_FRAME


@dataclass(frozen=True, slots=True)
class TokenSpan:
    """The tokens of one segment, timestamps included; samples count from the window's start."""

    tokens: tuple[int, ...]
    start_sample: int
    end_sample: int


@dataclass(frozen=True, slots=True)
class Split:
    """A window's segments, and how many of its frames they resolve_placement."""

    spans: tuple[TokenSpan, ...]
    consumed_frames: int
    is_whole: bool
    """The model said that nothing follows, or gave no times to go on from."""


def split_at_timestamps(tokens: Sequence[int], timestamp_begin: int, content_frames: int) -> Split:
    """Return the segments that the tokens hold.

    Args:
        tokens: What was generated for one window.
        timestamp_begin: The id of ``<|0.00|>``; every larger id is a later time.
        content_frames: The window's frames of sound, padding not counted.
    """
    is_time = [token >= timestamp_begin for token in tokens]
    cuts = [i for i in range(1, len(tokens)) if is_time[i - 1] and is_time[i]]
    if not cuts:
        return Split((_whole_span(tokens, timestamp_begin, content_frames),), content_frames, True)
    ends_with_one = len(tokens) >= 2 and is_time[-1] and not is_time[-2]
    ends = [*cuts, len(tokens)] if ends_with_one else cuts
    spans = tuple(
        TokenSpan(
            tuple(tokens[start:end]),
            (tokens[start] - timestamp_begin) * SAMPLES_PER_TIMESTAMP,
            (tokens[end - 1] - timestamp_begin) * SAMPLES_PER_TIMESTAMP,
        )
        for start, end in zip([0, *ends], ends, strict=False)
    )
    if ends_with_one:
        return Split(spans, content_frames, True)
    consumed = (tokens[ends[-1] - 1] - timestamp_begin) * FRAMES_PER_TIMESTAMP
    if consumed <= 0:  # no step forward would never end
        whole = _whole_span(tokens, timestamp_begin, content_frames)
        return Split((whole,), content_frames, True)
    return Split(spans, min(consumed, content_frames), False)


_SENTENCE_END = re.compile(r"""[.!?…][)\]}"'”’]*$""")
_SPACELESS_END = re.compile(r"[。！？][」』”）]*$")
_SHORT_END = re.compile(r"(^|[\s.])[A-Z][a-z]{0,2}\.$")
"""Mr., Dr., U.S.: no sentence ends there; or a very short one (Yes.), which the next may follow."""


def split_at_sentences(
    parts: Sequence[str], part_tokens: Sequence[Sequence[int]], split: Split
) -> Split:
    """Return a text's sentences; each may lie anywhere in what is settled of the window.

    Args:
        parts: The text as the tokenizer parts it: words with their leading space, and marks.
        part_tokens: Each part's tokens.
        split: The same text, cut at its timestamps.
    """
    sentences: list[tuple[int, ...]] = []
    text, tokens = "", tuple[int, ...]()
    for part, own_tokens in zip(parts, part_tokens, strict=True):
        if _ends_before(text, part):
            sentences.append(tokens)
            text, tokens = "", ()
        text += part
        tokens += tuple(own_tokens)
    end_sample = split.consumed_frames * SAMPLES_PER_FRAME
    spans = tuple(TokenSpan(each, 0, end_sample) for each in (*sentences, tokens))
    return Split(spans, split.consumed_frames, split.is_whole)


def _ends_before(text: str, following: str) -> bool:
    """Tell whether a sentence ends between a text and what follows it."""
    if _SPACELESS_END.search(text):
        return _SPACELESS_END.search(text + following) is None  # its marks may be several parts
    first = following.strip()[:1]
    is_start = following[:1].isspace() and first != "" and not first.islower()
    return bool(is_start and _SENTENCE_END.search(text) and not _SHORT_END.search(text))


def _whole_span(tokens: Sequence[int], timestamp_begin: int, content_frames: int) -> TokenSpan:
    """Return all tokens as one segment, as long as its last timestamp or the sound says."""
    times = [token - timestamp_begin for token in tokens if token >= timestamp_begin]
    end_sample = content_frames * SAMPLES_PER_FRAME
    if times and times[-1] > 0:
        end_sample = times[-1] * SAMPLES_PER_TIMESTAMP
    return TokenSpan(tuple(tokens), 0, end_sample)
