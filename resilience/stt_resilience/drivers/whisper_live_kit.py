"""WhisperLiveKit's protocol: PCM in, and the whole transcript after each change out."""

import json
import os
from collections.abc import Sequence
from typing import Any

from stt_resilience.drivers.base import Codec, Message, Refused, Text
from stt_resilience.drivers.plain import PlainCodec


class WhisperLiveKitCodec(PlainCodec):
    """A session, which cannot be resumed.

    What a line gains is final, since committed text does not change; the buffer is a partial.
    """

    def __init__(self, url: str, options: dict[str, Any], lost: Codec | None = None) -> None:
        super().__init__(url, options)
        del lost
        self.is_ready = False
        self._lines: dict[str, str] = {}

    def ending(self) -> Sequence[Message]:
        """Return an empty message: the server transcribes what is left."""
        return (b"",)

    def receive(self, message: Message) -> Sequence[Text]:
        """Return what lines have gained, and the buffer."""
        event = json.loads(message)
        match event.get("type"):
            case "config":
                self.is_ready = True
            case "ready_to_stop":
                self.is_complete = True
            case "error" if not self.is_ready:
                raise Refused(str(event["error"]))
        texts = [Text("error", str(event["error"]))] if event.get("error") else []
        for line in event.get("lines", ()):
            if line.get("text"):
                texts += self._gained(line["start"], line["text"])
        if buffer := event.get("buffer_transcription"):
            texts.append(Text("partial", buffer))
        return texts

    def _gained(self, start: str, text: str) -> list[Text]:
        before = self._lines.get(start, "")
        self._lines[start] = text
        gained = text[len(os.path.commonprefix([before, text])) :]
        return [Text("final", gained)] if gained.strip() else []
