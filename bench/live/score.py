"""Scores the captions of a stream: errors and delays.

Captions are assigned to speech by their times, not by their words. A delay is measured from the
time when the word's last sample was sent to the arrival of the caption. A caption that never came
counts as infinitely late, so it moves the percentiles.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from auricle.cli.bench.score import percentile
from auricle.cli.bench.stream import Played
from bench.lib.scoring import Errors, total, word_errors, words
from bench.live.play import Caption
from bench.live.speech import Spoken, SpokenWord, Talk

NEAR_S = 0.3
"""Tolerance for the times of captions."""
FIRST_WORDS = 3
"""A clip's first correct word is one of its first three; the last one of a caption's last three."""
LONG_S = 1.0
"""A caption that ends later by this extends into the next clip."""


@dataclass(frozen=True, slots=True)
class StreamScore:
    """One stream's figures; delays are one a clip, in seconds."""

    errors: Errors
    shown: list[bool]
    final_delays_s: list[float]
    aligned_delays_s: list[float]
    """The same from Whisper's own end of the last word, which is early."""
    last_word_delays_s: list[float]
    first_word_delays_s: list[float]
    partials: int
    finals: int


def score_stream(talk: Talk, played: Played, captions: Sequence[Caption]) -> StreamScore:
    finals = [caption for caption in captions if caption.is_final and caption.text.strip()]
    ordered = sorted(finals, key=lambda final: final.start_s)
    return StreamScore(
        errors=word_errors(talk.text, " ".join(final.text for final in ordered)),
        shown=[any(_touches(final, clip) for final in finals) for clip in talk.spoken],
        final_delays_s=[
            _final_at_s(clip, finals) - played.sent(clip.end_s) for clip in talk.spoken
        ],
        aligned_delays_s=[
            _final_at_s(clip, finals) - played.sent(clip.words[-1].end_s) for clip in talk.spoken
        ],
        last_word_delays_s=[_last_word_delay_s(clip, played, captions) for clip in talk.spoken],
        first_word_delays_s=[_first_word_delay_s(clip, played, captions) for clip in talk.spoken],
        partials=sum(not caption.is_final for caption in captions),
        finals=len(finals),
    )


def _touches(caption: Caption, clip: Spoken) -> bool:
    return any(_contains(caption, word) for word in clip.words)


def _contains(caption: Caption, word: SpokenWord) -> bool:
    return caption.start_s - NEAR_S <= word.middle_s <= caption.end_s + NEAR_S


def _final_at_s(clip: Spoken, finals: Sequence[Caption]) -> float:
    """Return when the final with the clip's last word arrived."""
    last = clip.words[-1]
    containing = [final for final in finals if final.start_s <= last.middle_s <= final.end_s]
    containing = containing or [final for final in finals if _contains(final, last)]
    return min((final.at_s for final in containing), default=math.inf)


def _last_word_delay_s(clip: Spoken, played: Played, captions: Sequence[Caption]) -> float:
    """Return when a caption of any kind first showed the clip's last word."""
    last = clip.words[-1]
    expected = set(words(last.text)[-1:])
    showing = (
        caption.at_s
        for caption in captions
        if _contains(caption, last) and expected & set(_words_near_end(caption, clip))
    )
    return min(showing, default=math.inf) - played.sent(clip.end_s)


def _first_word_delay_s(clip: Spoken, played: Played, captions: Sequence[Caption]) -> float:
    first = clip.words[0]
    expected = set(words(clip.text)[:FIRST_WORDS])
    showing = (
        caption.at_s
        for caption in captions
        if _contains(caption, first) and expected & set(_words_near_start(caption, first))
    )
    return min(showing, default=math.inf) - played.sent(clip.start_s)


def _words_near_start(caption: Caption, first: SpokenWord) -> list[str]:
    """Return where the clip's first words must be: at the start, or anywhere in a long caption."""
    tokens = words(caption.text)
    begins_here = abs(caption.start_s - first.start_s) <= 2 * NEAR_S
    return tokens[:FIRST_WORDS] if begins_here else tokens


def _words_near_end(caption: Caption, clip: Spoken) -> list[str]:
    """Return where the clip's last word must be: at the end, or anywhere in a long caption."""
    tokens = words(caption.text)
    return tokens if caption.end_s > clip.end_s + LONG_S else tokens[-FIRST_WORDS:]


def summary(scores: Sequence[StreamScore], seconds: float) -> dict[str, Any]:
    """Return the figures of a run; ``None`` stands for never.

    Args:
        scores: One for each stream.
        seconds: Length of all streams together.
    """
    errors = total([score.errors for score in scores])
    shown = [is_shown for score in scores for is_shown in score.shown]
    return {
        "utterances": len(shown),
        "wer_percent": round(errors.percent, 2),
        "insertions": errors.insertions,
        "deletions": errors.deletions,
        "shown_percent": round(100 * sum(shown) / len(shown), 1),
        "final_delay_s": _spread([d for s in scores for d in s.final_delays_s]),
        "final_delay_from_aligned_s": _spread([d for s in scores for d in s.aligned_delays_s]),
        "last_word_delay_s": _spread([d for s in scores for d in s.last_word_delays_s]),
        "first_word_delay_s": _spread([d for s in scores for d in s.first_word_delays_s]),
        "partials_per_s": round(sum(score.partials for score in scores) / seconds, 2),
        "finals": sum(score.finals for score in scores),
    }


def _spread(delays_s: Sequence[float]) -> dict[str, float | None]:
    spread = {name: percentile(delays_s, p) for name, p in (("p50", 50), ("p95", 95), ("max", 100))}
    return {name: round(d, 2) if math.isfinite(d) else None for name, d in spread.items()}
