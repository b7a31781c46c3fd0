"""A live dialect: how one kind of client talks with the one kind of live session. Pure.

::

    a client's message ── receive_text, receive_bytes ──→ steps: audio, commands, replies
    an event of the session ── encode ──→ messages
    the end of the connection ── farewell ──→ the last messages, close code and reason

One object serves one connection. It may remember what it was told (the items that it made, how much
of a text is out); it waits for nothing, knows no clock, and never sees the session itself. All the
rest is the same for everybody: admission, keys, back-pressure, time shares, idle limits, draining,
what waits for a slow reader, metrics and logs (:mod:`auricle.server.live.connection`).

What holds for the order of things:

- Steps are taken one after another, lazily: while the session has enough audio, the next step is
  not asked for. So a generator that yields a large message in slices holds nobody up.
- Commands take their turn behind the audio that came before them.
- ``encode`` is called right before its messages are sent, in the order of the events; replies stand
  where they were made. What ``encode`` knows may thus be a little older than what ``receive_text``
  knows. Of several guesses that wait only the newest is told; everything else is, exactly once.
- For each utterance: ``SpeechStarted``, any number of ``Partial``, ``SpeechEnded``, ``Final``.
  Finals come in the order of their utterances, while later ones may be open already. The last words
  of a ``Partial.stable`` are told at most once and never change; ``Final`` may correct them.
- A :class:`Flush` ends the open utterance. It is answered by ``Flushed`` at once, and by
  ``Finalized`` when the finals of everything said before it are out, also when there are none.
- ``Stop`` is answered by ``Closed`` after the last final; the connection then ends by itself.

To add a dialect: write its class and its tests here, in ``protocol/``, then a route that says how
its query becomes parameters (:func:`auricle.server.api.dialect_session.serve_dialect`). The native
protocol (:mod:`auricle.server.live.native_dialect`) is the smallest example,
:mod:`auricle.protocol.openai.realtime` one with a memory.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import msgspec
from msgspec import UNSET, UnsetType

from auricle.events import Failed, SessionEvent
from auricle.protocol.native.stream import Ack, Configure, Finalize, Keepalive, Stop


class Flush(msgspec.Struct, frozen=True):
    """End the open utterance; say when that was done, and when all its words are out."""


class Discard(msgspec.Struct, frozen=True):
    """Forget the open utterance: no final of it is wanted. ``Discarded`` says when it was done."""


class UpdateConfig(Configure, frozen=True, kw_only=True):
    """Change what is given, from the next utterance or sample on."""

    hotwords: tuple[str, ...] | UnsetType = UNSET


SessionCommand = Finalize | Keepalive | Configure | Ack | Stop | Flush | Discard
"""What a session is told beside audio; :class:`UpdateConfig` is a ``Configure``."""


class Law(enum.Enum):
    """How a telephone line packs a sample into eight bits (ITU-T G.711)."""

    MU = "mu"
    A = "a"


@dataclass(frozen=True, slots=True)
class Companded:
    """Audio of a telephone line; the session has to expect PCM16 at its rate."""

    data: bytes
    law: Law


@dataclass(frozen=True, slots=True)
class Reply:
    """Messages to send as they are, after whatever waits already."""

    texts: tuple[str, ...]


Step = bytes | Companded | SessionCommand | Reply
"""What is to be done for a client's message; ``bytes`` are one binary message for the session."""

OutboundItem = SessionEvent | Reply
"""What waits to be sent."""


@dataclass(frozen=True, slots=True)
class End:
    """Why a connection ends: ``how`` is an error's code or a few words, for metrics and logs."""

    how: str
    close_code: int
    failed: Failed | None = None


@dataclass(frozen=True, slots=True)
class ClosingMessages:
    """A connection's last messages, and what its close frame says."""

    texts: tuple[str, ...]
    close_code: int
    reason: str


class Dialect(Protocol):
    """See the module."""

    @property
    def is_resumable(self) -> bool:
        """Whether clients can come back to their session: else it ends with its connection."""
        ...

    @property
    def idle_timeout_s(self) -> float | None:
        """When a silent connection ends; ``None`` if the operator's setting is right."""
        ...

    def receive_text(self, text: str) -> Iterable[Step]:
        """Return what is to be done for a text message.

        Raises:
            BadRequest: It makes no sense. The client is told, as of ``Failed``, and goes on; after
                some of these the connection ends. A dialect that is more patient replies itself.
            AuricleError: As above, but the connection ends at once.
        """
        ...

    def receive_bytes(self, data: bytes) -> Iterable[Step]:
        """Return what is to be done for a binary message; see :meth:`receive_text`."""
        ...

    def encode(self, event: SessionEvent) -> Iterable[str]:
        """Return the messages that tell an event; many events are nothing to a dialect."""
        ...

    def closing_messages(self, end: End) -> ClosingMessages:
        """Return how to part, with all that was held back until now; called at most once."""
        ...
