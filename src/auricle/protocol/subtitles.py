"""Format segments as SubRip or WebVTT subtitles.

:mod:`.subtitle_layout` splits sentences into cues and lines; each gap is a cue of the same length.
In both formats, a blank line ends the text of a cue and ``-->`` has a meaning, so neither may occur
in the text. WebVTT parses ``&`` and ``<`` as markup (W3C WebVTT, "cue text span"); SubRip has no
escapes.
"""

import re
from collections.abc import Sequence

from auricle.protocol.gaps import gap_line
from auricle.protocol.subtitle_layout import USUAL, Cue, Spoken, SubtitleLimits, lay_out, settle
from auricle.types import SAMPLE_RATE_HZ, Gap, Segment

SAMPLES_PER_MS = SAMPLE_RATE_HZ // 1000

_ARROW = re.compile("--+>")


def cues(
    segments: Sequence[Segment],
    gaps: Sequence[Gap] = (),
    limits: SubtitleLimits = USUAL,
) -> list[Cue]:
    """Return the cues of all segments with text and one cue for each gap, in order of time."""
    missing = [
        Cue(_milliseconds(gap.start_sample), _milliseconds(gap.end_sample), gap_line(gap))
        for gap in gaps
    ]
    return settle(lay_out(map(_spoken, segments), limits), missing)


def to_srt(
    segments: Sequence[Segment],
    gaps: Sequence[Gap] = (),
    limits: SubtitleLimits = USUAL,
) -> str:
    """Return the segments as SubRip, numbered from 1; without segments, an empty string."""
    blocks = (
        f"{number}\n{_clock(cue.start_ms, ',')} --> {_clock(cue.end_ms, ',')}\n"
        f"{_ARROW.sub('->', cue.text)}\n"
        for number, cue in enumerate(cues(segments, gaps, limits), start=1)
    )
    return "\n".join(blocks)


def to_vtt(
    segments: Sequence[Segment],
    gaps: Sequence[Gap] = (),
    limits: SubtitleLimits = USUAL,
) -> str:
    """Return the segments as WebVTT; without segments, only the header."""
    blocks = (
        f"{_clock(cue.start_ms, '.')} --> {_clock(cue.end_ms, '.')}\n{_escape(cue.text)}\n"
        for cue in cues(segments, gaps, limits)
    )
    return "\n".join(("WEBVTT\n", *blocks))


def _spoken(segment: Segment) -> list[Spoken]:
    """Return the words of a segment if they cover its whole text; otherwise its text."""
    words = segment.words or ()
    if "".join(word.text for word in words).split() != segment.text.split():
        words = ()
    return [
        Spoken(start_ms, max(start_ms, _milliseconds(each.end_sample)), each.text)
        for each in words or (segment,)
        for start_ms in (_milliseconds(each.start_sample),)
    ]


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
