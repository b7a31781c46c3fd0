"""What most codecs have in common."""

from collections.abc import Sequence
from typing import Any

from stt_resilience.drivers.base import Message, Text
from stt_resilience.speech import Pcm16


class PlainCodec:
    """Defaults of a codec: PCM16 in binary messages, ready at once, never resumed.

    Args:
        url: Where to connect.
        options: Of the protocol in the server's description.
    """

    is_ready = True
    is_complete = False
    quiet_s = 0.0
    resume_at = 0

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        self._url = url
        self.options = options

    def url(self) -> str:
        """Return the URL to connect to."""
        return self._url

    def headers(self) -> dict[str, str]:
        """Return the option ``headers``."""
        headers: dict[str, str] = self.options.get("headers", {})
        return headers

    def opening(self) -> Sequence[Message]:
        """Return nothing."""
        return ()

    def audio(self, pcm: Pcm16, position: int) -> Sequence[Message]:
        """Return one binary message."""
        del position
        return (pcm.astype("<i2").tobytes(),)

    def end_utterance(self) -> Sequence[Message]:
        """Return nothing: the server finds pauses."""
        return ()

    def ending(self) -> Sequence[Message]:
        """Return nothing."""
        return ()

    def replies(self) -> Sequence[Message]:
        """Return nothing."""
        return ()

    def closed(self) -> Sequence[Text]:
        """Return nothing."""
        return ()
