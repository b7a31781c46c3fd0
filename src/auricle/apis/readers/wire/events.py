"""Events of a live session for its readers, as server-sent events (WHATWG HTML §9.2).

Each event is one message of the native protocol, in ``data``, and has a number in ``id``, by which
a reader that reconnects (``Last-Event-ID``) gets what it missed. Readers get what is said and by
whom. What concerns the speaker alone (positions, warnings, the secret) is left out.
"""

from dataclasses import dataclass

import msgspec

from auricle.apis.native.wire.stream import encode_event
from auricle.values.events import Final, Partial, SpeakerRevision, SpeechEnded, SpeechStarted


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Nothing happened for a while; proxies close a connection that is silent."""


@dataclass(frozen=True, slots=True)
class SpeakerAway:
    """The speaker has no connection, and may return; what is said meanwhile comes later."""


@dataclass(frozen=True, slots=True)
class SpeakerBack:
    """The speaker has a connection again."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The last event of a feed.

    Attributes:
        reason: ``closed``: the speaker ended the session. ``speaker_left``: the speaker is gone.
            ``draining``: the server stops, and the speaker continues in a session with another id.
    """

    reason: str


Readable = SpeechStarted | SpeechEnded | Partial | Final | SpeakerRevision
"""Events of a session that its readers get."""

FeedEvent = Readable | KeepAlive | SpeakerAway | SpeakerBack | Ended
"""All events of a feed."""

RETRY_MS = 2000
"""Time after which a browser connects again."""


def encode_start(session_id: str, source: str, started_at: float) -> bytes:
    """Return the beginning of each stream of events.

    Args:
        session_id: The session's id.
        source: The API that the speaker uses.
        started_at: Start of the session, in seconds since 1970.
    """
    session = {
        "type": "session",
        "session": session_id,
        "source": source,
        "started_at": round(started_at, 3),
    }
    return b"retry: %d\ndata: %b\n\n" % (RETRY_MS, msgspec.json.encode(session))


def encode_feed_event(number: int, event: FeedEvent) -> bytes:
    """Return an event with its number in the feed."""
    match event:
        case KeepAlive():
            return b": no news\n\n"
        case SpeakerAway():
            data = b'{"type":"speaker_away"}'
        case SpeakerBack():
            data = b'{"type":"speaker_back"}'
        case Ended(reason):
            data = msgspec.json.encode({"type": "ended", "reason": reason})
        case _:
            data = encode_event(event).encode()
    return b"id: %d\ndata: %b\n\n" % (number, data)
