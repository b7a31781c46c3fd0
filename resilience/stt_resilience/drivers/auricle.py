"""Auricle's native protocol: PCM with positions, and sessions that resume."""

import json
import struct
from collections.abc import Sequence
from typing import Any

from stt_resilience.drivers.base import Codec, Message, Refused, Text
from stt_resilience.drivers.plain import PlainCodec
from stt_resilience.speech import RATE_HZ, Pcm16

LEAD_IN = 15 * RATE_HZ
"""Audio before ``safe`` that a server without the session processes again."""


class AuricleCodec(PlainCodec):
    """A session, or the continuation of a lost one."""

    def __init__(self, url: str, options: dict[str, Any], lost: Codec | None = None) -> None:
        super().__init__(url, options)
        self.is_ready = False
        self._session: dict[str, str] | None = None
        self._last_result = self._safe = 0
        self._acknowledge = False
        if isinstance(lost, AuricleCodec):
            self._session, self._last_result = lost._session, lost._last_result
            self._safe = lost._safe

    def url(self) -> str:
        """Return the URL with the position to start from."""
        start = max(0, self._safe - LEAD_IN)
        query = f"format=pcm16&seq=1&language=en&start_sample={start}&safe_sample={self._safe}"
        resume = f"&resume=1&session={self._session['session']}" if self._session else ""
        return f"{self._url}/v1/stream?{query}{resume}"

    def opening(self) -> Sequence[Message]:
        """Return the request to resume, if there was a session."""
        if self._session is None:
            return ()
        resume = {"type": "resume", **self._session, "last_result": self._last_result}
        return (json.dumps(resume),)

    def audio(self, pcm: Pcm16, position: int) -> Sequence[Message]:
        """Return samples after their position."""
        return (struct.pack("<Q", position) + pcm.astype("<i2").tobytes(),)

    def ending(self) -> Sequence[Message]:
        """Return the end of the audio."""
        return (json.dumps({"type": "stop"}),)

    def replies(self) -> Sequence[Message]:
        """Return the acknowledgement of a final."""
        if not self._acknowledge:
            return ()
        self._acknowledge = False
        return (json.dumps({"type": "ack", "result": self._last_result}),)

    def receive(self, message: Message) -> Sequence[Text]:
        """Return the results in a message."""
        event = json.loads(message)
        match event["type"]:
            case "ready":
                self.is_ready = True
                self.resume_at = event["received"]
                if not event["resumed"]:
                    self._last_result = 0
                self._session = {name: event[name] for name in ("session", "secret")}
            case "progress":
                self._safe = max(self._safe, event["safe"])
            case "partial":
                return (Text("partial", event["stable"] + event["unstable"]),)
            case "final" if event["id"] > self._last_result:
                self._last_result = event["id"]
                self._safe = max(self._safe, round(event["end_s"] * RATE_HZ))
                self._acknowledge = True
                failed = [Text("error", event["error"])] if event["error"] else []
                return (Text("final", event["text"]), *failed)
            case "closed":
                self.is_complete = True
            case "error" if not self.is_ready:
                raise Refused(event["message"], event.get("retry_after_s"))
            case "error":
                return (Text("error", f"{event['code']}: {event['message']}"),)
        return ()
