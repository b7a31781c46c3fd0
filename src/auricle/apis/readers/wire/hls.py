"""The media playlist of a live session's captions (HLS, RFC 8216).

Segment ``n`` has the captions of 6 s, from ``6 n`` seconds of the session's audio on. It is listed
once all speech in it is final, and does not change any more. The playlist lists the newest segments
only.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

SEGMENT_MS = 6000
"""Apple's recommendation, as players begin three segments before the end."""
LISTED_SEGMENTS = 10


def encode_playlist(
    segments: Sequence[int], end_ms: int, started_at: float, query: str, *, is_ended: bool
) -> bytes:
    """Return a playlist.

    Args:
        segments: Numbers of the segments, without gaps.
        end_ms: Position in the session up to which captions are final; ends the last segment of a
            session that has ended.
        started_at: When the session's audio was at position 0, in seconds since 1970.
        query: Query string of each segment's URL, such as ``?token=…``, or empty.
        is_ended: Whether no further segments follow.
    """
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{SEGMENT_MS // 1000}"]
    lines.append(f"#EXT-X-MEDIA-SEQUENCE:{segments[0] if segments else 0}")
    if segments:
        at = datetime.fromtimestamp(started_at + segments[0] * SEGMENT_MS / 1000, UTC)
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{at.isoformat(timespec='milliseconds')}")
    for number in segments:
        length_ms = min(SEGMENT_MS, end_ms - number * SEGMENT_MS)
        lines.append(f"#EXTINF:{length_ms / 1000:.3f},")
        lines.append(f"captions/{number}.vtt{query}")
    if is_ended:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join((*lines, "")).encode()
