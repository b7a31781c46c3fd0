"""Subtitles: segments in, SubRip or WebVTT text out.

One cue for each segment and for each gap, in order of time. Both formats end a cue's text at a
blank line and give ``-->`` a meaning, so neither may come through from the speech; WebVTT reads
``&`` and ``<`` as markup (W3C WebVTT, "cue text span"), SubRip has no escapes at all. Neither shows
two cues at a time here: a cue ends no later than the next one begins.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from auricle.protocol.gaps import gap_line
from auricle.types import SAMPLE_RATE_HZ, Gap, Segment

SAMPLES_PER_MS = SAMPLE_RATE_HZ // 1000

# A cue that ends where it starts is not allowed in WebVTT and not seen in players.
SHORTEST_CUE_MS = 1

_ARROW = re.compile("--+>")


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle; the text has no blank lines and is never empty."""

    start_ms: int
    end_ms: int
    text: str


def cues(segments: Sequence[Segment], gaps: Sequence[Gap] = ()) -> Iterator[Cue]:
    """Yield one cue for each segment that has text, and for each gap.

    They are in order of time, none over another. A gap's line is one cue as long as the gap.
    """
    shown: list[tuple[Segment | Gap, str]] = [
        (s, text) for s in segments if (text := _tidy(s.text))
    ]
    shown += [(gap, gap_line(gap)) for gap in gaps]
    shown.sort(key=lambda pair: pair[0].start_sample)
    start_ms = 0
    for index, (span, text) in enumerate(shown):
        start_ms = max(start_ms, _milliseconds(span.start_sample))
        end_ms = _milliseconds(span.end_sample)
        if index + 1 < len(shown):
            end_ms = min(end_ms, _milliseconds(shown[index + 1][0].start_sample))
        end_ms = max(end_ms, start_ms + SHORTEST_CUE_MS)
        yield Cue(start_ms, end_ms, text)
        start_ms = end_ms


def to_srt(segments: Sequence[Segment], gaps: Sequence[Gap] = ()) -> str:
    """Return the segments as SubRip, numbered from 1; no segments give an empty text."""
    blocks = (
        f"{number}\n{_clock(cue.start_ms, ',')} --> {_clock(cue.end_ms, ',')}\n"
        f"{_ARROW.sub('->', cue.text)}\n"
        for number, cue in enumerate(cues(segments, gaps), start=1)
    )
    return "\n".join(blocks)


def to_vtt(segments: Sequence[Segment], gaps: Sequence[Gap] = ()) -> str:
    """Return the segments as WebVTT; no segments give a file with a header only."""
    blocks = (
        f"{_clock(cue.start_ms, '.')} --> {_clock(cue.end_ms, '.')}\n{_escape(cue.text)}\n"
        for cue in cues(segments, gaps)
    )
    return "\n".join(("WEBVTT\n", *blocks))


def _tidy(text: str) -> str:
    """Drop blank lines and the space around each line: a blank line would end the cue."""
    return "\n".join(line for raw in text.splitlines() if (line := raw.strip()))


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _milliseconds(samples: int) -> int:
    """Round to the nearest millisecond, halves up."""
    return max(0, (samples + SAMPLES_PER_MS // 2) // SAMPLES_PER_MS)


def _clock(ms: int, point: str) -> str:
    """Return ``HH:MM:SS,mmm``; both formats allow more than two digits of hours."""
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{ms:03}"
