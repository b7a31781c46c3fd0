"""The decoder's input before the text: earlier text, hot words, the task, a prefix.

Layout: ``[<|startofprev|> hotwords… earlier…] <|startoftranscript|> <|en|> <|transcribe|>
[<|notimestamps|>] [<|0.00|> prefix…]``. For jobs of one ``generate`` call the part before the
prefix must have the same length; prefixes may differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from auricle.engines.whisper.window import MAX_NEW_TOKENS
from auricle.values.types import SAMPLE_RATE_HZ, Job

MAX_PREFIX_TOKENS = 96
"""A longer prefix is truncated: prompt, prefix and text must fit into 448 positions."""

MAX_TIMED_SAMPLES = 6 * SAMPLE_RATE_HZ
"""A chunk of a file up to this length has timestamps at every beam size."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Input before the text; ``prefix`` is part of the text and starts with a timestamp."""

    context: tuple[int, ...]
    start: tuple[int, ...]
    prefix: tuple[int, ...] = ()

    @property
    def tokens(self) -> list[int]:
        """All tokens, in the order that the decoder expects."""
        return [*self.context, *self.start, *self.prefix]

    @property
    def length(self) -> int:
        """Number of tokens before the prefix, which must be the same in a batch."""
        return len(self.context) + len(self.start)


def is_untimed(job: Job, beam_size: int) -> bool:
    """Return whether a job's text is written without timestamps.

    Timestamps affect the text: 13 of 207 chunks were doubtful in beam search with them, 3 without.
    In greedy decoding without them, a sentence after a pause is sometimes lost
    (docs/decisions/016), and spelled text in a short chunk is correct with them
    (docs/decisions/035).
    """
    return job.options.is_chunk and beam_size > 1 and job.pcm.size > MAX_TIMED_SAMPLES


def context_tokens(
    previous: Sequence[int], hotwords: Sequence[int], sot_prev: int
) -> tuple[int, ...]:
    """Return hot words and earlier text after ``<|startofprev|>``, truncated as Whisper does.

    Hot words keep their beginning and earlier text its end; together they have less than half of
    the decoder's positions.
    """
    if not previous and not hotwords:
        return ()
    most = MAX_NEW_TOKENS - 1
    kept = tuple(hotwords[:most])
    room = most - len(kept)
    return (sot_prev, *kept, *(previous[-room:] if room else ()))


def prefix_tokens(prefix: Sequence[int], timestamp_begin: int) -> tuple[int, ...]:
    """Return a prefix after ``<|0.00|>``, without its timestamps."""
    text = [token for token in prefix if token < timestamp_begin]
    return (timestamp_begin, *text[:MAX_PREFIX_TOKENS]) if text else ()
