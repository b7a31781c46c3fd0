"""Finals of a live session as WebVTT, one after another or in the segments of HLS.

The cues of a final depend on it alone, so that each is laid out once and looks the same in every
segment that shows it. Text is final, except that a segment names the speakers that are known when
it is first read. Times are those of the session's audio.
"""

from collections.abc import Iterable

from auricle.apis.readers.wire.events import FeedEvent, KeepAlive
from auricle.text.formats.base import MAX_CUE_MS, CueBlock
from auricle.text.formats.registry import format_of
from auricle.values.events import Final
from auricle.values.types import SAMPLES_PER_MS, Segment, Speaker

WEBVTT = "vtt"
"""Name of the format, which an installation may lack."""
START = b"WEBVTT\n\n"
"""The beginning of a stream of cues."""
_SEGMENT_START = "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n\n"
"""RFC 8216 §3.5: the times of cues are those of the session."""


def encode_cues(number: int, event: FeedEvent) -> bytes:
    """Return the cues of a final, a comment if there is no news, and nothing for other events."""
    match event:
        case Final():
            return "".join(f"{cue.text}\n" for cue in _cues_of(event)).encode()
        case KeepAlive():
            return b"NOTE no news\n\n"
        case _:
            return b""


def encode_segment(finals: Iterable[Final], start_ms: int, end_ms: int) -> bytes:
    """Return a segment of HLS: all cues that are shown between two times of the session.

    It ends with a blank line, because FFmpeg reads all segments as one file.
    """
    shown = (
        f"{cue.text}\n"
        for final in finals
        if final.start_sample < end_ms * SAMPLES_PER_MS
        and final.end_sample > (start_ms - MAX_CUE_MS) * SAMPLES_PER_MS
        for cue in _cues_of(final)
        if cue.start_ms < end_ms and cue.end_ms > start_ms
    )
    return "".join((_SEGMENT_START, *shown)).encode()


def _cues_of(final: Final) -> Iterable[CueBlock]:
    parts = final.segments or ()
    segments = [
        Segment(part.start_sample, part.end_sample, part.text, speaker=part.speaker)
        for part in parts
    ]
    if len(segments) < 2:
        number = final.speaker if final.channel is None else final.channel
        segments = [
            Segment(final.start_sample, final.end_sample, final.text, final.words, speaker=number)
        ]
    numbers = {segment.speaker for segment in segments if segment.speaker is not None}
    speakers = [Speaker.of(number, final.speakers) for number in sorted(numbers)]
    return format_of(WEBVTT).blocks(segments, speakers=speakers)
