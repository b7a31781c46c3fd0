"""What the readers of one live session get: its newest events and finals. No I/O, no clock.

A feed is written once, and each reader has a place in it. So a reader costs the session nothing but
its place: an event is encoded once, when the first reader needs it, and a reader that does not read
makes no queue grow. When it reads again it gets the finals that it missed, of its partials only the
newest, and what it shows is right again.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from auricle.errors import BadRequest, NotFound
from auricle.events import Final, Partial, SessionEvent, SpeakerRevision
from auricle.protocol.readers.events import Ended, FeedEvent, KeepAlive, Readable
from auricle.protocol.readers.hls import LISTED_SEGMENTS, SEGMENT_MS, encode_playlist
from auricle.protocol.readers.webvtt import encode_segment
from auricle.server.access.tokens import expiry_of, reads
from auricle.server.live.readers.bell import Bell
from auricle.types import SAMPLE_RATE_HZ, ClientId

MAX_RECENT = 256
"""Events of any kind that are kept: a minute of lively speech."""
MAX_FINALS = 400
MAX_CHARACTERS = 32_768
"""Text of finals that is kept: half an hour of speech without pauses."""
MAX_AT_ONCE = 8
"""Events encoded in a row; the cues of a long final take a millisecond."""
SPARE_SEGMENTS = 4
"""Segments that are still served after they have left the playlist."""
MAX_WITHDRAWN = 256
"""Withdrawn reading tokens of a session that are remembered singly until it ends. When there are
more, all tokens that expire before the others of them are refused."""
MAX_TOKEN_CHARACTERS = 200
"""A reading token has 60 and those of its session's id."""

NO_TOKEN = "`token` is not a reading token of this session."

Encode = Callable[[int, FeedEvent], bytes]
"""Returns the bytes of an event and its number for a reader; none: the reader skips it."""

_SAMPLES_PER_MS = SAMPLE_RATE_HZ // 1000


@dataclass(slots=True)
class _Entry:
    """An event with its number, and its bytes for each kind of reader."""

    number: int
    event: FeedEvent
    _encoded: dict[Encode, bytes] = field(default_factory=dict)

    def encoded(self, encode: Encode) -> bytes:
        if (data := self._encoded.get(encode)) is None:
            data = self._encoded[encode] = encode(self.number, self.event)
        return data


