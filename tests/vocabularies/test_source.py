"""Looking up the vocabulary of a request, also while the database does not answer."""

from collections.abc import Callable

import pytest

from auricle.ledger.databases.database import Database
from auricle.values.errors import LedgerUnavailable, NotFound
from auricle.values.types import ClientId, Options
from auricle.values.wording import NO_WORDING
from auricle.vocabularies import source
from auricle.vocabularies.content import Content
from auricle.vocabularies.source import VocabularySource
from auricle.vocabularies.stored import StoredVocabulary, Vocabularies

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

ALICE = ClientId("alice")
PLAIN = Options()
LONG_S = 60.0
"""Not longer: a machine that was started less than this ago would read nothing."""


class Stored(Vocabularies):
    """The stored vocabularies, with the number of reads; they may fail."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.reads = 0
        self.is_away = False
        self.during_read: Callable[[], None] = lambda: None

    def find(self, owner: ClientId, name: str) -> StoredVocabulary | None:
        self.reads += 1
        if self.is_away:
            raise LedgerUnavailable("away", 1)
        found = super().find(owner, name)
        self.during_read()
        return found

    def put(self, name: str, *terms: str, is_default: bool = False) -> None:
        stored = StoredVocabulary(name, Content.of(terms), is_default, 1.8e9)
        self.change(ALICE, name, lambda before: stored)


@pytest.fixture
def stored(database: Database) -> Stored:
    return Stored(database)


async def expected(vocabularies: VocabularySource, name: str = "") -> tuple[str, ...]:
    return (await vocabularies.find(ALICE, name))(PLAIN).hotwords


async def test_a_request_gets_what_its_key_has(stored: Stored) -> None:
    stored.put("names", "Zyntrix")
    stored.put("all", "Anna", is_default=True)
    vocabularies = VocabularySource(stored)
    assert await expected(vocabularies, "names") == ("Zyntrix",)
    assert await expected(vocabularies) == ("Anna",)
    assert (await vocabularies.find(None, ""))(PLAIN) == NO_WORDING
    for owner, name in (
        (ALICE, "none"),
        (ALICE, "a\0b"),
        (ClientId("bob"), "names"),
        (None, "names"),
    ):
        with pytest.raises(NotFound, match="PUT /v1/vocabularies"):
            await vocabularies.find(owner, name)


async def test_a_change_is_used_once_it_is_known_or_after_a_while(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    vocabularies = VocabularySource(stored)
    monkeypatch.setattr(source, "FRESH_S", LONG_S)
    assert await expected(vocabularies) == await expected(vocabularies) == ()
    assert stored.reads == 1
    stored.put("names", "Zyntrix", is_default=True)
    assert await expected(vocabularies) == ()
    vocabularies.forget(ALICE)
    assert await expected(vocabularies) == ("Zyntrix",)
    stored.put("names", "Anna", is_default=True)
    monkeypatch.setattr(source, "FRESH_S", 0.0)
    assert await expected(vocabularies) == ("Anna",)


async def test_without_a_database_the_last_state_is_used(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    vocabularies = VocabularySource(stored)
    monkeypatch.setattr(source, "FRESH_S", 0.0)
    stored.put("names", "Zyntrix")
    assert await expected(vocabularies, "names") == ("Zyntrix",)
    stored.is_away = True
    assert await expected(vocabularies, "names") == ("Zyntrix",)
    assert await expected(vocabularies) == ()
    with pytest.raises(LedgerUnavailable, match="vocabulary"):
        await expected(vocabularies, "other")


async def test_what_is_in_memory_is_limited(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    vocabularies = VocabularySource(stored)
    monkeypatch.setattr(source, "FRESH_S", LONG_S)
    monkeypatch.setattr(source, "MAX_REMEMBERED_CHARACTERS", 1300)
    for name in ("a", "b", "c"):
        stored.put(name, f"{name}1", f"{name}2")
        await expected(vocabularies, name)
    reads = stored.reads
    await expected(vocabularies, "c")
    assert stored.reads == reads
    await expected(vocabularies, "a")
    assert stored.reads == reads + 1


async def test_a_read_that_began_before_a_change_is_not_remembered(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    vocabularies = VocabularySource(stored)
    monkeypatch.setattr(source, "FRESH_S", LONG_S)

    def change_meanwhile() -> None:
        stored.during_read = lambda: None
        stored.put("names", "Zyntrix", is_default=True)
        vocabularies.forget(ALICE)

    stored.during_read = change_meanwhile
    await expected(vocabularies)
    assert await expected(vocabularies) == ("Zyntrix",)


async def test_a_database_that_is_away_is_asked_once_in_a_while(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    vocabularies = VocabularySource(stored)
    monkeypatch.setattr(source, "FRESH_S", LONG_S)
    stored.is_away = True
    assert await expected(vocabularies) == await expected(vocabularies) == ()
    assert stored.reads == 1


async def test_unknown_names_are_not_remembered(stored: Stored) -> None:
    vocabularies = VocabularySource(stored)
    for _ in range(2):
        with pytest.raises(NotFound):
            await vocabularies.find(ALICE, "none")
    assert stored.reads == 2
