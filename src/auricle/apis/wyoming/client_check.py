"""Wyoming as Home Assistant's integration uses it, for ``auricle doctor --client``. No I/O."""

import json
from collections.abc import Sequence
from typing import Any

from auricle.apis.wyoming.wire.framing import EventFramer, WyomingEvent
from auricle.protocol.client_profile import ClientProfile, Commands, KeyScheme
from auricle.values.errors import AuricleError

FORMAT = {"rate": 16000, "width": 2, "channels": 1}
DESCRIBE_S = 3.0
"""Maximum time for a description; Home Assistant waits for 1 s, up to three times."""


def wire_event(type: str, data: dict[str, Any] | None = None, payload: bytes = b"") -> bytes:
    """Return an event as the package `wyoming` writes it."""
    head: dict[str, Any] = {"type": type, "version": "1.10.2"}
    body = json.dumps(data, ensure_ascii=False).encode() if data else b""
    if body:
        head["data_length"] = len(body)
    if payload:
        head["payload_length"] = len(payload)
    return json.dumps(head, ensure_ascii=False).encode() + b"\n" + body + payload


class _Events:
    """Reads a connection's events."""

    def __init__(self) -> None:
        self._framer = EventFramer()

    def receive(self, message: str | bytes) -> list[WyomingEvent]:
        """Return the events that are complete.

        Raises:
            ValueError: They are not Wyoming.
        """
        self._framer.receive_data(message.encode() if isinstance(message, str) else message)
        try:
            return list(iter(self._framer.next_event, None))
        except AuricleError as error:
            raise ValueError("The response is not Wyoming.") from error


class DescribeScript:
    """The connection with which Home Assistant finds the services of a server."""

    def __init__(self) -> None:
        self._events = _Events()
        self._services: list[str] | None = None

    def opening(self) -> Sequence[str | bytes]:
        """Return the messages."""
        return (wire_event("describe"),)

    def audio(self, pcm: bytes) -> str | bytes:
        """Return nothing: this connection carries no audio."""
        return b""

    def ending(self) -> Sequence[str | bytes]:
        """Return no messages."""
        return ()

    def receive(self, message: str | bytes) -> None:
        """Receive data of the server.

        Raises:
            ValueError: Home Assistant can't read it.
        """
        for event in self._events.receive(message):
            if event.type == "info":
                self._services = [_service(asr) for asr in event.data.get("asr") or ()]

    @property
    def text(self) -> str:
        """The names of the services with their number of languages."""
        return ", ".join(self._services or ())

    @property
    def is_complete(self) -> bool:
        """Whether the description has arrived."""
        return self._services is not None

    @property
    def failure(self) -> str:
        """Why Home Assistant can't use the server."""
        return "it offers no speech to text" if self._services == [] else ""


def _service(asr: dict[str, Any]) -> str:
    try:
        installed = [model for model in asr["models"] if model["installed"]]
        languages = {language for model in installed for language in model["languages"]}
        return f"{asr['name']} with {len(languages)} languages"
    except (KeyError, TypeError) as error:
        raise ValueError("The description of the services is incomplete.") from error


class UtteranceScript:
    """The connection of one spoken command."""

    def __init__(self) -> None:
        self._events = _Events()
        self._text: str | None = None
        self._failure = ""

    def opening(self) -> Sequence[str | bytes]:
        """Return the events before the audio."""
        return (
            wire_event("transcribe", {"language": "en"}),
            wire_event("audio-start", {**FORMAT, "timestamp": None}),
        )

    def audio(self, pcm: bytes) -> str | bytes:
        """Return the event with a chunk of samples."""
        return wire_event("audio-chunk", {**FORMAT, "timestamp": None}, pcm)

    def ending(self) -> Sequence[str | bytes]:
        """Return the events after the audio."""
        return (wire_event("audio-stop", {"timestamp": None}),)

    def receive(self, message: str | bytes) -> None:
        """Receive data of the server.

        Raises:
            ValueError: Home Assistant can't read it.
        """
        for event in self._events.receive(message):
            if event.type == "transcript":
                self._text = str(event.data.get("text", ""))
            elif event.type == "error":
                self._failure = str(event.data.get("text") or "an error without a text")

    @property
    def text(self) -> str:
        """The transcript."""
        return self._text or ""

    @property
    def is_complete(self) -> bool:
        """Whether the transcript has arrived."""
        return self._text is not None

    @property
    def failure(self) -> str:
        """What the server reported as an error."""
        return self._failure


HOME_ASSISTANT = ClientProfile(
    "home-assistant",
    "Home Assistant",
    "wyoming 1.10.2",
    "tcp://127.0.0.1:10300",
    Commands(16_000, 64, DescribeScript, DESCRIBE_S, UtteranceScript),
    KeyScheme.NONE,
    runs_in_container=True,
    command="auricle serve --wyoming",
    host_setting="wyoming_host",
)

CLIENTS = (HOME_ASSISTANT,)
