"""The interface of frame splitters, and how many bytes without a frame they pass over."""

from typing import Protocol

from auricle.values.errors import AudioError
from auricle.values.types import SAMPLE_RATE_HZ, CompressedFrame

MAX_JUNK_BYTES = 64 * 1024
"""Bytes between two frames that are passed over; more are not audio."""
MAX_TAG_BYTES = 16 * 2**20
"""Size of tags before the audio; cover art has a few MB."""


class FrameSplitter(Protocol):
    """Bytes in, frames out."""

    @property
    def header(self) -> bytes:
        """What a decoder needs before the first frame; known once there is a frame."""
        ...

    def receive_data(self, data: bytes) -> None:
        """Receive bytes, split anywhere."""
        ...

    def receive_eof(self) -> None:
        """End the stream: what is buffered may be its last frame."""
        ...

    def next_frame(self) -> CompressedFrame | None:
        """Return the next frame; ``None`` when more bytes are needed.

        Raises:
            AudioError: There are too many bytes without a frame.
        """
        ...


class JunkLimit:
    """Counts bytes without a frame.

    Args:
        title: Name of the format, for the error.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._bytes = 0

    def add(self, size_bytes: int) -> None:
        """Count bytes that are passed over.

        Raises:
            AudioError: They are too many.
        """
        self._bytes += size_bytes
        if self._bytes > MAX_JUNK_BYTES:
            raise AudioError(f"There are no {self._title} frames in {MAX_JUNK_BYTES // 1024} KiB.")

    def reset(self) -> None:
        """Start again, after a frame."""
        self._bytes = 0


def frame_of(data: bytes, samples: int, rate_hz: int) -> CompressedFrame:
    """Return a frame of this many samples at its own rate."""
    return CompressedFrame(data, samples * SAMPLE_RATE_HZ // rate_hz)
