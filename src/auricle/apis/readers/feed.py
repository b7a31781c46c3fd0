"""What the readers of one live session get: its newest events and finals. No I/O, no clock.

A feed is written once, and each reader has a place in it. So a reader costs the session nothing but
its place: an event is encoded once, when the first reader needs it, and a reader that does not read
makes no queue grow. When it reads again it gets the finals that it missed, of its partials only the
newest, and what it shows is right again.

A feed with a log survives a restart: a final is visible once the log has stored it, so that no
reader has anything that the next server does not know.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Protocol, TypeVar

from auricle.apis.readers.continuation import Continuation
from auricle.apis.readers.notifier import Notifier
from auricle.apis.readers.wire.events import (
    Ended,
    FeedEvent,
    KeepAlive,
    Readable,
    SpeakerAway,
    SpeakerBack,
)
from auricle.apis.readers.wire.hls import LISTED_SEGMENTS, SEGMENT_MS, encode_playlist
from auricle.apis.readers.wire.webvtt import encode_segment
from auricle.server.access.tokens import expiry_of, reads
from auricle.server.live.followers import SessionFollower
from auricle.session.output import Revised
from auricle.values.errors import BadRequest, NotFound
from auricle.values.events import Final, FinalSpeakers, Partial, SessionEvent, SpeakerRevision
from auricle.values.types import SAMPLE_RATE_HZ, ClientId

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

_Named = TypeVar("_Named", Final, FinalSpeakers)

Encode = Callable[[int, FeedEvent], bytes]
"""Returns the bytes of an event and its number for a reader; none: the reader skips it."""

_SAMPLES_PER_MS = SAMPLE_RATE_HZ // 1000


class FeedLog(Protocol):
    """Stores a feed, in the order of the calls; no method waits."""

    def save(self, feed: "SessionFeed") -> None:
        """Store the feed without its finals, or its withdrawn tokens if it is stored."""
        ...

    def add(self, feed: "SessionFeed", number: int, final: Final, first_number: int) -> None:
        """Store a final, and delete those before ``first_number``; calls ``note_stored``."""
        ...

    def progress(self, feed: "SessionFeed", final_ms: int) -> None:
        """Store the position up to which captions are final; calls ``note_progress``."""
        ...

    def remove(self, feed: "SessionFeed") -> None:
        """Delete the feed, whose session has ended."""
        ...

    async def until_stored(self) -> None:
        """Wait until all changes so far are stored, for a limited time."""
        ...


class NoFeedLog:
    """Stores nothing, so that feeds end with the server."""

    def save(self, feed: "SessionFeed") -> None:
        """Do nothing."""

    def add(self, feed: "SessionFeed", number: int, final: Final, first_number: int) -> None:
        """Do nothing."""

    def progress(self, feed: "SessionFeed", final_ms: int) -> None:
        """Do nothing."""

    def remove(self, feed: "SessionFeed") -> None:
        """Do nothing."""

    async def until_stored(self) -> None:
        """Return at once."""


NO_FEED_LOG = NoFeedLog()


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

    def replace(self, event: FeedEvent) -> None:
        self.event = event
        self._encoded.clear()


class SessionFeed(SessionFollower):
    """The feed of one session; see the module.

    Args:
        id: The session's id.
        owner: The key that may read it; ``None``: no key may.
        source: The API that the speaker uses.
        started_at: Start of the session, in seconds since 1970.
        start_sample: Position of the session's first audio.
        request_id: Id of the speaker's request.
        can_return: Whether the speaker can continue the session after a restart of the server.
    """

    def __init__(
        self,
        id: str,
        owner: ClientId | None,
        source: str,
        started_at: float,
        start_sample: int = 0,
        request_id: str = "",
        *,
        can_return: bool = False,
    ) -> None:
        self.id = id
        self.owner = owner
        self.source = source
        self.started_at = started_at
        self.request_id = request_id
        self.can_return = can_return
        self.notifier = Notifier()
        self.readers = 0
        self.start_ms = self._final_ms = start_sample // _SAMPLES_PER_MS
        self._recent: deque[_Entry] = deque(maxlen=MAX_RECENT)
        self._finals: deque[_Entry] = deque()
        self._characters = 0
        self._number = 0
        self._end: _Entry | None = None
        self._segments: dict[int, bytes] = {}
        self._captioned: dict[int, Final] = {}  # as segments show them, by id
        self._withdrawn: dict[str, int] = {}
        self._refused_until = -1
        self._log: FeedLog | None = None
        self._held: deque[_Entry] = deque()  # finals that are not stored yet
        self._progress_ms = self._final_ms  # as given to the log
        self._continuation = Continuation()
        self._is_away = self._is_suspended = False

    # Written by the session.

    def publish(self, event: SessionEvent | Revised | KeepAlive) -> None:
        """Add an event, if readers get its kind."""
        if isinstance(event, KeepAlive):
            self._append(event)
        elif isinstance(event, Readable):
            continued = self._continuation.continued(event)
            if continued is None:
                return
            if isinstance(continued, SpeakerRevision):
                self._revise(continued)
            self._append(continued)

    def finals_until(self, sample: int) -> None:
        """Note that all speech before a position is in finals that were published."""
        position_ms = max(self._progress_ms, sample // _SAMPLES_PER_MS)
        is_further = position_ms // SEGMENT_MS > self._progress_ms // SEGMENT_MS
        self._progress_ms = position_ms
        if self._log is None:
            self._final_ms = position_ms
        elif is_further:
            self._log.progress(self, position_ms)

    def set_away(self, is_away: bool) -> None:
        """Note whether the speaker has no connection."""
        if is_away != self._is_away and self._end is None:
            self._is_away = is_away
            self._append(SpeakerAway() if is_away else SpeakerBack())

    def end(self, reason: str) -> None:
        """Add the last event, once; the log forgets the feed."""
        if self._end is None:
            self._end = self._append(Ended(reason))
            if self._log is not None:
                self._log.remove(self)
                self._log = None
                self._final_ms = self._progress_ms

    # A restart of the server.

    def suspend(self) -> None:
        """End the streams of readers: the server stops, and the next one continues them."""
        self._is_suspended = True
        self.notifier.notify()

    @property
    def is_logged(self) -> bool:
        """Whether the feed survives a restart of the server."""
        return self._log is not None

    def keep_in(self, log: FeedLog) -> None:
        """Store all that is kept and all that follows; what readers can get is the same."""
        self._log = log
        log.save(self)
        for entry in self._finals:
            log.add(self, entry.number, _final(entry), self._finals[0].number)

    async def until_stored(self, utterance: int = 0) -> None:
        """Wait until all finals are stored, for a limited time, if the feed survives a restart."""
        if self._log is not None:
            await self._log.until_stored()

    def drop_log(self) -> None:
        """Continue without a log, which has given up."""
        self._log, self.can_return = None, False
        self._held.clear()
        self._final_ms = self._progress_ms
        self.notifier.notify()

    def note_stored(self, number: int) -> None:
        """Show the finals up to this number to readers."""
        if self._held and self._held[0].number <= number:
            while self._held and self._held[0].number <= number:
                self._held.popleft()
            self.notifier.notify()

    def note_progress(self, final_ms: int) -> None:
        """List the captions up to a position for players."""
        self._final_ms = max(self._final_ms, final_ms)

    @property
    def final_ms(self) -> int:
        """Position up to which captions for players are final, in milliseconds."""
        return self._final_ms

    @property
    def withdrawals(self) -> tuple[dict[str, int], int]:
        """The withdrawn tokens, and until when those must expire that are refused."""
        return dict(self._withdrawn), self._refused_until

    def restore(
        self,
        finals: Iterable[tuple[int, Final, Final | None]],
        number: int,
        final_ms: int,
        withdrawals: tuple[dict[str, int], int],
        log: FeedLog,
    ) -> None:
        """Restore what a log had stored; the speaker is away.

        Args:
            finals: The numbered finals, oldest first, and what :meth:`captioned` returns of each.
            number: At least the number of the newest event that readers may have.
            final_ms: Position up to which captions for players were final.
            withdrawals: See :attr:`withdrawals`.
            log: The log.
        """
        for at, final, captioned in finals:
            self._finals.append(_Entry(at, final))
            if captioned is not None:
                self._captioned[final.id] = captioned
        self._number = number
        self._characters = sum(len(final.text) for final in self.finals)
        self._final_ms = self._progress_ms = max(self._final_ms, final_ms)
        self._withdrawn, self._refused_until = withdrawals
        self._log = log
        self.set_away(True)

    def continue_session(self) -> None:
        """Continue with another session of the speaker, whose numbers begin again."""
        self._continuation = Continuation(_final(entry) for entry in self._finals)
        self.set_away(False)

    def _append(self, event: FeedEvent) -> _Entry:
        self._number += 1
        entry = _Entry(self._number, event)
        self._recent.append(entry)
        if isinstance(event, Final):
            self._finals.append(entry)
            self._characters += len(event.text)
            while len(self._finals) > MAX_FINALS or self._characters > MAX_CHARACTERS:
                self._characters -= len(_final(self._finals.popleft()).text)
            if self._log is not None:
                self._held.append(entry)
                first = self._finals[0] if self._finals else entry
                self._log.add(self, entry.number, event, first.number)
        self.notifier.notify()
        return entry

    def _revise(self, revision: SpeakerRevision) -> None:
        revised = {each.id: each for each in revision.finals}
        for index, entry in enumerate(self._finals):
            final = _final(entry)
            if (new := revised.get(final.id)) is not None:
                final = replace(
                    final, speaker=new.speaker, segments=new.segments, speakers=new.speakers
                )
                self._finals[index] = _Entry(entry.number, final)
                if self._log is not None:
                    self._log.add(self, entry.number, final, self._finals[0].number)

    def rename_known(self, name: str, new: str | None) -> None:
        """Change a name that voices gave, in all that is kept; see :class:`.SessionFollowers`."""
        captioned = {id: _renamed(final, name, new) for id, final in self._captioned.items()}
        is_changed = captioned != self._captioned
        for entry in chain(self._recent, self._finals):
            event = entry.event
            if isinstance(event, Final):
                event = _renamed(event, name, new)
            elif isinstance(event, SpeakerRevision):
                event = SpeakerRevision(tuple(_renamed(each, name, new) for each in event.finals))
            if event != entry.event:
                entry.replace(event)
                is_changed = True
        if is_changed:
            self._captioned = captioned
            self._segments.clear()
            if self._log is not None:
                self.keep_in(self._log)

    def withdraw(self, token: str) -> None:
        """Refuse a reading token from now on; the streams of its readers end.

        Raises:
            BadRequest: It is not a reading token of this session.
        """
        if not reads(token, self.id) or len(token) > MAX_TOKEN_CHARACTERS:
            raise BadRequest(NO_TOKEN)
        if self.is_withdrawn(token):
            return
        self._withdrawn[token] = expiry_of(token)
        if len(self._withdrawn) > MAX_WITHDRAWN:
            first = min(self._withdrawn, key=self._withdrawn.__getitem__)
            self._refused_until = max(self._refused_until, self._withdrawn.pop(first))
        if self._log is not None:
            self._log.save(self)
        self.notifier.notify()

    # Read by its readers.

    def is_withdrawn(self, token: str) -> bool:
        """Return whether a reading token was withdrawn, or expires before one that was."""
        if not reads(token, self.id):
            return False  # a key
        return token in self._withdrawn or expiry_of(token) <= self._refused_until

    @property
    def is_ended(self) -> bool:
        """Whether no further events follow those that readers can get."""
        return self._end is not None and not self._held

    @property
    def is_over(self) -> bool:
        """Whether no further events follow on this server."""
        return (self._end is not None or self._is_suspended) and not self._held

    @property
    def last_number(self) -> int:
        """The number of the newest event that readers can get; 0 if there is none."""
        return self._held[0].number - 1 if self._held else self._number

    def number_before(self, finals: int) -> int:
        """Return the number after which this number of finals follows, or all that are kept."""
        last_number = self.last_number
        visible = (each for each in reversed(self._finals) if each.number <= last_number)
        kept = list(islice(visible, finals))
        return kept[-1].number - 1 if kept else last_number

    def after(self, number: int) -> list[_Entry]:
        """Return what a reader needs that has read up to a number, oldest first.

        These are all events, without partials that are out of date; or, if not all are kept any
        more, the finals and the newest events.
        """
        newest: list[_Entry] = []
        replaced: set[object] = set()  # channels with a newer partial, utterances with a final
        last_number = self.last_number
        for entry in reversed(self._recent):
            if entry.number <= number:
                break
            if entry.number > last_number:
                continue
            event = entry.event
            if isinstance(event, Partial):
                if event.channel in replaced or (event.utterance,) in replaced:
                    continue
                replaced.add(event.channel)
            elif isinstance(event, Final):
                replaced.add((event.utterance,))
            newest.append(entry)
        newest.reverse()
        first = self._recent[0].number if self._recent else self._number + 1
        if number + 1 >= first:
            return newest
        until = min(first, last_number + 1)
        return [*(entry for entry in self._finals if number < entry.number < until), *newest]

    def cursor(self, encode: Encode, number: int) -> "FeedCursor":
        """Return the place of a reader that has read up to a number."""
        return FeedCursor(self, encode, min(number, self._number))

    @property
    def finals(self) -> Iterator[Final]:
        """The finals that readers can get, oldest first, with the speakers that are known now."""
        last_number = self.last_number
        return (_final(entry) for entry in self._finals if entry.number <= last_number)

    # HLS.

    @property
    def segments(self) -> range:
        """Numbers of the newest segments whose captions are final."""
        end_ms = self._final_ms
        if self._held:
            end_ms = min(end_ms, _final(self._held[0]).start_sample // _SAMPLES_PER_MS)
        end = end_ms // SEGMENT_MS
        if self.is_ended and end_ms % SEGMENT_MS:
            end += 1
        return range(max(self.start_ms // SEGMENT_MS, end - LISTED_SEGMENTS), end)

    def playlist(self, query: str) -> bytes:
        """Return the playlist; ``query`` is the query string of its segments' URLs."""
        zero_at = self.started_at - self.start_ms / 1000
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
            self._segments[number] = encode_segment(
                self._captions(start_ms + SEGMENT_MS), start_ms, start_ms + SEGMENT_MS
            )
            for old in [each for each in self._segments if each < listed.start - SPARE_SEGMENTS]:
                del self._segments[old]
        return self._segments[number]

    def captioned(self, id: int) -> Final | None:
        """Return a final as segments show it; ``None`` if no segment was read that has it."""
        return self._captioned.get(id)

    def _captions(self, end_ms: int) -> list[Final]:
        """Return the finals that begin before a position, each as its first segment shows it.

        Other speakers may change the cues of a final: the next segment would repeat its words.
        """
        finals = {each.id: self._captioned.get(each.id, each) for each in self.finals}
        begun = {
            id: each for id, each in finals.items() if each.start_sample < end_ms * _SAMPLES_PER_MS
        }
        self._captioned = {id: each for id, each in self._captioned.items() if id in finals} | begun
        return list(begun.values())


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
        """Whether the reader has got the last event of this server."""
        return self._feed.is_over and self._number == self._feed.last_number

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


def _renamed(final: _Named, name: str, new: str | None) -> _Named:
    if all(each.name != name for each in final.speakers):
        return final
    speakers = [replace(s, name=new) if s.name == name else s for s in final.speakers]
    return replace(final, speakers=tuple(each for each in speakers if each.name is not None))


def _final(entry: _Entry) -> Final:
    assert isinstance(entry.event, Final)
    return entry.event
