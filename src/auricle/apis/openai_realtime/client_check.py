"""OpenAI's Realtime API as Jitsi's transcriber proxy uses it. No I/O.

``auricle doctor --client`` stands in for it; the messages are those of the version named.
"""

import base64
import json
from collections.abc import Sequence

from auricle.protocol.client_profile import ClientProfile, KeyScheme, Stream
from auricle.protocol.json_object import json_object

TRANSCRIPTION = "conversation.item.input_audio_transcription"
COMMIT_EMPTY = "input_audio_buffer_commit_empty"
"""The only error after which the proxy keeps the connection."""
SESSION_UPDATE = {
    "type": "session.update",
    "session": {
        "type": "transcription",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "noise_reduction": {"type": "near_field"},
                "transcription": {"model": "gpt-4o-mini-transcribe"},
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 300,
                },
            }
        },
        "include": ["item.input_audio_transcription.logprobs"],
    },
}


class RealtimeScript:
    """A stream with turn detection by the server; a commit follows when the speaker is muted."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._open_items: set[str] = set()
        self._awaits_commit = False
        self._has_ended = False
        self._failure = ""

    def opening(self) -> Sequence[str | bytes]:
        """Return the messages before the audio."""
        return (json.dumps(SESSION_UPDATE),)

    def audio(self, pcm: bytes) -> str | bytes:
        """Return the message with a chunk of samples."""
        audio = base64.b64encode(pcm).decode()
        return json.dumps({"type": "input_audio_buffer.append", "audio": audio})

    def ending(self) -> Sequence[str | bytes]:
        """Return the messages after the audio."""
        self._has_ended = self._awaits_commit = True
        return (json.dumps({"type": "input_audio_buffer.commit"}),)

    def receive(self, message: str | bytes) -> None:
        """Receive a message of the server.

        Raises:
            ValueError: The program can't read it.
        """
        event = json_object(message)
        item = str(event.get("item_id"))
        match event.get("type"):
            case "input_audio_buffer.committed":
                self._open_items.add(item)
                self._awaits_commit = False
            case kind if kind == f"{TRANSCRIPTION}.completed":
                self._open_items.discard(item)
                self._texts.append(str(event.get("transcript", "")))
            case kind if kind == f"{TRANSCRIPTION}.failed":
                self._open_items.discard(item)
                self._failure = _message(event)
            case "error" if _code(event) == COMMIT_EMPTY:
                self._awaits_commit = False
            case "error":
                self._failure = _message(event)

    @property
    def text(self) -> str:
        """The final text so far."""
        return " ".join(filter(None, self._texts))

    @property
    def is_complete(self) -> bool:
        """Whether the program has received all that it waits for at the end."""
        return self._has_ended and not self._awaits_commit and not self._open_items

    @property
    def failure(self) -> str:
        """What the server reported as an error."""
        return self._failure


def _code(event: dict[str, object]) -> object:
    error = event.get("error")
    return error.get("code") if isinstance(error, dict) else None


def _message(event: dict[str, object]) -> str:
    error = event.get("error")
    message = error.get("message") if isinstance(error, dict) else None
    return str(message or "an error without a message")


JITSI = ClientProfile(
    "jitsi",
    "Jitsi's opus-transcriber-proxy",
    "d413315 (July 2026)",
    "ws://127.0.0.1:6007/v1/realtime?intent=transcription",
    Stream(
        "",
        (),
        24_000,
        20,
        1.0,
        RealtimeScript,
        subprotocols=("realtime", "openai-insecure-api-key.{key}"),
    ),
    KeyScheme.SUBPROTOCOL,
    runs_in_container=True,
)

CLIENTS = (JITSI,)
