"""What a driver is: how a client of one protocol sends speech and receives text.

A driver for a WebSocket is a :class:`Codec` without I/O, which
:class:`~stt_resilience.drivers.websocket.WebSocketDriver` runs.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from stt_resilience.speech import Pcm16

Kind = Literal["partial", "final", "error"]
Message = str | bytes


class Refused(Exception):
    """The server does not accept the session or file now.

    Attributes:
        reason: HTTP status or close code, and the message.
        retry_after_s: When to try again, if the server says so.
    """

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s


class Lost(Exception):
    """The connection ended before the results were complete."""


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text from the server: a partial may be revised, a final is added to the others.

    Attributes:
        text: That of an ``error`` is its code and message.
        order: Place of a final in its session, in protocols that say so: servers that transcribe
            several utterances at once may answer in another order. Else they keep their order.
    """

    kind: Kind
    text: str
    order: int = 0


class Session(Protocol):
    """One stream of speech."""

    @property
    def resume_at(self) -> int:
        """Next sample that the server expects: 0 for a new session."""

    async def send(self, pcm: Pcm16, position: int) -> None:
        """Send samples that are spoken from ``position`` on. Raises Lost."""

    async def end_utterance(self) -> None:
        """Report a pause, in protocols where the client ends utterances. Raises Lost."""

    async def finish(self) -> None:
        """Report the end of the audio; the last results follow. Raises Lost."""

    def texts(self) -> AsyncIterator[Text]:
        """Yield results until all have arrived. Raises Lost if the connection ends before."""

    def set_reading(self, is_on: bool) -> None:
        """Stop reading from the connection, or continue."""

    def cut(self) -> None:
        """Cut the connection without closing it."""

    async def close(self) -> None:
        """End the session; never raises."""


class Driver(Protocol):
    """A protocol of a server.

    Attributes:
        is_stream: Whether a session is one connection while a person speaks.
        can_resume: Whether a lost session continues on another connection.
    """

    is_stream: bool
    can_resume: bool

    async def open(self, lost: Session | None = None) -> Session:
        """Open a session, or continue a lost one.

        Raises:
            Refused: The server does not accept it.
            Lost: There is no connection.
        """


class Codec(Protocol):
    """One session of a protocol over a WebSocket, without I/O.

    Attributes:
        is_ready: Whether the server has accepted the session: audio is sent from now on.
        is_complete: Whether all results have arrived.
        quiet_s: Results are complete once no text has arrived for this time after the end of the
            audio; 0 if the server reports their end.
        resume_at: See :class:`Session`.
    """

    is_ready: bool
    is_complete: bool
    quiet_s: float
    resume_at: int

    def url(self) -> str:
        """Return the URL to connect to."""

    def headers(self) -> dict[str, str]:
        """Return additional headers of the handshake."""

    def opening(self) -> Sequence[Message]:
        """Return what is sent first."""

    def audio(self, pcm: Pcm16, position: int) -> Sequence[Message]:
        """Return the messages for samples."""

    def end_utterance(self) -> Sequence[Message]:
        """Return the messages for a pause; usually none."""

    def ending(self) -> Sequence[Message]:
        """Return the messages that end the audio."""

    def receive(self, message: Message) -> Sequence[Text]:
        """Return the results in a message. Raises Refused."""

    def replies(self) -> Sequence[Message]:
        """Return what is sent after a received message, such as acknowledgements; usually none."""

    def closed(self) -> Sequence[Text]:
        """Return results that only the end of the connection makes final; usually none."""


class FileDriver(Protocol):
    """A way to transcribe a file.

    Attributes:
        is_job: Whether the file is accepted first, and its result is asked for later.
    """

    is_job: bool

    async def submit(self, audio: bytes) -> str:
        """Send a WAV file; return its text, or the id of its job.

        Raises:
            Refused: The server reports an error.
            Lost: There is no answer.
        """

    async def result(self, job: str) -> str | None:
        """Return the text of a job, or ``None`` while it is not done. Raises Refused and Lost."""
