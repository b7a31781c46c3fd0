"""What a program sends to a speech-to-text server, and what it reads of the response.

A profile is data, in the folder of the API that the program uses. It is written from the program's
source or recorded from the program, in the version that it names. ``auricle doctor --client`` sends
what it describes. No I/O.
"""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol


class KeyScheme(enum.Enum):
    """How a program sends its key."""

    BEARER = "bearer"
    TOKEN = "token"
    BASIC = "basic"
    SUBPROTOCOL = "subprotocol"
    NONE = "none"


class Container(enum.Enum):
    """The audio that a program sends.

    ``SAMPLES`` are 16-bit little-endian samples, 16 kHz mono, without a header.
    """

    WAV = "wav"
    MP3 = "mp3"
    WEBM = "webm"
    M4A = "m4a"
    SAMPLES = "pcm"


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart form.

    Attributes:
        fields: Names and values, in the order in which the program sends them. The value of the
            file is ``None``.
        file_name: File name in the form.
        media_type: Content-Type of the file's part; empty: the program sends none.
        is_chunked: Whether the program sends the body without its length.
        is_typed: Whether all parts have a Content-Type, before the name, as aiohttp writes them.
        is_quoted: Whether names are quoted; without, as .NET writes them, the boundary is.
    """

    fields: tuple[tuple[str, str | None], ...]
    file_name: str
    media_type: str
    is_chunked: bool = False
    is_typed: bool = False
    is_quoted: bool = True


@dataclass(frozen=True, slots=True)
class Probe:
    """A request that a program sends before it uses a server.

    Attributes:
        method: HTTP method.
        path: What the program appends to the configured URL.
        purpose: What the program uses the response for.
        form: A form, if the program sends one.
        has_speech: Whether its file is that of the following request; else it is not audio.
        refusals: Statuses after which the program does not use the server; empty: all errors.
        advice: What to do about a refusal.
    """

    method: str
    path: str
    purpose: str
    form: Form | None = None
    has_speech: bool = False
    refusals: frozenset[int] = frozenset()
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Upload:
    """A program that sends files.

    Attributes:
        path: What the program appends to the configured URL.
        form: The form with the file.
        container: Format of the file.
        read: Returns the text of a response's body as the program reads it, and raises
            :class:`ValueError` if the program can't.
        probes: Requests before the first file.
    """

    path: str
    form: Form
    container: Container
    read: Callable[[bytes], str]
    probes: tuple[Probe, ...] = ()


class LiveScript(Protocol):
    """One live stream of a program, without I/O: what it sends, and what it reads."""

    def opening(self) -> Sequence[str | bytes]:
        """Return the messages before the audio."""

    def audio(self, pcm: bytes) -> str | bytes:
        """Return the message with a chunk of samples: 16-bit little-endian, mono."""

    def ending(self) -> Sequence[str | bytes]:
        """Return the messages after the audio."""

    def receive(self, message: str | bytes) -> None:
        """Receive a message of the server.

        Raises:
            ValueError: The program can't read it.
        """

    @property
    def text(self) -> str:
        """The final text so far."""

    @property
    def is_complete(self) -> bool:
        """Whether the program has received all that it waits for at the end."""

    @property
    def failure(self) -> str:
        """What the server reported as an error; empty if it reported none."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A program that sends live audio over a WebSocket.

    Attributes:
        path: What the program appends to the path of the configured URL.
        query: What it adds to the query; empty: nothing, the configured URL has one.
        rate_hz: Sample rate.
        chunk_ms: Length of the audio in each message.
        silence_s: Silence that it sends after the speech.
        script: Makes the messages of a stream.
        ends_by_close: Whether the program waits until the server closes the connection.
        subprotocols: WebSocket subprotocols that it offers; ``{key}`` stands for its key.
    """

    path: str
    query: tuple[tuple[str, str], ...]
    rate_hz: int
    chunk_ms: int
    silence_s: float
    script: Callable[[], LiveScript]
    ends_by_close: bool = False
    subprotocols: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Commands:
    """A program that sends each spoken command over a TCP connection.

    Attributes:
        rate_hz: Sample rate.
        chunk_ms: Length of the audio in each message.
        describe: Makes the messages of a first connection, which carries no audio.
        describe_limit_s: Longest wait for the end of the first connection, in seconds.
        script: Makes the messages of a command.
    """

    rate_hz: int
    chunk_ms: int
    describe: Callable[[], LiveScript]
    describe_limit_s: float
    script: Callable[[], LiveScript]


@dataclass(frozen=True, slots=True)
class ClientProfile:
    """A program that ``auricle doctor --client`` can stand in for.

    Attributes:
        name: Name on the command line.
        title: Name of the program.
        version: Version whose requests these are.
        url: The URL to configure in the program, for a server at 127.0.0.1:6007.
        traffic: What it sends.
        key: How it sends its key.
        runs_in_container: Whether it usually runs in a container, where 127.0.0.1 is the container.
        command: The command that starts a server for it.
        host_setting: The setting of the address on which this server listens.
        error_fields: Names of the code and the message in the API's errors.
        origin: The Origin header of a program that is a page for the server; empty: it sends none.
    """

    name: str
    title: str
    version: str
    url: str
    traffic: Upload | Stream | Commands
    key: KeyScheme = KeyScheme.BEARER
    runs_in_container: bool = field(default=False, kw_only=True)
    command: str = field(default="auricle serve", kw_only=True)
    host_setting: str = field(default="host", kw_only=True)
    error_fields: tuple[str, str] = field(default=("code", "message"), kw_only=True)
    origin: str = field(default="", kw_only=True)
