"""The WebSocket protocol of vosk-server: an answer to each chunk."""

import json
from collections.abc import Sequence
from typing import Any

from stt_resilience.drivers.base import Codec, Message, Text
from stt_resilience.drivers.plain import PlainCodec
from stt_resilience.speech import Pcm16

EOF = '{"eof" : 1}'
"""vosk-server compares the text of the message, spaces included."""


class VoskCodec(PlainCodec):
    """A session; it is complete when as many answers have arrived as chunks were sent."""

    def __init__(self, url: str, options: dict[str, Any], lost: Codec | None = None) -> None:
        super().__init__(url, options)
        del lost  # never resumed
        self._unanswered = 0
        self._is_ending = False

    def opening(self) -> Sequence[Message]:
        """Return the rate; the first such message has no answer."""
        return (json.dumps({"config": {"sample_rate": 16000, "language": "en"}}),)

    def audio(self, pcm: Pcm16, position: int) -> Sequence[Message]:
        """Return one chunk."""
        self._unanswered += 1
        return super().audio(pcm, position)

    def ending(self) -> Sequence[Message]:
        """Return the message that ends the stream, whose answer has the last text."""
        self._unanswered += 1
        self._is_ending = True
        return (EOF,)

    def receive(self, message: Message) -> Sequence[Text]:
        """Return the result in an answer."""
        answer = json.loads(message)
        self._unanswered -= 1
        self.is_complete = self._is_ending and self._unanswered == 0
        if "partial" in answer:
            return (Text("partial", answer["partial"]),) if answer["partial"] else ()
        return (Text("final", answer["text"]),) if answer.get("text") else ()
