"""Deepgram Flux as voice agents use it: turns that the server detects. No I/O."""

from collections.abc import Sequence

from auricle.apis.deepgram.client_check.live import CLOSE_STREAM
from auricle.protocol.json_object import json_object


class FluxScript:
    """A stream whose text is that of the finished turns."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._has_open_turn = False
        self._has_ended = False
        self._failure = ""

    def opening(self) -> Sequence[str | bytes]:
        """Return no messages: all options are in the query."""
        return ()

    def audio(self, pcm: bytes) -> str | bytes:
        """Return the message with a chunk of samples."""
        return pcm

    def ending(self) -> Sequence[str | bytes]:
        """Return the messages after the audio."""
        self._has_ended = True
        return (CLOSE_STREAM,)

    def receive(self, message: str | bytes) -> None:
        """Receive a message of the server.

        Raises:
            ValueError: The program can't read it.
        """
        event = json_object(message)
        match event.get("type"), event.get("event"):
            case "TurnInfo", "EndOfTurn":
                self._has_open_turn = False
                self._texts.append(_transcript(event))
            case "TurnInfo", _:
                _transcript(event)
                self._has_open_turn |= event.get("event") == "StartOfTurn"
            case "Error", _:
                self._failure = str(event.get("description", "an error without a description"))

    @property
    def text(self) -> str:
        """The final text so far."""
        return " ".join(filter(None, self._texts))

    @property
    def is_complete(self) -> bool:
        """Whether the program has received all that it waits for at the end."""
        return self._has_ended and not self._has_open_turn and bool(self._texts)

    @property
    def failure(self) -> str:
        """What the server reported as an error."""
        return self._failure


def _transcript(turn: dict[str, object]) -> str:
    """Return the transcript of a turn; LiveKit ignores one without words."""
    text = turn.get("transcript")
    if not isinstance(text, str) or not isinstance(turn.get("words"), list):
        raise ValueError("A turn has no transcript or no words.")
    return text
