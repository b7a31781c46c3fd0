"""The protocol of RealtimeSTT's FastAPI server: PCM after a JSON header, events in JSON."""

import json
import struct
from collections.abc import Sequence
from typing import Any

from stt_resilience.drivers.base import Codec, Message, Refused, Text
from stt_resilience.drivers.plain import PlainCodec
from stt_resilience.speech import RATE_HZ, Pcm16

QUIET_S = 15.0
PENDING_S = 60.0


class RealtimeSttCodec(PlainCodec):
    """A session, which cannot be resumed.

    The server does not report that all results were sent, but that it transcribes: until the text
    has come, more time without a message has to pass.
    """

    def __init__(self, url: str, options: dict[str, Any], lost: Codec | None = None) -> None:
        super().__init__(url, options)
        del lost
        self.is_ready = False
        self.quiet_s = QUIET_S

    def opening(self) -> Sequence[Message]:
        """Return the command without which audio is rejected."""
        return (json.dumps({"type": "start"}),)

    def audio(self, pcm: Pcm16, position: int) -> Sequence[Message]:
        """Return samples after the length of their header and the header."""
        del position
        form = {"sampleRate": RATE_HZ, "channels": 1, "format": "pcm_s16le", "frames": pcm.size}
        header = json.dumps(form).encode()
        return (struct.pack("<I", len(header)) + header + pcm.astype("<i2").tobytes(),)

    def ending(self) -> Sequence[Message]:
        """Return the command that transcribes what is left."""
        return (json.dumps({"type": "stop"}),)

    def receive(self, message: Message) -> Sequence[Text]:
        """Return the results in a message."""
        event = json.loads(message)
        match event["type"]:
            case "ready":
                self.is_ready = True
            case "realtime":
                return (Text("partial", event["text"]),)
            case "timeline" if event["event"] == "transcription_started":
                self.quiet_s = PENDING_S
            case "final":
                self.quiet_s = QUIET_S
                return (Text("final", event["text"]),)
            case "error" if event.get("where") == "admission":
                raise Refused(event["message"])
            case "error" | "warning":
                return (Text("error", event["message"]),)
        return ()
