"""Vocabularies in each kind of database."""

import pytest

from auricle.ledger.databases.database import Database
from auricle.values.types import ClientId
from auricle.vocabularies.content import Content
from auricle.vocabularies.stored import StoredVocabulary, Vocabularies

pytestmark = pytest.mark.unit

ALICE, BOB = ClientId("alice"), ClientId("bob")


def store(
    vocabularies: Vocabularies, name: str, owner: ClientId = ALICE, *, is_default: bool = False
) -> None:
    stored = StoredVocabulary(name, Content.of([f"{name} of {owner}"]), is_default, 1.8e9)
    vocabularies.change(owner, name, lambda before: stored)


def test_a_vocabulary_is_found_by_its_name_or_as_the_default_one(database: Database) -> None:
    vocabularies = Vocabularies(database)
    assert vocabularies.find(ALICE, "") is vocabularies.find(ALICE, "a") is None
    store(vocabularies, "b")
    store(vocabularies, "a", is_default=True)
    store(vocabularies, "a", BOB)
    assert [each.name for each in vocabularies.listed(ALICE)] == ["a", "b"]
    found = vocabularies.find(ALICE, "")
    assert found == vocabularies.find(ALICE, "a")
    assert found == StoredVocabulary("a", Content.of(["a of alice"]), True, 1.8e9)
    assert vocabularies.find(BOB, "") is None


def test_a_change_gets_what_is_stored(database: Database) -> None:
    vocabularies = Vocabularies(database)
    seen: list[StoredVocabulary | None] = []

    def change(before: StoredVocabulary | None) -> StoredVocabulary:
        seen.append(before)
        return StoredVocabulary("a", Content(), False, 1.8e9)

    first = vocabularies.change(ALICE, "a", change)
    vocabularies.change(ALICE, "a", change)
    assert seen == [None, first]


def test_a_forgotten_key_has_none(database: Database) -> None:
    vocabularies = Vocabularies(database)
    for name, owner in (("a", ALICE), ("b", ALICE), ("a", BOB)):
        store(vocabularies, name, owner)
    assert vocabularies.forget(ALICE) == 2
    assert vocabularies.listed(ALICE) == []
    assert len(vocabularies.listed(BOB)) == 1
    assert vocabularies.delete(BOB, "a")
    assert not vocabularies.delete(BOB, "a")