class SessionFeed:
    """The feed of one session; see the module.

    Args:
        id: The session's id.
        owner: The key that may read it; ``None``: no key may.
        source: The API that the speaker uses.
        started_at: Start of the session, in seconds since 1970.
        start_sample: Position of the session's first audio.
        request_id: Id of the speaker's request.
    """

    def __init__(
        self,
        id: str,
        owner: ClientId | None,
        source: str,
        started_at: float,
        start_sample: int = 0,
        request_id: str = "",
    ) -> None:
        self.id = id
        self.owner = owner
        self.source = source
        self.started_at = started_at
        self.request_id = request_id
        self.bell = Bell()
        self.readers = 0
        self._start_ms = self._final_ms = start_sample // _SAMPLES_PER_MS
        self._recent: deque[_Entry] = deque(maxlen=MAX_RECENT)
        self._finals: deque[_Entry] = deque()
        self._characters = 0
        self._number = 0
        self._end: _Entry | None = None
        self._segments: dict[int, bytes] = {}
        self._withdrawn: dict[str, int] = {}
        self._refused_until = -1

    # Written by the session.

    def publish(self, event: SessionEvent | KeepAlive) -> None:
        """Add an event, if readers get its kind."""
        if isinstance(event, Readable | KeepAlive):
            if isinstance(event, SpeakerRevision):
                self._revise(event)
            self._append(event)

    def finals_until(self, sample: int) -> None:
        """Note that all speech before a position is in finals that were published."""
        self._final_ms = max(self._final_ms, sample // _SAMPLES_PER_MS)

    def end(self, reason: str) -> None:
        """Add the last event, once."""
        if self._end is None:
            self._end = self._append(Ended(reason))

    def _append(self, event: FeedEvent) -> _Entry:
        self._number += 1
        entry = _Entry(self._number, event)
        self._recent.append(entry)
        if isinstance(event, Final):
            self._finals.append(entry)
            self._characters += len(event.text)
            while len(self._finals) > MAX_FINALS or self._characters > MAX_CHARACTERS:
                self._characters -= len(_final(self._finals.popleft()).text)
        self.bell.ring()
        return entry

    def _revise(self, revision: SpeakerRevision) -> None:
        revised = {each.id: each for each in revision.finals}
        for index, entry in enumerate(self._finals):
            final = _final(entry)
            if (new := revised.get(final.id)) is not None:
                final = replace(final, speaker=new.speaker, segments=new.segments)
                self._finals[index] = _Entry(entry.number, final)

    def withdraw(self, token: str) -> None:
        """Refuse a reading token from now on; the streams of its readers end.

        Raises:
            BadRequest: It is not a reading token of this session.
        """
        if not reads(token, self.id) or len(token) > MAX_TOKEN_CHARACTERS:
            raise BadRequest(NO_TOKEN)
        self._withdrawn[token] = expiry_of(token)
        if len(self._withdrawn) > MAX_WITHDRAWN:
            first = min(self._withdrawn, key=self._withdrawn.__getitem__)
            self._refused_until = max(self._refused_until, self._withdrawn.pop(first))
        self.bell.ring()

    # Read by its readers.

    def is_withdrawn(self, token: str) -> bool:
        """Return whether a reading token was withdrawn, or expires before one that was."""
        if not reads(token, self.id):
            return False  # a key
        return token in self._withdrawn or expiry_of(token) <= self._refused_until

    @property
    def is_ended(self) -> bool:
        """Whether no further events follow."""
        return self._end is not None

    @property
    def last_number(self) -> int:
        """The number of the newest event; 0 if there is none."""
        return self._number

    def number_before(self, finals: int) -> int:
        """Return the number after which this number of finals follows, or all that are kept."""
        if not finals:
            return self._number
        kept = list(islice(reversed(self._finals), finals))
        return kept[-1].number - 1 if kept else self._number

    def after(self, number: int) -> list[_Entry]:
        """Return what a reader needs that has read up to a number, oldest first.

        These are all events, without partials that are out of date; or, if not all are kept any
        more, the finals and the newest events.
        """
        newest: list[_Entry] = []
        replaced: set[object] = set()  # channels with a newer partial, utterances with a final
        for entry in reversed(self._recent):
            if entry.number <= number:
                break
            event = entry.event
            if isinstance(event, Partial):
                if event.channel in replaced or (event.utterance,) in replaced:
                    continue
                replaced.add(event.channel)
            elif isinstance(event, Final):
                replaced.add((event.utterance,))
            newest.append(entry)
        newest.reverse()
        first = self._recent[0].number if self._recent else 1
        if number + 1 >= first:
            return newest
        return [*(entry for entry in self._finals if number < entry.number < first), *newest]

    def cursor(self, encode: Encode, number: int) -> "FeedCursor":
        """Return the place of a reader that has read up to a number."""
        return FeedCursor(self, encode, min(number, self._number))

    @property
    def finals(self) -> Iterator[Final]:
        """The finals that are kept, oldest first, with the speakers that are known now."""
        return (_final(entry) for entry in self._finals)

    # HLS.

    @property
    def segments(self) -> range:
        """Numbers of the newest segments whose captions are final."""
        end = self._final_ms // SEGMENT_MS
        if self.is_ended and self._final_ms % SEGMENT_MS:
            end += 1
        return range(max(self._start_ms // SEGMENT_MS, end - LISTED_SEGMENTS), end)

    def playlist(self, query: str) -> bytes:
        """Return the playlist; ``query`` is the query string of its segments' URLs."""
        zero_at = self.started_at - self._start_ms / 1000
        return encode_playlist(
            self.segments, self._final_ms, zero_at, query, is_ended=self.is_ended
        )

    def segment(self, number: int) -> bytes:
        """Return a segment, which is encoded when it is first read.

        Raises:
            NotFound: It is not in the playlist, nor was it a moment ago.
        """
        listed = self.segments
        if number not in range(listed.start - SPARE_SEGMENTS, listed.stop):
            raise NotFound("This segment is not in the playlist.")
        if number not in self._segments:
            start_ms = number * SEGMENT_MS
            self._segments[number] = encode_segment(self.finals, start_ms, start_ms + SEGMENT_MS)
            for old in [each for each in self._segments if each < listed.start - SPARE_SEGMENTS]:
                del self._segments[old]
        return self._segments[number]


@dataclass(slots=True)
class FeedCursor:
    """The place of one reader; see :class:`SessionFeed`."""

    _feed: SessionFeed
    _encode: Encode
    _number: int
    is_behind: bool = False
    """Whether there is more than was returned."""

    @property
    def is_done(self) -> bool:
        """Whether the reader has got the last event."""
        return self._feed.is_ended and self._number == self._feed.last_number

    def next_bytes(self) -> bytes:
        """Return what the reader has not got yet, a limited part of it at once; or nothing.

        Events for readers of this kind that are encoded for the first time may take a while.
        """
        entries = self._feed.after(self._number)
        self.is_behind = len(entries) > MAX_AT_ONCE
        if self.is_behind:
            del entries[MAX_AT_ONCE:]
        self._number = entries[-1].number if self.is_behind else self._feed.last_number
        return b"".join([entry.encoded(self._encode) for entry in entries])


def _final(entry: _Entry) -> Final:
    assert isinstance(entry.event, Final)
    return entry.event
