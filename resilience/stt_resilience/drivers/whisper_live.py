"""WhisperLive's protocol: float32 samples, and the last segments again and again.

The rules are those of its Python client: a completed segment that starts after the last one counts
as final, and the incomplete last segment does so when nothing new has arrived for 15 s.
END_OF_AUDIO is not sent, since the server then drops what it has not transcribed.
"""

import json
import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np

from stt_resilience.drivers.base import Codec, Message, Refused, Text
from stt_resilience.drivers.plain import PlainCodec
from stt_resilience.speech import Pcm16

OPENING = {
    "language": "en",
    "task": "transcribe",
    "model": "base",
    "use_vad": True,
    "send_last_n_segments": 10,
    "no_speech_thresh": 0.45,
    "clip_audio": False,
    "same_output_threshold": 10,
}
"""First message, with the defaults of its client."""


class WhisperLiveCodec(PlainCodec):
    """A session, which cannot be resumed."""

    quiet_s = 15.0

    def __init__(self, url: str, options: dict[str, Any], lost: Codec | None = None) -> None:
        super().__init__(url, options)
        del lost
        self.is_ready = False
        self._end_s = 0.0
        self._incomplete = ""

    def opening(self) -> Sequence[Message]:
        """Return the options of the session."""
        return (json.dumps({"uid": str(uuid.uuid4()), **OPENING}),)

    def audio(self, pcm: Pcm16, position: int) -> Sequence[Message]:
        """Return the samples as float32."""
        del position
        return ((pcm.astype(np.float32) / 32768).astype("<f4").tobytes(),)

    def receive(self, message: Message) -> Sequence[Text]:
        """Return the completed segments that are new, and the incomplete one."""
        event = json.loads(message)
        if event.get("message") == "SERVER_READY":
            self.is_ready = True
        match event.get("status"):
            case "WAIT":
                raise Refused("WAIT", 60 * float(event["message"]))
            case "ERROR":
                return (Text("error", str(event.get("message"))),)
        texts: list[Text] = []
        before = self._incomplete
        if "segments" in event:
            self._incomplete = ""
        for segment in event.get("segments", ()):
            if not segment.get("completed"):
                self._incomplete = segment["text"]
                if segment["text"] != before:
                    texts.append(Text("partial", segment["text"]))
            elif float(segment["start"]) >= self._end_s:
                self._end_s = float(segment["end"])
                texts.append(Text("final", segment["text"]))
        return texts

    def closed(self) -> Sequence[Text]:
        """Return the incomplete segment, if the stream ended as it should."""
        if not self.is_complete or not self._incomplete:
            return ()
        return (Text("final", self._incomplete),)
