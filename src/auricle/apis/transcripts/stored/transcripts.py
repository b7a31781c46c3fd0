"""Kept transcripts: those of live sessions grow final by final, those of jobs are added whole.

Each owner sees its own. A segment is found by its words, regardless of case and, in SQLite, of
diacritics. The owner is a word in the index, too, so that a search costs what its own matches cost.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any, TypeVar, overload

import msgspec

from auricle.apis.transcripts.stored.parts import KeptSegment as KeptSegment
from auricle.apis.transcripts.stored.parts import (
    ParagraphChange,
    SegmentEdit,
    decode_parts,
    encode_parts,
    merged_parts,
    split,
)
from auricle.apis.transcripts.stored.words import decode_words, encode_words
from auricle.ledger.databases.database import Database, Row, Transaction, TransactionStep, Value
from auricle.ledger.events import delete_events
from auricle.values.errors import BadRequest
from auricle.values.types import ClientId, GiveWay, do_nothing

S = TypeVar("S")
T = TypeVar("T")

MAX_QUERY_WORDS = 20
MAX_NUMBER = 2**63 - 1
"""Largest number of a row."""
STORED_AT_ONCE = 100
"""Segments stored with one statement, as a database may be some milliseconds away."""
READ_AT_ONCE = 200
"""Segments read in one transaction, as SQLite has one reader at a time."""
MAX_EXPIRED = 100
"""Transcripts deleted in one transaction."""


@dataclass(frozen=True, slots=True)
class KeptEnd:
    """Where a kept transcript ends.

    Attributes:
        position: The largest position of a segment.
        ends_ms: The end of each speaker's last segment, in milliseconds.
    """

    position: int
    ends_ms: Mapping[int | None, int]

    def is_after(self, at_ms: int, channel: int | None) -> bool:
        """Return whether a transcript ends after some time, in a channel or in all."""
        if channel is not None:
            return at_ms < self.ends_ms.get(channel, 0)
        return at_ms < max(self.ends_ms.values(), default=0)


NOTHING_KEPT = KeptEnd(0, {})


class MadeOnAccess(Sequence[T]):
    """A sequence whose items are made at each access, and not kept.

    The garbage collector stops all threads while it visits objects: for a second, if they are the
    words of a day. It ignores tuples of plain values, such as rows.

    Args:
        sources: What the items are made of.
        make: Makes an item.
    """

    def __init__(self, sources: Sequence[S], make: Callable[[S], T]) -> None:
        self._sources: Sequence[Any] = sources
        self._make: Callable[[Any], T] = make

    def __len__(self) -> int:
        return len(self._sources)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            return MadeOnAccess(self._sources[index], self._make)
        return self._make(self._sources[index])


@dataclass(frozen=True, slots=True)
class KeptTranscript:
    """A transcript without its segments.

    Attributes:
        uid: Unique id: that of the session, or of the job's acceptance.
        owner: The key that may see it.
        source: The API that the audio came from, such as ``native`` or ``job``.
        language: Language code of the first segment with one; empty if unknown.
        started_at: Unix time of the start of the audio.
        ended_at: Unix time of the latest segment.
        speaker_names: Names that the owner gave to speakers, by number; not changed by
            :meth:`Transcripts.add`.
        known_names: Names that the speakers had by their voices; those of the owner go before.
    """

    uid: str
    owner: ClientId
    source: str
    language: str
    started_at: float
    ended_at: float
    speaker_names: Mapping[int, str] = field(default_factory=dict)
    known_names: Mapping[int, str] = field(default_factory=dict)

    def name_of(self, speaker: int) -> str | None:
        """Return the name of a speaker, ``None`` if there is none."""
        return self.speaker_names.get(speaker) or self.known_names.get(speaker)


@dataclass(frozen=True, slots=True)
class Version:
    """The number of a transcript's row, and how often the row or its segments have changed."""

    number: int
    revision: int


