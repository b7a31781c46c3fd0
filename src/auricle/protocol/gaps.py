"""Format gaps in a transcript as visible lines."""

from collections.abc import Iterator, Sequence

from auricle.languages import SPACELESS_LANGUAGES
from auricle.types import SAMPLE_RATE_HZ, Gap, Transcript

UNREACHABLE = "unreachable"
"""No server was reachable for longer than the client buffers audio, or the client gave up."""
TOO_SLOW = "too_slow"
"""The connection or the server was slower than real time for longer than the client buffers."""
NOT_CAPTURED = "not_captured"
"""The program was too busy to read the microphone."""
STOPPED = "stopped"
"""The stream ended for another reason before the text arrived."""

_REASONS = {
    UNREACHABLE: "server unreachable",
    TOO_SLOW: "connection too slow",
    NOT_CAPTURED: "microphone not read in time",
    STOPPED: "stopped before its text arrived",
}


def gap_reason(code: str) -> str:
    """Return why speech is missing, as text; ``code`` is one of the above or an error code."""
    return _REASONS.get(code, f"not recognised ({code})")


def gap_line(gap: Gap) -> str:
    """Return the line that marks a gap in a transcript."""
    seconds = (gap.end_sample - gap.start_sample) / SAMPLE_RATE_HZ
    return f"[{seconds:.1f} s missing: {gap_reason(gap.code)}]"


def text_with_gaps(transcript: Transcript, gaps: Sequence[Gap]) -> str:
    """Return the text with a separate line for each gap, in order of time."""
    if not gaps:
        return transcript.text
    return "\n".join(_parts(transcript, gaps))


def _parts(transcript: Transcript, gaps: Sequence[Gap]) -> Iterator[str]:
    space = "" if transcript.language in SPACELESS_LANGUAGES else " "
    segments = sorted(transcript.segments, key=lambda segment: segment.start_sample)
    at = 0
    for gap in sorted(gaps, key=lambda gap: gap.start_sample):
        until = at
        while until < len(segments) and segments[until].start_sample < gap.start_sample:
            until += 1
        if text := space.join(segment.text.strip() for segment in segments[at:until]):
            yield text
        yield gap_line(gap)
        at = until
    if text := space.join(segment.text.strip() for segment in segments[at:]):
        yield text
