"""Format gaps in a transcript as visible lines, and as fields of JSON."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Annotated, NotRequired, TypedDict

from msgspec import Meta

from auricle.values.languages import SPACELESS_LANGUAGES
from auricle.values.types import SAMPLE_RATE_HZ, Gap, Transcript

UNREACHABLE = "unreachable"
"""No server was reachable for longer than the client buffers audio, or the client gave up."""
TOO_SLOW = "too_slow"
"""The connection or the server was slower than real time for longer than the client buffers."""
NOT_CAPTURED = "not_captured"
"""The program was too busy to read the microphone."""
STOPPED = "stopped"
"""The stream ended for another reason before the text arrived."""

TOO_LATE = "too_late"
"""The server was busy, and the session prefers no text to late text."""

_REASONS = {
    UNREACHABLE: "server unreachable",
    TOO_SLOW: "connection too slow",
    NOT_CAPTURED: "microphone not read in time",
    STOPPED: "stopped before its text arrived",
    TOO_LATE: "the server was too busy to transcribe it in time",
}


_Seconds = Annotated[float, Meta(description="In seconds.")]


class GapBody(TypedDict):
    """Audio without a transcript."""

    start: _Seconds
    end: _Seconds
    code: str
    reason: str
    channel: NotRequired[int]


def gap_reason(code: str) -> str:
    """Return why speech is missing, as text; ``code`` is one of the above or an error code."""
    return _REASONS.get(code, f"not recognised ({code})")


def gap_line(gap: Gap) -> str:
    """Return the line that marks a gap in a transcript."""
    seconds = (gap.end_sample - gap.start_sample) / SAMPLE_RATE_HZ
    return f"[{seconds:.1f} s missing: {gap_reason(gap.code)}]"


def text_with_gaps(transcript: Transcript, gaps: Sequence[Gap]) -> str:
    """Return the text with a separate line for each turn of a speaker and each gap, in order."""
    if not gaps and not transcript.speakers:
        return transcript.text
    return "\n".join(_lines(transcript, gaps))


def _lines(transcript: Transcript, gaps: Sequence[Gap]) -> Iterator[str]:
    space = "" if transcript.language in SPACELESS_LANGUAGES else " "
    labels = {speaker.number: f"{speaker.label}: " for speaker in transcript.speakers}
    # Time, whether it is text, the speaker's label, the line. A gap comes before the text there.
    parts = [(gap.start_sample, False, "", gap_line(gap)) for gap in gaps]
    for segment in transcript.segments:
        if text := segment.text.strip():
            label = "" if segment.speaker is None else labels.get(segment.speaker, "")
            parts.append((segment.start_sample, True, label, text))
    parts.sort(key=itemgetter(0, 1))
    for (is_text, label), group in groupby(parts, key=itemgetter(1, 2)):
        lines = [line for _, _, _, line in group]
        yield from [label + space.join(lines)] if is_text else lines


def gap_fields(gaps: tuple[Gap, ...]) -> list[GapBody]:
    """Return the gaps with their start and end in seconds and their reason."""
    return [_gap(gap) for gap in gaps]


def _gap(gap: Gap) -> GapBody:
    body: GapBody = {
        "start": _seconds(gap.start_sample),
        "end": _seconds(gap.end_sample),
        "code": gap.code,
        "reason": gap_reason(gap.code),
    }
    if gap.channel is not None:
        body["channel"] = gap.channel
    return body


def _seconds(samples: int) -> float:
    return round(samples / SAMPLE_RATE_HZ, 3)