@dataclass(frozen=True, slots=True)
class Filter:
    """Which transcripts to list or search; ``None`` means all.

    Attributes:
        language: Language code.
        source: The API.
        since: Earliest start.
        until: Latest start.
    """

    language: str | None = None
    source: str | None = None
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A segment that a search found; ``number`` continues the search after it."""

    number: int
    transcript: KeptTranscript
    segment: KeptSegment


ALL = Filter()

_TRANSCRIPT = [each.name for each in fields(KeptTranscript)]
_SEGMENT = ("position", "start_ms", "end_ms", "text", "speaker")
_TRANSCRIPT_COLUMNS = ", ".join(f"transcripts.{name}" for name in _TRANSCRIPT)
_FOUND_COLUMNS = ", ".join(f"segments.{name}" for name in _SEGMENT)
_SEGMENT_COLUMNS = f"{_FOUND_COLUMNS}, segments.words, segments.parts"


Stored = Callable[[Transaction, KeptTranscript], None]
"""Stores what belongs to a transcript in its transaction; it may run again, as the transaction."""


def nothing_stored(_: Transaction, __: KeptTranscript) -> None:
    """Store nothing."""


def subject_of(uid: str) -> str:
    """Return the subject of a transcript's events."""
    return f"transcripts/{uid}"


