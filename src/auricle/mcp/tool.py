"""What a tool is, and what it gets of a server. No I/O."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Protocol, TypeVar

import msgspec
from msgspec import Meta

from auricle.client.api.calls import Call
from auricle.protocol.fields import convert
from auricle.values.errors import BadRequest

T = TypeVar("T")
A = TypeVar("A")

MAX_ITEMS = 50
"""Maximum number of transcripts, matches or jobs in a result."""
MAX_WAIT_S = 45
"""Longest wait of a tool, in seconds: many clients give up on one after 60 s."""

_TIME = (
    "An ISO 8601 date or time, such as 2026-12-01 or 2026-12-01T09:30:00Z; without a zone it is UTC"
)
Id = Annotated[str, Meta(pattern="^[A-Za-z0-9_~:-][A-Za-z0-9._~:-]{0,199}$")]
"""An ID that is a part of a path, neither ``.`` nor ``..``."""
Cursor = Annotated[int, Meta(ge=0, le=2**53)]
Time = Annotated[str, Meta(max_length=40)]
Limit = Annotated[int, Meta(ge=1, le=MAX_ITEMS, description="Maximum number of results.")]
WaitS = Annotated[
    int,
    Meta(ge=0, le=MAX_WAIT_S, description="Longest wait for news, in seconds; 0: answer at once."),
]
NextPage = Annotated[Cursor | None, Meta(description="`next` of the previous page.")]
Since = Annotated[Time | None, Meta(description=f"Earliest start. {_TIME}.")]
Until = Annotated[Time | None, Meta(description=f"Latest start. {_TIME}.")]
Language = Annotated[
    Annotated[str, Meta(pattern="^[A-Za-z]{2,3}$")] | None,
    Meta(description="Language code, such as en."),
]


class Api(Protocol):
    """The HTTP API of a server, with the rights of one client."""

    @property
    def may_wait(self) -> bool:
        """Whether a tool may wait for news; not if the server is about to stop."""
        ...

    async def send(self, call: Call[T]) -> T:
        """Return the result of a request.

        Raises:
            AuricleError: The server rejected it, or was unavailable.
        """
        ...


class Arguments(msgspec.Struct, forbid_unknown_fields=True):
    """The arguments of a tool: their types are its validation and its schema."""


@dataclass(frozen=True, slots=True)
class Tool(Generic[A]):
    """A tool of agents.

    Attributes:
        name: Its name.
        title: Its name for people.
        description: What it does, for a model.
        arguments: The type of its arguments.
        run: Returns its result, a JSON object of limited size.
        is_reading: Whether it changes nothing.
    """

    name: str
    title: str
    description: str
    arguments: type[A]
    run: Callable[[Api, A], Awaitable[dict[str, Any]]]
    is_reading: bool = True

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of its arguments."""
        schema = schema_of(self.arguments)
        return {name: schema[name] for name in schema if name not in ("title", "description")}

    async def call(self, api: Api, arguments: Mapping[str, object]) -> dict[str, Any]:
        """Return the result for arguments.

        Raises:
            AuricleError: The arguments are invalid, or the server rejected a request.
        """
        return await self.run(api, convert(arguments, self.arguments, "arguments", reads_text=True))


def schema_of(arguments: type[Any]) -> dict[str, Any]:
    """Return the JSON schema of a struct that has no structs in it."""
    _, parts = msgspec.json.schema_components((arguments,))
    schema: dict[str, Any] = parts[arguments.__name__]
    return schema


def iso_time(unix_s: float) -> str:
    """Return a time in UTC as ISO 8601, such as ``2026-12-01T09:30:00Z``."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str | None, field: str) -> datetime | None:
    """Return the time in an argument; without a zone it is UTC.

    Raises:
        BadRequest: It is not a time.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    except ValueError:
        raise BadRequest(f"{field} must be an ISO 8601 date or time.", field) from None
