"""One stream over OpenAI's Realtime API, as programs use it. No I/O."""

import base64
import json
from collections.abc import Mapping, Sequence

from auricle.protocol.json_object import json_object

TRANSCRIPTION = "conversation.item.input_audio_transcription"
COMMIT_EMPTY = "input_audio_buffer_commit_empty"
"""The error of a commit without audio."""


class RealtimeScript:
    """A stream that ends with a commit, with or without turn detection by the server.

    Args:
        session: The session that the program asks for.
        may_be_empty: Whether the program accepts the error of a commit without audio.
    """

    def __init__(self, session: Mapping[str, object], *, may_be_empty: bool = False) -> None:
        self._session, self._may_be_empty = session, may_be_empty
        self._texts: list[str] = []
        self._open_items: set[str] = set()
        self._awaits_commit = False
        self._has_ended = False
        self._failure = ""

    def opening(self) -> Sequence[str | bytes]:
        """Return the messages before the audio."""
        return (json.dumps({"type": "session.update", "session": self._session}),)

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
            case "error" if self._may_be_empty and _code(event) == COMMIT_EMPTY:
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
