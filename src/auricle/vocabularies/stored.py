"""Vocabularies in the server's database. All calls block."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from auricle.ledger.databases.database import Database, Transaction
from auricle.values.errors import BadRequest
from auricle.values.types import ClientId
from auricle.vocabularies.content import Content

MAX_VOCABULARIES = 100
"""Maximum number of a key."""

_COLUMNS = "name, content, is_default, changed_at"


@dataclass(frozen=True, slots=True)
class StoredVocabulary:
    """A vocabulary of a key.

    Attributes:
        name: Its name.
        content: Its terms and replacements.
        is_default: Whether it applies to requests that name none.
        changed_at: Unix time of the last change.
    """

    name: str
    content: Content
    is_default: bool
    changed_at: float


class Outline(msgspec.Struct, frozen=True):
    """A content whose texts are not decoded: the largest vocabularies of a key have 500,000."""

    terms: tuple[msgspec.Raw, ...] = ()
    replacements: tuple[msgspec.Raw, ...] = ()
    capitalize: bool = True
    final_period: bool = True


@dataclass(frozen=True, slots=True)
class ListedVocabulary:
    """A vocabulary of a key; the attributes are those of :class:`StoredVocabulary`."""

    name: str
    content: Outline
    is_default: bool
    changed_at: float


Change = Callable[[StoredVocabulary | None], StoredVocabulary]
"""Returns a vocabulary from the one that is stored under its name; it may run again."""


class Vocabularies:
    """The vocabularies of all keys; each key sees its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def listed(self, owner: ClientId) -> list[ListedVocabulary]:
        """Return the vocabularies of a key by name."""
        statement = f"SELECT {_COLUMNS} FROM vocabularies WHERE owner = ? ORDER BY name"
        rows = self._database.read(lambda t: t.execute(statement, owner))
        return [
            ListedVocabulary(
                name, msgspec.json.decode(content, type=Outline), bool(is_default), changed_at
            )
            for name, content, is_default, changed_at in rows
        ]

    def find(self, owner: ClientId, name: str) -> StoredVocabulary | None:
        """Return a vocabulary of a key; an empty name means its default one."""
        condition = "name = ?" if name else "is_default = 1 AND ? = ''"
        statement = (
            f"SELECT {_COLUMNS} FROM vocabularies WHERE owner = ? AND {condition} "
            "ORDER BY changed_at DESC LIMIT 1"  # two gateways may each have set a default one
        )
        rows = self._database.read(lambda t: t.execute(statement, owner, name))
        return _stored(*rows[0]) if rows else None

    def change(self, owner: ClientId, name: str, change: Change) -> StoredVocabulary:
        """Store what ``change`` returns; a new default one replaces the former default.

        Raises:
            BadRequest: The key has too many.
        """

        def work(transaction: Transaction) -> StoredVocabulary:
            is_new = transaction.execute(  # another transaction with this name waits here
                f"INSERT INTO vocabularies (owner, {_COLUMNS}) VALUES (?, ?, ?, 0, 0) "
                "ON CONFLICT (owner, name) DO NOTHING RETURNING name",
                owner,
                name,
                b"{}",
            )
            if is_new:
                _check_number(transaction, owner)
                vocabulary = change(None)
            else:
                (row,) = transaction.execute(
                    f"SELECT {_COLUMNS} FROM vocabularies WHERE owner = ? AND name = ?"
                    f"{transaction.for_update}",
                    owner,
                    name,
                )
                vocabulary = change(_stored(*row))
            if vocabulary.is_default:
                transaction.execute(
                    "UPDATE vocabularies SET is_default = 0 WHERE owner = ? AND is_default = 1",
                    owner,
                )
            transaction.execute(
                "UPDATE vocabularies SET content = ?, is_default = ?, changed_at = ? "
                "WHERE owner = ? AND name = ?",
                msgspec.json.encode(vocabulary.content),
                int(vocabulary.is_default),
                vocabulary.changed_at,
                owner,
                name,
            )
            return vocabulary

        return self._database.write("vocabulary", work)

    def delete(self, owner: ClientId, name: str) -> bool:
        """Delete a vocabulary; return whether the key had it."""
        statement = "DELETE FROM vocabularies WHERE owner = ? AND name = ? RETURNING name"
        return self._database.write("vocabulary", lambda t: bool(t.execute(statement, owner, name)))

    def forget(self, owner: ClientId) -> int:
        """Delete all vocabularies of a key, and return their number."""
        statement = "DELETE FROM vocabularies WHERE owner = ? RETURNING name"
        return self._database.write("vocabulary", lambda t: len(t.execute(statement, owner)))


def _check_number(transaction: Transaction, owner: ClientId) -> None:
    ((count,),) = transaction.execute("SELECT count(*) FROM vocabularies WHERE owner = ?", owner)
    if count > MAX_VOCABULARIES:  # with the new one
        raise BadRequest(f"A key has at most {MAX_VOCABULARIES} vocabularies; delete one first.")


def _stored(name: str, content: bytes, is_default: int, changed_at: float) -> StoredVocabulary:
    decoded = msgspec.json.decode(content, type=Content)
    return StoredVocabulary(name, decoded, bool(is_default), changed_at)