class Transcripts:
    """The transcripts in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        transcript: KeptTranscript,
        segments: Sequence[KeptSegment],
        step: Stored = nothing_stored,
    ) -> None:
        """Add segments to a transcript, which is created if necessary.

        Of a transcript that exists, only the end changes, and the language if it was unknown.
        Segments that are stored already stay as they are, so that a call can be repeated.

        Args:
            transcript: The transcript.
            segments: The segments.
            step: Stores what belongs to it, in the same transaction.
        """
        self._database.write(
            "transcript",
            lambda transaction: step(
                transaction, store_transcript(transaction, transcript, segments)
            ),
        )

    def write(self, work: TransactionStep) -> None:
        """Store what belongs to transcripts in a separate transaction."""
        self._database.write("transcript", work)

    def find(
        self,
        owner: ClientId,
        uid: str,
        give_way: GiveWay = do_nothing,
        *,
        with_words: bool = True,
    ) -> tuple[KeptTranscript, Sequence[KeptSegment]] | None:
        """Return a transcript and its segments in order; ``None`` if the owner has none.

        A long one is read in several transactions. A change of its speakers meanwhile may be seen
        in a part of the segments. Their words are decoded at each access.

        Args:
            owner: The owner.
            uid: The id.
            give_way: Called outside of transactions, after each.
            with_words: Whether the segments have their words.
        """
        if "\0" in uid:  # not every database can store NUL
            return None
        columns = _SEGMENT_COLUMNS if with_words else f"{_FOUND_COLUMNS}, '', segments.parts"
        sources: list[Row | KeptSegment] = []
        after = -1
        while True:
            found = self._database.read(partial(_read_segments, owner, uid, after, columns))
            if found is None:
                return None
            row, following = found
            for *values, parts in following:
                after, segment = values[0], tuple(values)
                sources += split(_segment(segment), decode_parts(parts)) if parts else [segment]
            give_way()
            if len(following) < READ_AT_ONCE:
                return _transcript(row), MadeOnAccess(sources, _segment_of)

    def end(self, owner: ClientId, uid: str) -> KeptEnd:
        """Return where a transcript ends; :data:`NOTHING_KEPT` if the owner has none."""
        rows = self._database.read(
            lambda transaction: transaction.execute(
                "SELECT max(position), segments.speaker, max(end_ms) FROM segments "
                "JOIN transcripts ON transcripts.number = segments.transcript_number "
                "WHERE owner = ? AND uid = ? GROUP BY segments.speaker",
                owner,
                uid,
            )
        )
        if not rows:
            return NOTHING_KEPT
        ends_ms = {speaker: end_ms for _, speaker, end_ms in rows}
        return KeptEnd(max(position for position, _, _ in rows), ends_ms)

    def version(self, owner: ClientId, uid: str) -> Version | None:
        """Return what differs after each change of a transcript; ``None`` if there is none."""
        if "\0" in uid:
            return None
        rows = self._database.read(
            lambda transaction: transaction.execute(
                "SELECT number, revision FROM transcripts WHERE owner = ? AND uid = ?", owner, uid
            )
        )
        return Version(*rows[0]) if rows else None

    def page(
        self,
        owner: ClientId,
        filter: Filter = ALL,
        *,
        before: int | None = None,
        limit: int = 100,
    ) -> list[tuple[int, KeptTranscript]]:
        """Return an owner's transcripts with their numbers, the newest first.

        Args:
            owner: The owner.
            filter: Which transcripts.
            before: Only transcripts with lower numbers, to continue after a page.
            limit: Maximum number of transcripts.
        """
        conditions, values = _conditions(filter)
        if before is not None:
            conditions, values = [*conditions, "number < ?"], [*values, before]
        statement = (
            f"SELECT number, {_TRANSCRIPT_COLUMNS} FROM transcripts "
            f"WHERE {' AND '.join(['owner = ?', *conditions])} ORDER BY number DESC LIMIT ?"
        )
        rows = self._database.read(lambda t: t.execute(statement, owner, *values, limit))
        return [(number, _transcript(tuple(row))) for number, *row in rows]

    def search(
        self,
        owner: ClientId,
        words: str,
        filter: Filter = ALL,
        *,
        before: int | None = None,
        limit: int = 50,
    ) -> list[Match]:
        """Return an owner's segments that contain all of some words, the newest first.

        Args:
            owner: The owner.
            words: Words separated by spaces, at most ``MAX_QUERY_WORDS``.
            filter: Which transcripts.
            before: Only segments with lower numbers, to continue after a page.
            limit: Maximum number of segments.

        Raises:
            BadRequest: There are too many words.
        """
        query = [word for word in words.replace("\0", "").split() if any(map(str.isalnum, word))]
        if not query:
            return []
        if len(query) > MAX_QUERY_WORDS:
            raise BadRequest(f"q may have at most {MAX_QUERY_WORDS} words.", "q")
        conditions, values = _conditions(filter)

        def work(transaction: Transaction) -> list[Row]:
            search = transaction.search
            first, last = 0, MAX_NUMBER if before is None else before - 1
            if conditions:
                first, last = _range(transaction, owner, filter, last)
            where = [search.condition, f"{search.order} BETWEEN ? AND ?", "owner = ?", *conditions]
            return transaction.execute(
                f"SELECT segments.number, {_TRANSCRIPT_COLUMNS}, {_FOUND_COLUMNS} "
                f"FROM {search.source} JOIN transcripts ON transcripts.number = transcript_number "
                f"WHERE {' AND '.join(where)} ORDER BY {search.order} DESC LIMIT ?",
                search.query(_scope(owner), query),
                first,
                last,
                owner,
                *values,
                limit,
            )

        rows, width = self._database.read(work), len(_TRANSCRIPT)
        return [
            Match(number, _transcript(tuple(row[:width])), KeptSegment(*row[width:]))
            for number, *row in rows
        ]

    def delete(self, owner: ClientId, uid: str) -> bool:
        """Delete a transcript and its segments; return whether the owner had it."""
        if "\0" in uid:
            return False
        statement = "DELETE FROM transcripts WHERE owner = ? AND uid = ? RETURNING uid"
        return self._database.write("forget", lambda t: bool(_delete(t, statement, owner, uid)))

    def rename_speaker(self, owner: ClientId, uid: str, speaker: int, name: str) -> bool:
        """Name a speaker of a transcript; an empty name removes it.

        Returns:
            Whether the owner has the transcript, and a segment of it this speaker.
        """

        def work(transaction: Transaction, number: int, names: dict[int, str]) -> dict[int, str]:
            names.pop(speaker, None)
            return names | ({speaker: name.replace("\0", "")} if name else {})

        return self._change_speakers(owner, uid, speaker, {speaker}, work)

    def merge_speakers(self, owner: ClientId, uid: str, speaker: int, into: int) -> bool:
        """Give all segments of a speaker to another one, who keeps or takes over the name.

        Returns:
            Whether the owner has the transcript, and it has both speakers.
        """

        def work(transaction: Transaction, number: int, names: dict[int, str]) -> dict[int, str]:
            transaction.execute(
                "UPDATE segments SET speaker = ? WHERE transcript_number = ? AND speaker = ?",
                into,
                number,
                speaker,
            )
            edited = transaction.execute(
                "SELECT number, parts FROM segments WHERE transcript_number = ? AND parts <> ''",
                number,
            )
            for row, parts in edited:
                transaction.execute(
                    "UPDATE segments SET parts = ? WHERE number = ?",
                    encode_parts(merged_parts(decode_parts(parts), speaker, into)),
                    row,
                )
            name = names.pop(speaker, None)
            return names if name is None else {into: name} | names

        return self._change_speakers(owner, uid, speaker, {speaker, into}, work)

    def change_paragraphs(
        self, owner: ClientId, uid: str, changes: Sequence[ParagraphChange]
    ) -> bool:
        """Give words to other speakers, and start or join paragraphs, one change after the other.

        Returns:
            Whether the owner has the transcript, and it has words for a change.
        """
        if "\0" in uid or not changes:
            return False

        def work(transaction: Transaction) -> bool:
            rows = transaction.execute(
                "SELECT number FROM transcripts WHERE owner = ? AND uid = ?"
                f"{transaction.for_update}",
                owner,
                uid,
            )
            if not rows:
                return False
            ((number,),) = rows
            edits = [
                SegmentEdit(_segment(tuple(values)), decode_parts(parts))
                for *values, parts in transaction.execute(
                    f"SELECT {_SEGMENT_COLUMNS} FROM segments WHERE transcript_number = ? "
                    "AND start_ms < ? AND end_ms >= ? ORDER BY position",
                    number,
                    max(change.end_ms for change in changes),
                    min(change.start_ms for change in changes),
                )
            ]
            for change in changes:
                is_first = True
                for edit in edits:
                    is_first = not edit.apply(change, is_first=is_first) and is_first
            changed = [(edit, edit.parts()) for edit in edits if edit.is_changed]
            for edit, parts in changed:
                transaction.execute(
                    "UPDATE segments SET speaker = ?, parts = ? "
                    "WHERE transcript_number = ? AND position = ?",
                    parts[0].speaker,
                    encode_parts(parts),
                    number,
                    edit.position,
                )
            if changed:
                transaction.execute(
                    "UPDATE transcripts SET revision = revision + 1 WHERE number = ?", number
                )
            return bool(changed)

        return self._database.write("paragraphs", work)

    def relabel(self, owner: ClientId, uid: str, speakers: Mapping[int, int | None]) -> None:
        """Change the speakers of segments by their positions; unknown positions are ignored.

        Those that the owner has changed stay.
        """

        def work(transaction: Transaction) -> None:
            transaction.execute(
                "UPDATE transcripts SET revision = revision + 1 WHERE owner = ? AND uid = ?",
                owner,
                uid,
            )
            for position, speaker in speakers.items():
                transaction.execute(
                    "UPDATE segments SET speaker = ? WHERE position = ? AND parts = '' "
                    "AND transcript_number = "
                    "(SELECT number FROM transcripts WHERE owner = ? AND uid = ?)",
                    speaker,
                    position,
                    owner,
                    uid,
                )

        self._database.write("relabel", work)

    def name_known(self, owner: ClientId, uid: str, names: Mapping[int, str | None]) -> None:
        """Change the names that speakers of a transcript have by their voices; ``None``: none."""

        def change(known: dict[int, str]) -> dict[int, str]:
            changed: dict[int, str | None] = {**known, **names}
            return {speaker: name for speaker, name in changed.items() if name is not None}

        self._database.write(
            "speakers",
            lambda t: _change_known(t, "WHERE owner = ? AND uid = ?", (owner, uid), change),
        )

    def _change_speakers(
        self,
        owner: ClientId,
        uid: str,
        speaker: int,
        speakers: set[int],
        change: Callable[[Transaction, int, dict[int, str]], dict[int, str]],
    ) -> bool:
        """Change a transcript that has these speakers, and store the names that are returned.

        The name that ``speaker`` had by the voice is removed: its owner has decided.
        """
        if "\0" in uid:
            return False

        def work(transaction: Transaction) -> bool:
            rows = transaction.execute(
                "SELECT number, speaker_names, known_names FROM transcripts "
                f"WHERE owner = ? AND uid = ?{transaction.for_update}",
                owner,
                uid,
            )
            if not rows:
                return False
            ((number, names, known),) = rows
            present = transaction.execute(
                "SELECT DISTINCT speaker, parts FROM segments WHERE transcript_number = ?", number
            )
            found = {each for each, _ in present}
            found |= {part.speaker for _, parts in present for part in decode_parts(parts)}
            if not speakers <= found:
                return False
            changed = change(transaction, number, _names(names))
            kept = {each: name for each, name in _names(known).items() if each != speaker}
            transaction.execute(
                "UPDATE transcripts SET speaker_names = ?, known_names = ?, "
                "revision = revision + 1 WHERE number = ?",
                _names_text(changed),
                _names_text(kept),
                number,
            )
            return True

        return self._database.write("speakers", work)

    def expire(self, ended_before: float) -> int:
        """Delete transcripts that ended before a time, and return their number.

        At most ``MAX_EXPIRED`` are deleted, so that other transactions don't wait for long.
        """
        statement = (
            "DELETE FROM transcripts WHERE number IN (SELECT number FROM transcripts "
            "WHERE ended_at < ? ORDER BY ended_at LIMIT ?) RETURNING uid"
        )
        return self._database.write(
            "expire", lambda t: _delete(t, statement, ended_before, MAX_EXPIRED)
        )

    def forget(self, owner: ClientId) -> int:
        """Delete some transcripts of an owner, and return their number."""
        statement = (
            "DELETE FROM transcripts WHERE number IN (SELECT number FROM transcripts "
            "WHERE owner = ? LIMIT ?) RETURNING uid"
        )
        return self._database.write("forget", lambda t: _delete(t, statement, owner, MAX_EXPIRED))


def rename_known(transaction: Transaction, owner: ClientId, name: str, new: str | None) -> None:
    """Change a name by voices in all transcripts of an owner.

    Args:
        transaction: The transaction.
        owner: The owner.
        name: The name.
        new: The name in its place; ``None``: none.
    """

    def change(known: dict[int, str]) -> dict[int, str]:
        changed = {n: new if old == name else old for n, old in known.items()}
        return {speaker: each for speaker, each in changed.items() if each is not None}

    _change_known(transaction, "WHERE owner = ? AND known_names <> ''", (owner,), change)


def _change_known(
    transaction: Transaction,
    where: str,
    values: Sequence[Value],
    change: Callable[[dict[int, str]], dict[int, str]],
) -> None:
    for number, text in transaction.execute(
        f"SELECT number, known_names FROM transcripts {where}{transaction.for_update}", *values
    ):
        if (changed := _names_text(change(_names(text)))) != text:
            transaction.execute(
                "UPDATE transcripts SET known_names = ?, revision = revision + 1 WHERE number = ?",
                changed,
                number,
            )


def _read_segments(
    owner: ClientId, uid: str, after: int, columns: str, transaction: Transaction
) -> tuple[Row, list[Row]] | None:
    """Return the row of a transcript, and those of its segments after a position."""
    rows = transaction.execute(
        f"SELECT number, {_TRANSCRIPT_COLUMNS} FROM transcripts WHERE owner = ? AND uid = ?",
        owner,
        uid,
    )
    if not rows:
        return None
    ((number, *row),) = rows
    return tuple(row), transaction.execute(
        f"SELECT {columns} FROM segments "
        "WHERE transcript_number = ? AND position > ? ORDER BY position LIMIT ?",
        number,
        after,
        READ_AT_ONCE,
    )


def _delete(transaction: Transaction, statement: str, *values: Value) -> int:
    """Delete transcripts, their events and their words in the index; return their number."""
    rows = transaction.execute(statement, *values)
    delete_events(transaction, [subject_of(uid) for (uid,) in rows])
    if rows and transaction.search.purge:
        transaction.execute(transaction.search.purge)
    return len(rows)


def store_transcript(
    transaction: Transaction, transcript: KeptTranscript, segments: Sequence[KeptSegment]
) -> KeptTranscript:
    """Store in a transaction what :meth:`Transcripts.add` adds; return it as it is stored."""
    ((number, language, started_at),) = transaction.execute(
        "INSERT INTO transcripts "
        "(uid, owner, source, language, started_at, ended_at, known_names) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (uid) DO UPDATE "
        "SET ended_at = excluded.ended_at, revision = transcripts.revision + 1, "
        "language = CASE transcripts.language "
        "WHEN '' THEN excluded.language ELSE transcripts.language END "
        "RETURNING number, language, started_at",
        transcript.uid,
        transcript.owner,
        transcript.source,
        transcript.language,
        transcript.started_at,
        transcript.ended_at,
        _names_text(transcript.known_names),
    )
    scope = _scope(transcript.owner)
    added: list[int] = []
    for start in range(0, len(segments), STORED_AT_ONCE):
        batch = segments[start : start + STORED_AT_ONCE]
        values: list[Value] = []
        for segment in batch:
            text = segment.text.replace("\0", "")  # not every database can store NUL
            values += [number, scope, segment.position, segment.start_ms, segment.end_ms, text]
            values += [segment.speaker, encode_words(segment.words)]
        rows = transaction.execute(
            "INSERT INTO segments "
            "(transcript_number, scope, position, start_ms, end_ms, text, speaker, words) "
            f"VALUES {', '.join(['(?, ?, ?, ?, ?, ?, ?, ?)'] * len(batch))} "
            "ON CONFLICT (transcript_number, position) DO NOTHING RETURNING number",
            *values,
        )
        added += [row_number for (row_number,) in rows]
    if added:  # numbers ascend
        transaction.execute(
            "UPDATE transcripts SET first_segment = COALESCE(first_segment, ?), last_segment = ? "
            "WHERE number = ?",
            min(added),
            max(added),
            number,
        )
    return replace(transcript, language=language, started_at=started_at)


def _range(transaction: Transaction, owner: ClientId, filter: Filter, last: int) -> tuple[int, int]:
    """Return the numbers between which the segments of a filter's transcripts lie.

    Segments outside of it are not read one by one to find that they don't match. Without such
    transcripts, the range is empty.
    """
    conditions, values = _conditions(filter)
    ((first, newest),) = transaction.execute(
        "SELECT min(first_segment), max(last_segment) FROM transcripts "
        f"WHERE {' AND '.join(['owner = ?', *conditions])}",
        owner,
        *values,
    )
    return (1, 0) if newest is None else (first, min(newest, last))


def _scope(owner: str) -> str:
    """Return an owner's word in the index.

    It only narrows the search: the owner is compared as well.
    """
    return "o" + hashlib.sha256(owner.encode()).hexdigest()[:16]


def _conditions(filter: Filter) -> tuple[list[str], list[Value]]:
    conditions: list[tuple[str, Value]] = [
        ("language = ?", filter.language),
        ("source = ?", filter.source),
        ("started_at >= ?", filter.since),
        ("started_at <= ?", filter.until),
    ]
    used = [(condition, value) for condition, value in conditions if value is not None]
    return [condition for condition, _ in used], [value for _, value in used]


def _transcript(row: Row) -> KeptTranscript:
    *values, names, known = row
    return replace(KeptTranscript(*values), speaker_names=_names(names), known_names=_names(known))


def _segment(row: Row) -> KeptSegment:
    *values, words = row
    return replace(KeptSegment(*values), words=decode_words(words))


def _segment_of(source: Row | KeptSegment) -> KeptSegment:
    """Return a segment that is not changed, from its row, or a part of a changed one."""
    return source if isinstance(source, KeptSegment) else _segment(source)


def _names(text: str) -> dict[int, str]:
    return msgspec.json.decode(text, type=dict[int, str]) if text else {}


def _names_text(names: Mapping[int, str]) -> str:
    return msgspec.json.encode(names).decode() if names else ""
