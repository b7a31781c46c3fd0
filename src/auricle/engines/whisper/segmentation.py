"""Split generated tokens into segments at Whisper's timestamp tokens.

Whisper writes ``<|0.00|> text <|4.38|><|4.38|> text <|9.72|>``. Two timestamps in a row end one
segment and start the next. A single one at the end means that no speech follows; a pair at the end
means that the model stopped in the middle of the window, and decoding continues from there.

The text of a chunk of a file is split at the ends of its sentences instead.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from auricle.engines.log_mel import SAMPLES_PER_FRAME
from auricle.engines.whisper.window import SAMPLES_PER_TIMESTAMP

FRAMES_PER_TIMESTAMP = SAMPLES_PER_TIMESTAMP // SAMPLES_PER_FRAME


@dataclass(frozen=True, slots=True)
class TokenSpan:
    """The tokens of one segment, timestamps included; samples count from the window's start."""

    tokens: tuple[int, ...]
    start_sample: int
    end_sample: int


@dataclass(frozen=True, slots=True)
class Split:
    """A window's segments, and the number of its frames that they cover."""

    spans: tuple[TokenSpan, ...]
    consumed_frames: int
    is_whole: bool
    """The model reported no further speech, or gave no time to continue from."""


def split_at_timestamps(tokens: Sequence[int], timestamp_begin: int, content_frames: int) -> Split:
    """Return the segments in the tokens.

    Args:
        tokens: Generated tokens of one window.
        timestamp_begin: The id of ``<|0.00|>``; every larger id is a later time.
        content_frames: Number of the window's frames without padding.
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
    if consumed <= 0:  # without progress the loop would not end
        whole = _whole_span(tokens, timestamp_begin, content_frames)
        return Split((whole,), content_frames, True)
    return Split(spans, min(consumed, content_frames), False)


_SENTENCE_END = re.compile(r"""[.!?…][)\]}"'”’]*$""")
_SPACELESS_END = re.compile(r"[。！？][」』”）]*$")
_SHORT_END = re.compile(r"(^|[\s.])[A-Z][a-z]{0,2}\.$")
"""Mr., Dr., U.S.: no sentence ends there; or a very short one (Yes.), joined with the next."""


def split_at_sentences(
    parts: Sequence[str], part_tokens: Sequence[Sequence[int]], split: Split
) -> Split:
    """Return a text's sentences; each may lie anywhere in the window's consumed part.

    Args:
        parts: The text as the tokenizer splits it: words with their leading space, and marks.
        part_tokens: Each part's tokens.
        split: The same text, split at its timestamps.
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
    """Return whether a sentence ends between a text and the following text."""
    if _SPACELESS_END.search(text):
        return _SPACELESS_END.search(text + following) is None  # a mark may span several parts
    first = following.strip()[:1]
    is_start = following[:1].isspace() and first != "" and not first.islower()
    return bool(is_start and _SENTENCE_END.search(text) and not _SHORT_END.search(text))


def _whole_span(tokens: Sequence[int], timestamp_begin: int, content_frames: int) -> TokenSpan:
    """Return all tokens as one segment, up to its last timestamp or the end of the audio."""
    times = [token - timestamp_begin for token in tokens if token >= timestamp_begin]
    end_sample = content_frames * SAMPLES_PER_FRAME
    if times and times[-1] > 0:
        end_sample = times[-1] * SAMPLES_PER_TIMESTAMP
    return TokenSpan(tuple(tokens), 0, end_sample)
