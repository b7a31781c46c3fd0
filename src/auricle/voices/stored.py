"""The voices of keys in a database: those that are known, and those of recent transcripts.

Only embeddings are stored, never audio. Each key sees its own.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from auricle.ledger.databases.database import Database, Row, Transaction, TransactionStep
from auricle.values.speakers import VoicePrint
from auricle.values.types import ClientId
from auricle.voices.errors import TooManyVoices, VoiceExists

MAX_VOICES = 1000
"""Maximum number of voices of a key: 0.8 MB of embeddings."""
SAME_VOICE_COSINE = 0.5
"""A recent voice that is as similar to a deleted one is deleted with it: a little below what a
name needs."""

MAX_RESULTS = 16
"""Results in memory at once; each may have some megabytes."""

AlsoRename = Callable[[Transaction, ClientId, str, str | None], None]
"""Changes a name of an owner to another, or to none, in a transaction that may be repeated."""

_COLUMNS = "uid, name, model, embedding, speech_s, created_at"


@dataclass(frozen=True, slots=True, eq=False)
class EnrolledVoice:
    """A voice that a key has stored.

    Attributes:
        uid: Its random id.
        name: The name of the person; unique in its key.
        voice: The voice.
        created_at: Unix time at which it was stored, with the person's consent.
    """

    uid: str
    name: str
    voice: VoicePrint
    created_at: float


def no_names(transaction: Transaction, owner: ClientId, name: str, new: str | None) -> None:
    """Change nothing."""


class EnrolledVoices:
    """The stored voices. All methods block, and raise the errors of the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, owner: ClientId, voices: Sequence[EnrolledVoice]) -> None:
        """Store voices, or none of them.

        Raises:
            VoiceExists: A name is taken.
            TooManyVoices: The owner would have more than ``MAX_VOICES``.
        """
        now = time.time()  # an import may have been created in the future

        def work(transaction: Transaction) -> None:
            rows = transaction.execute("SELECT uid FROM known_voices WHERE owner = ?", owner)
            taken = {uid for (uid,) in rows}
            new = [each for each in voices if each.uid not in taken]
            if len(taken) + len(new) > MAX_VOICES:
                raise TooManyVoices(f"A key has at most {MAX_VOICES} voices; delete some first.")
            for each in new:
                added = transaction.execute(
                    f"INSERT INTO known_voices (owner, {_COLUMNS}, changed_at) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (owner, name) DO NOTHING "
                    "RETURNING uid",
                    owner,
                    each.uid,
                    each.name,
                    *_stored(each.voice),
                    each.created_at,
                    now,
                )
                if not added:
                    raise VoiceExists("There is a voice of this name; delete it first.", "name")

        self._database.write("known voices", work)

    def all_of(self, owner: ClientId) -> list[EnrolledVoice]:
        """Return the voices of an owner, in the order in which they were stored."""
        rows = self._database.read(
            lambda transaction: transaction.execute(
                f"SELECT {_COLUMNS} FROM known_voices WHERE owner = ? ORDER BY number", owner
            )
        )
        return [_voice(row) for row in rows]

    def version(self, owner: ClientId) -> object:
        """Return what differs after each change of an owner's voices."""
        rows = self._database.read(
            lambda transaction: transaction.execute(
                "SELECT count(*), max(number), max(changed_at) FROM known_voices WHERE owner = ?",
                owner,
            )
        )
        return rows[0]

    def rename(
        self, owner: ClientId, uid: str, name: str, now: float, also: AlsoRename = no_names
    ) -> str | None:
        """Rename a voice; return the name that it had, ``None`` if the owner has none of this id.

        Args:
            owner: The owner.
            uid: The id of the voice.
            name: The new name.
            now: Unix time.
            also: Changes the name elsewhere, in the same transaction.

        Raises:
            VoiceExists: Another one has the name.
        """

        def work(transaction: Transaction) -> str | None:
            rows = transaction.execute(
                "SELECT name FROM known_voices WHERE owner = ? AND uid = ?"
                f"{transaction.for_update}",
                owner,
                uid,
            )
            if not rows or rows[0][0] == name:
                return name if rows else None
            # Only an insertion waits for those that take the name in other transactions.
            taken = transaction.execute(
                "INSERT INTO known_voices "
                "(owner, uid, name, model, embedding, speech_s, created_at, changed_at) "
                "VALUES (?, ?, ?, '', ?, 0, 0, 0) ON CONFLICT (owner, name) DO NOTHING "
                "RETURNING uid",
                owner,
                f"{uid}.renamed",
                name,
                b"",
            )
            if not taken:
                raise VoiceExists("There is a voice of this name.", "name")
            transaction.execute("DELETE FROM known_voices WHERE uid = ?", f"{uid}.renamed")
            transaction.execute(
                "UPDATE known_voices SET name = ?, changed_at = ? WHERE owner = ? AND uid = ?",
                name,
                now,
                owner,
                uid,
            )
            also(transaction, owner, rows[0][0], name)
            return str(rows[0][0])

        return self._database.write("known voices", work)

    def delete(self, owner: ClientId, uid: str, also: AlsoRename = no_names) -> str | None:
        """Delete a voice, and recent ones that may be the same person's; return its name.

        ``None`` if the owner has none of this id. ``also`` removes the name elsewhere, in the same
        transaction.
        """

        def work(transaction: Transaction) -> str | None:
            rows = transaction.execute(
                f"DELETE FROM known_voices WHERE owner = ? AND uid = ? RETURNING {_COLUMNS}",
                owner,
                uid,
            )
            if not rows:
                return None
            deleted = _voice(rows[0])
            for number, speaker, *stored in transaction.execute(
                "SELECT transcript_number, speaker, recent_voices.model, embedding, speech_s "
                "FROM recent_voices JOIN transcripts ON number = transcript_number "
                "WHERE owner = ?",
                owner,
            ):
                if is_similar(_print(stored), deleted.voice):
                    transaction.execute(
                        "DELETE FROM recent_voices WHERE transcript_number = ? AND speaker = ?",
                        number,
                        speaker,
                    )
            also(transaction, owner, deleted.name, None)
            return deleted.name

        return self._database.write("known voices", work)

    def write(self, step: TransactionStep) -> None:
        """Run a step in a transaction."""
        self._database.write("known voices", step)

    def change_results(self, owner: ClientId, change: Callable[[bytes], bytes]) -> None:
        """Change the results of an owner's jobs; takes a second for hundreds of hours of audio.

        Args:
            owner: The owner.
            change: Returns a result as it is to be.
        """
        last = 0
        while rows := self._results(owner, last):
            last = rows[-1][0]
            changed = [n for n, result in rows if change(bytes(result)) != bytes(result)]

            def work(transaction: Transaction, numbers: Sequence[int] = changed) -> None:
                for number in numbers:
                    for (result,) in transaction.execute(
                        f"SELECT result FROM jobs WHERE number = ?{transaction.for_update}", number
                    ):
                        transaction.execute(
                            "UPDATE jobs SET result = ? WHERE number = ?",
                            change(bytes(result)),
                            number,
                        )

            if changed:
                self._database.write("results", work)

    def _results(self, owner: ClientId, after: int) -> list[Row]:
        """Return the next results of an owner's jobs, and their numbers."""
        return self._database.read(
            lambda transaction: transaction.execute(
                "SELECT number, result FROM jobs WHERE owner = ? AND number > ? "
                "AND result IS NOT NULL ORDER BY number LIMIT ?",
                owner,
                after,
                MAX_RESULTS,
            )
        )

    def owners(self) -> frozenset[ClientId]:
        """Return the owners of voices."""
        rows = self._database.read(
            lambda transaction: transaction.execute(
                "SELECT owner FROM known_voices UNION SELECT owner FROM transcripts "
                "JOIN recent_voices ON number = transcript_number"
            )
        )
        return frozenset(ClientId(owner) for (owner,) in rows)

    def forget(self, owner: ClientId) -> int:
        """Delete all voices of an owner, also those of its sessions, and return their number."""

        def work(transaction: Transaction) -> int:
            known = transaction.execute(
                "DELETE FROM known_voices WHERE owner = ? RETURNING uid", owner
            )
            recent = transaction.execute(
                "DELETE FROM recent_voices WHERE transcript_number IN "
                "(SELECT number FROM transcripts WHERE owner = ?) RETURNING speaker",
                owner,
            )
            sessions = transaction.execute(
                "DELETE FROM voices WHERE owner = ? RETURNING session", owner
            )
            return len(known) + len(recent) + len(sessions)

        return self._database.write("known voices", work)

    def uid_of_job(self, owner: ClientId, job_id: str) -> str | None:
        """Return the id of a job's acceptance, which its transcript gets; ``None``: no such job."""
        statement = "SELECT uid FROM jobs WHERE owner = ? AND job_id = ?"
        rows = self._database.read(lambda t: t.execute(statement, owner, job_id))
        return rows[0][0] if rows else None

    def keep_recent(
        self,
        owner: ClientId,
        id: str,
        prints: Mapping[int, VoicePrint],
        expires_at: float,
    ) -> bool:
        """Store the voices of a kept transcript's speakers; return whether it is kept.

        Args:
            owner: The owner of the transcript.
            id: Its id.
            prints: The voices.
            expires_at: Unix time of their deletion.
        """

        def work(transaction: Transaction) -> bool:
            rows = transaction.execute(
                "SELECT number FROM transcripts WHERE owner = ? AND uid = ?", owner, id
            )
            for (number,) in rows:
                transaction.execute("DELETE FROM recent_voices WHERE transcript_number = ?", number)
                for speaker, voice in prints.items():
                    transaction.execute(
                        "INSERT INTO recent_voices (transcript_number, speaker, model, embedding, "
                        "speech_s, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
                        number,
                        speaker,
                        *_stored(voice),
                        expires_at,
                    )
            return bool(rows)

        return self._database.write("recent voices", work)

    def recent(self, owner: ClientId, uid: str, speaker: int, now: float) -> VoicePrint | None:
        """Return the voice of a kept transcript's speaker, if it is stored."""
        rows = self._database.read(
            lambda transaction: transaction.execute(
                "SELECT recent_voices.model, embedding, speech_s FROM recent_voices "
                "JOIN transcripts ON number = transcript_number "
                "WHERE owner = ? AND uid = ? AND speaker = ? AND expires_at > ?",
                owner,
                uid,
                speaker,
                now,
            )
        )
        return _print(rows[0]) if rows else None

    def expire(self, now: float) -> None:
        """Delete the recent voices whose time is over."""
        self._database.write(
            "recent voices",
            lambda transaction: transaction.execute(
                "DELETE FROM recent_voices WHERE expires_at <= ?", now
            ),
        )


def _stored(voice: VoicePrint) -> tuple[str, bytes, float]:
    return voice.model, voice.vector.astype("<f4").tobytes(), voice.speech_s


def _print(stored: Iterable[Any]) -> VoicePrint:
    model, embedding, speech_s = stored
    vector = np.frombuffer(bytes(embedding), "<f4").astype(np.float32)
    return VoicePrint(model, vector, speech_s)


def _voice(row: Sequence[Any]) -> EnrolledVoice:
    uid, name, *stored, created_at = row
    return EnrolledVoice(uid, name, _print(stored), created_at)


def is_similar(one: VoicePrint, other: VoicePrint) -> bool:
    """Return whether two voices may be the same person's."""
    is_comparable = one.model == other.model and one.vector.size == other.vector.size
    return is_comparable and float(one.vector @ other.vector) >= SAME_VOICE_COSINE
