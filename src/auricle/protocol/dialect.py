"""The interface of a live dialect: the codec between a client's wire protocol and a live session.

::

    client message ── receive_text, receive_bytes ──→ steps: audio, commands, replies
    session event ── encode ──→ messages
    end of the connection ── closing_messages ──→ last messages, close code and reason

One object serves one connection. It may keep state, such as the items that it created and the text
that it sent. It does no I/O, reads no clock, and has no access to the session. The server does the
rest in the same way for all dialects: admission, keys, back-pressure, fair CPU time, idle timeouts,
draining, send buffers, metrics and logs (:mod:`auricle.server.live.connection`).

Ordering guarantees:

- Steps are consumed lazily, one after another: while the session has enough audio, the next step is
  not requested. So a generator that yields a large message in slices does not block other sessions.
- Commands are processed after the audio that was received before them.
- ``encode`` is called right before its messages are sent, in the order of the events; replies keep
  their place in that order. The state that ``encode`` sees may therefore be slightly older than the
  one that ``receive_text`` sees. Of several queued partials, only the newest is sent; all other
  events are sent exactly once.
- For each utterance: ``SpeechStarted``, any number of ``Partial``, ``SpeechEnded``, ``Final``.
  Finals are in the order of their utterances; later utterances may already be open. Text in
  ``Partial.stable`` does not change in later partials; ``Final`` may correct it.
- A :class:`Flush` ends the open utterance. It is answered by ``Flushed`` at once, and by
  ``Finalized`` after the finals of all speech before it, even if there are none.
- ``Stop`` is answered by ``Closed`` after the last final; then the server closes the connection.

To add a dialect, write its class in the ``wire`` folder of its API, then a route that converts its
query to parameters (:func:`auricle.server.dialect_session.serve_dialect`). The native protocol
(:mod:`auricle.apis.native.dialect`) is the smallest example.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from auricle.values.commands import SessionCommand
from auricle.values.events import Failed, SessionEvent
from auricle.values.types import CompressedFrame, FrameCodec


class Law(enum.Enum):
    """The companding law of 8-bit telephone audio (ITU-T G.711)."""

    MU = "mu"
    A = "a"


@dataclass(frozen=True, slots=True)
class Companded:
    """Companded telephone audio; the session must be configured for PCM16 at its sample rate."""

    data: bytes
    law: Law


@dataclass(frozen=True, slots=True)
class EncodedFrames:
    """Frames that a decode worker decodes; the session must be configured for PCM16 at 16 kHz.

    Attributes:
        codec: The codec of all frames of the connection.
        header: What the decoder needs before the first frame.
        frames: The next frames; at most a second of audio, unless one frame has more.
    """

    codec: FrameCodec
    header: bytes
    frames: tuple[CompressedFrame, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """Encoded messages to send, after everything that is already queued.

    ``texts`` is iterated once, right before its messages are sent: a dialect that numbers its
    messages passes a generator.
    """

    texts: Iterable[str]


Step = bytes | Companded | EncodedFrames | SessionCommand | Reply
"""One action for a client message; ``bytes`` are one binary message for the session."""

OutboundItem = SessionEvent | Reply
"""An item in the send queue."""


@dataclass(frozen=True, slots=True)
class End:
    """Why a connection ends: ``how`` is an error code or a short reason, for metrics and logs."""

    how: str
    close_code: int
    failed: Failed | None = None


@dataclass(frozen=True, slots=True)
class ClosingMessages:
    """The last messages of a connection, and the code and reason of its close frame."""

    texts: tuple[str, ...]
    close_code: int
    reason: str


class Dialect(Protocol):
    """One connection of a dialect; see the module docstring."""

    @property
    def is_resumable(self) -> bool:
        """Whether clients can resume their session; otherwise it ends with its connection."""
        ...

    @property
    def idle_timeout_s(self) -> float | None:
        """Idle timeout of a connection in seconds; ``None`` for the configured one."""
        ...

    def receive_text(self, text: str) -> Iterable[Step]:
        """Return the steps for a text message.

        Raises:
            BadRequest: The message is invalid. The server sends it to the client as ``Failed`` and
                keeps the connection; it closes it after several of these. A more lenient dialect
                returns a reply instead.
            AuricleError: The server sends it as ``Failed`` and closes the connection.
        """
        ...

    def receive_bytes(self, data: bytes) -> Iterable[Step]:
        """Return the steps for a binary message; see :meth:`receive_text`."""
        ...

    def encode(self, event: SessionEvent) -> Iterable[str]:
        """Return the messages for an event; a dialect ignores events that it cannot express."""
        ...

    def closing_messages(self, end: End) -> ClosingMessages:
        """Return the last messages, including all held back, and the close frame; called once."""
        ...
