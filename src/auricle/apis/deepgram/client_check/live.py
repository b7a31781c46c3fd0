"""Deepgram's live API as agents use it: LiveKit's plugin and Pipecat's service. No I/O."""

import json
from collections.abc import Sequence
from typing import Any

from auricle.protocol.json_object import json_object

KEEP_ALIVE = json.dumps({"type": "KeepAlive"})
FINALIZE = json.dumps({"type": "Finalize"})
CLOSE_STREAM = json.dumps({"type": "CloseStream"})


class DeepgramScript:
    """A stream that ends with ``Finalize``, and for some programs with ``CloseStream``.

    Args:
        opening: Messages before the audio.
        closes: Whether the program waits for the end of the stream, and not only for the result
            that ``Finalize`` requests.
    """

    def __init__(self, opening: Sequence[str], *, closes: bool) -> None:
        self._opening, self._closes = opening, closes
        self._texts: list[str] = []
        self._is_complete = False
        self._failure = ""

    def opening(self) -> Sequence[str | bytes]:
        """Return the messages before the audio."""
        return self._opening

    def audio(self, pcm: bytes) -> str | bytes:
        """Return the message with a chunk of samples."""
        return pcm

    def ending(self) -> Sequence[str | bytes]:
        """Return the messages after the audio."""
        return (FINALIZE, CLOSE_STREAM) if self._closes else (FINALIZE,)

    def receive(self, message: str | bytes) -> None:
        """Receive a message of the server.

        Raises:
            ValueError: The program can't read it.
        """
        event = json_object(message)
        match event.get("type"):
            case "Results":
                self._receive_result(event)
            case "Metadata":
                self._is_complete |= self._closes
            case "Error":
                self._failure = str(event.get("description", "an error without a description"))

    def _receive_result(self, result: dict[str, Any]) -> None:
        try:
            text = str(result["channel"]["alternatives"][0]["transcript"])
        except (KeyError, IndexError, TypeError) as error:
            raise ValueError("A result has no transcript.") from error
        if result.get("is_final") and text:
            self._texts.append(text)
        if result.get("from_finalize"):
            self._is_complete |= not self._closes

    @property
    def text(self) -> str:
        """The final text so far."""
        return " ".join(self._texts)

    @property
    def is_complete(self) -> bool:
        """Whether the program has received all that it waits for at the end."""
        return self._is_complete

    @property
    def failure(self) -> str:
        """What the server reported as an error."""
        return self._failure
