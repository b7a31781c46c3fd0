"""Vosk's WebSocket as Nextcloud's live transcription and Jitsi's Jigasi use it. No I/O.

``auricle doctor --client`` stands in for them; the messages are those of the sources of the
versions named.
"""

from collections.abc import Sequence
from functools import partial

from auricle.protocol.client_profile import ClientProfile, KeyScheme, Stream
from auricle.protocol.json_object import json_object

NEXTCLOUD_CONFIG = '{"config": {"sample_rate": 48000, "language": "en"}}'
JIGASI_CONFIG = '{"config" : {"sample_rate" : 48000.0 }}'
EOF = '{"eof" : 1}'


class VoskScript:
    """A stream in which each message with audio is answered, and so is the end.

    Args:
        config: The first message, which is not answered.
    """

    def __init__(self, config: str) -> None:
        self._config = config
        self._texts: list[str] = []
        self._awaited_answers = 0
        self._has_ended = False

    def opening(self) -> Sequence[str | bytes]:
        """Return the messages before the audio."""
        return (self._config,)

    def audio(self, pcm: bytes) -> str | bytes:
        """Return the message with a chunk of samples."""
        self._awaited_answers += 1
        return pcm

    def ending(self) -> Sequence[str | bytes]:
        """Return the messages after the audio."""
        self._awaited_answers += 1
        self._has_ended = True
        return (EOF,)

    def receive(self, message: str | bytes) -> None:
        """Receive an answer of the server.

        Raises:
            ValueError: The program can't read it.
        """
        answer = json_object(message)
        self._awaited_answers -= 1
        if "partial" in answer:
            return
        text = answer.get("text")
        if not isinstance(text, str):
            raise ValueError("The response has neither `partial` nor `text`.")
        if text:
            self._texts.append(text)

    @property
    def text(self) -> str:
        """The final text so far."""
        return " ".join(self._texts)

    @property
    def is_complete(self) -> bool:
        """Whether the program has received all that it waits for at the end."""
        return self._has_ended and self._awaited_answers == 0

    @property
    def failure(self) -> str:
        """Nothing: Vosk reports errors only when it closes the connection."""
        return ""


JIGASI = ClientProfile(
    "jigasi",
    "Jigasi",
    "6fbf4f2 (June 2026)",
    "ws://127.0.0.1:2700/en",
    Stream("", (), 48_000, 20, 0.0, partial(VoskScript, JIGASI_CONFIG)),
    KeyScheme.NONE,
    runs_in_container=True,
    command="auricle serve --vosk",
    host_setting="vosk_host",
)
NEXTCLOUD_TALK = ClientProfile(
    "nextcloud-talk",
    "Nextcloud's live transcription",
    "cd40c0e (August 2026)",
    "ws://127.0.0.1:2700",
    Stream("", (), 48_000, 400, 0.0, partial(VoskScript, NEXTCLOUD_CONFIG)),
    KeyScheme.NONE,
    runs_in_container=True,
    command="auricle serve --vosk",
    host_setting="vosk_host",
)

CLIENTS = (JIGASI, NEXTCLOUD_TALK)
