"""What the decoder is given before it speaks: earlier text, hot words, the task, a prefix.

Layout: ``[<|startofprev|> hotwords… earlier…] <|startoftranscript|> <|en|> <|transcribe|>
[<|notimestamps|>] [<|0.00|> prefix…]``. Jobs of one ``generate`` call need the part before the
prefix to be of one length; prefixes may differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from auricle.engine.whisper.window import MAX_NEW_TOKENS
from auricle.types import SAMPLE_RATE_HZ, Job

MAX_PREFIX_TOKENS = 96
"""A prefix longer than this is cut: prompt, prefix and text must fit into 448 positions."""

MAX_TIMED_SAMPLES = 6 * SAMPLE_RATE_HZ
"""A piece of a file up to this has timestamps whatever its beams."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What comes before the text; ``prefix`` is part of the text and starts with a timestamp."""

    context: tuple[int, ...]
    start: tuple[int, ...]
    prefix: tuple[int, ...] = ()

    @property
    def tokens(self) -> list[int]:
        """All of it, as the decoder wants it."""
        return [*self.context, *self.start, *self.prefix]

    @property
    def length(self) -> int:
        """Tokens before the prefix: what a batch must have in common."""
        return len(self.context) + len(self.start)


def is_untimed(job: Job) -> bool:
    """Tell whether a job's text is written without timestamps.

    They steer the text: beams came out doubtful with them in 13 of 207 pieces, without in 3. But
    greedily a sentence gets lost behind a pause now and then (docs/decisions/016), and what is
    spelled in a short piece is got right with them (docs/decisions/035).
    """
    options = job.options
    return options.is_piece and options.beam_size > 1 and job.pcm.size > MAX_TIMED_SAMPLES


def context_tokens(
    previous: Sequence[int], hotwords: Sequence[int], sot_prev: int
) -> tuple[int, ...]:
    """Return hot words and earlier text behind ``<|startofprev|>``, each cut as Whisper does.

    Hot words keep their beginning and earlier text its end; together they stay below half of the
    decoder's positions.
    """
    if not previous and not hotwords:
        return ()
    most = MAX_NEW_TOKENS - 1
    kept = tuple(hotwords[:most])
    room = most - len(kept)
    return (sot_prev, *kept, *(previous[-room:] if room else ()))


def prefix_tokens(prefix: Sequence[int], timestamp_begin: int) -> tuple[int, ...]:
    """Return a prefix behind ``<|0.00|>``, without timestamps of its own."""
    text = [token for token in prefix if token < timestamp_begin]
    return (timestamp_begin, *text[:MAX_PREFIX_TOKENS]) if text else ()
