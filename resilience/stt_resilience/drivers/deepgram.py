"""Deepgram's live API, version 1. Option ``query``: more parameters of the URL."""

import json
from collections.abc import Sequence
from typing import Any

from stt_resilience.drivers.base import Codec, Message, Text
from stt_resilience.drivers.plain import PlainCodec


class DeepgramCodec(PlainCodec):
    """A session; ``CloseStream`` ends it, and ``Metadata`` is the last message."""

    def __init__(self, url: str, options: dict[str, Any], lost: Codec | None = None) -> None:
        super().__init__(url, options)
        del lost  # never resumed
        self._is_ending = False

    def url(self) -> str:
        """Return the URL with the format of the audio."""
        query = "encoding=linear16&sample_rate=16000&channels=1&language=en&interim_results=true"
        more = self.options.get("query", "")
        return f"{self._url}?{query}{'&' if more else ''}{more}"

    def headers(self) -> dict[str, str]:
        """Return a key, which servers without keys ignore."""
        return {"Authorization": "Token none", **super().headers()}

    def ending(self) -> Sequence[Message]:
        """Return the message that ends the stream."""
        self._is_ending = True
        return (json.dumps({"type": "CloseStream"}),)

    def receive(self, message: Message) -> Sequence[Text]:
        """Return the results in a message."""
        event = json.loads(message)
        match event.get("type"):
            case "Results":
                text = event["channel"]["alternatives"][0]["transcript"]
                return (Text("final" if event["is_final"] else "partial", text),) if text else ()
            case "Metadata":  # WhisperLiveKit also sends it at the start
                self.is_complete = self._is_ending
            case "Error":
                return (Text("error", f"{event.get('variant')}: {event.get('message')}"),)
        return ()
