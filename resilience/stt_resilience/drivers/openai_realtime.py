"""OpenAI's Realtime transcription, in its current shape and that of the beta.

Options: ``shape`` (``ga`` or ``beta``; ``query``: the URL configures the session), ``rate``
(24000), ``model``, ``language``, ``silence_ms``.
"""

import base64
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from stt_resilience.drivers.base import Codec, Message, Refused, Text
from stt_resilience.drivers.plain import PlainCodec
from stt_resilience.speech import RATE_HZ, Pcm16

RATE = 24_000
QUIET_S = 10.0
"""The answer to the last commit cannot be distinguished from that of an earlier pause."""


class OpenAiRealtimeCodec(PlainCodec):
    """A session: the server ends utterances; at the end the client commits the rest.

    The protocol has no message for the end. So the session is complete once every committed item
    has its text, and for a while nothing else comes, or the server says that the commit at the end
    had no audio.
    """

    def __init__(self, url: str, options: dict[str, Any], lost: Codec | None = None) -> None:
        super().__init__(url, options)
        del lost  # never resumed
        self.is_ready = False
        self._pending: set[str] = set()
        self._orders: dict[str, int] = {}
        self._is_ending = self._is_empty = False
        self._partials: dict[str, str] = {}

    def headers(self) -> dict[str, str]:
        """Return a key, which servers without keys ignore."""
        return {"Authorization": "Bearer none", **super().headers()}

    def opening(self) -> Sequence[Message]:
        """Return the configuration of the session."""
        shape = self.options.get("shape", "ga")
        if shape == "query":
            return ()
        model = self.options.get("model", "whisper-1")
        transcription = {"model": model, "language": self.options.get("language", "en")}
        turns = {"type": "server_vad", "silence_duration_ms": self.options.get("silence_ms", 500)}
        if shape == "beta":
            session: dict[str, Any] = {
                "input_audio_format": "pcm16",
                "input_audio_transcription": transcription,
                "turn_detection": turns,
            }
        else:
            form = {"type": "audio/pcm", "rate": self.options.get("rate", RATE)}
            audio = {"format": form, "transcription": transcription, "turn_detection": turns}
            session = {"type": "transcription", "audio": {"input": audio}}
        return (json.dumps({"type": "session.update", "session": session}),)

    def audio(self, pcm: Pcm16, position: int) -> Sequence[Message]:
        """Return samples at the session's rate, in base64."""
        del position
        rate = self.options.get("rate", RATE)
        audio = base64.b64encode(_resample(pcm, rate).astype("<i2").tobytes()).decode()
        return (json.dumps({"type": "input_audio_buffer.append", "audio": audio}),)

    def ending(self) -> Sequence[Message]:
        """Return the commit of what is left."""
        self._is_ending = True
        self._update()
        return (json.dumps({"type": "input_audio_buffer.commit"}),)

    def receive(self, message: Message) -> Sequence[Text]:
        """Return the results in an event."""
        event = json.loads(message)
        kind, item = event["type"], event.get("item_id", "")
        out: list[Text] = []
        if kind in {"session.updated", "transcription_session.updated"}:
            self.is_ready = True
        elif kind == "session.created":
            self.is_ready = self.options.get("shape") == "query"
        elif kind == "input_audio_buffer.committed":
            self._pending.add(item)
            self._orders.setdefault(item, len(self._orders))
        elif kind.endswith("input_audio_transcription.delta"):
            self._partials[item] = self._partials.get(item, "") + event["delta"]
            out.append(Text("partial", self._partials[item]))
        elif kind.endswith("input_audio_transcription.completed"):
            self._pending.discard(item)
            order = self._orders.get(item, len(self._orders))
            out.append(Text("final", event["transcript"], order))
        elif kind.endswith("input_audio_transcription.failed"):
            self._pending.discard(item)
            out.append(Text("error", _error(event)))
        elif kind == "error":
            if not self.is_ready:
                raise Refused(_error(event))
            if self._is_ending and "buffer" in _error(event):  # no speech is left to commit
                self._is_empty = True
            else:
                out.append(Text("error", _error(event)))
        self._update()
        return out

    def _update(self) -> None:
        is_idle = self._is_ending and not self._pending
        self.is_complete = is_idle and self._is_empty
        self.quiet_s = QUIET_S if is_idle else 0.0


def _resample(pcm: Pcm16, rate_hz: int) -> Pcm16:
    """Return 16 kHz samples at another rate, by linear interpolation."""
    size = round(pcm.size * rate_hz / RATE_HZ)
    at = np.arange(size) * (RATE_HZ / rate_hz)
    resampled: Pcm16 = np.interp(at, np.arange(pcm.size), pcm).astype(np.int16)
    return resampled


def _error(event: dict[str, Any]) -> str:
    error = event.get("error") or {}
    return f"{error.get('code')}: {error.get('message')}"
