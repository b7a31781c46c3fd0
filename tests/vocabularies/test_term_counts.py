"""Counting the terms of vocabularies in live finals."""

from pathlib import Path
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from auricle.config.sections.ledger import LedgerSettings
from auricle.values.events import Final
from auricle.values.types import ClientId
from auricle.vocabularies import term_counts
from auricle.vocabularies.term_counts import TermCounts, TermIndex
from tests.support.service import Live, live
from tests.support.stream import call
from tests.support.transcriber import heard

ALICE, BOB = ClientId("alice"), ClientId("bob")


@pytest.fixture
def counts() -> TermCounts:
    return TermCounts()


def count(counts: TermCounts, *terms: str, owner: ClientId = ALICE, name: str = "names") -> None:
    counts.count(owner, name, TermIndex(terms))


def hotwords(service: Live) -> list[str]:
    return list(service.transcriber.jobs[-1].options.hotwords)


def found(counts: TermCounts, owner: ClientId = ALICE, name: str = "names") -> dict[str, int]:
    return {each.term: each.count for each in counts.recent(owner, name)}


@pytest.mark.unit
@pytest.mark.parametrize(
    ("term", "text", "times"),
    [
        ("Zyntrix", "zyntrix and ZYNTRIX's", 2),
        ("Ann", "Anna, Ann-Marie and Joann", 1),
        ("Rolls-Royce", "a Rolls Royce.", 1),
        ("Digique Plus", "digique, plus", 1),
        ("Digique Plus", "digique", 0),
        ("C++", "C or c++?", 1),
        ("Łódź", "in ŁÓDŹ", 1),
        ("Łódź", "in Ło\u0301dz\u0301", 1),
        ("李雷", "我是李雷的朋友。", 1),
        ("山田", "山田さん", 1),
        ("지민", "지민이가", 1),
        ("สมชาย", "ผมชื่อสมชายครับ", 1),
        ("हिन्दी", "यह हिन्दी है", 1),
        ("★", "★", 0),
    ],
)
def test_a_term_is_found_as_a_whole(counts: TermCounts, term: str, text: str, times: int) -> None:
    count(counts, term)
    counts.note(ALICE, text)
    assert found(counts) == ({term: times} if times else {})


@pytest.mark.unit
def test_the_latest_terms_are_first(counts: TermCounts) -> None:
    count(counts, "one", "two", "three")
    for text in ("one", "two", "one two"):
        counts.note(ALICE, text)
    counts.note(ALICE, "one")
    latest, before = counts.recent(ALICE, "names")
    assert (latest.term, latest.count, before.term, before.count) == ("one", 3, "two", 2)
    assert latest.last_at > before.last_at > 1.7e9


@pytest.mark.unit
def test_each_key_counts_its_own(counts: TermCounts) -> None:
    count(counts, "Zyntrix")
    count(counts, "Zyntrix", name="others")
    count(counts, "Zyntrix", owner=BOB)
    counts.note(ALICE, "Zyntrix")
    counts.note(ClientId("carol"), "Zyntrix")
    assert found(counts) == found(counts, name="others") == {"Zyntrix": 1}
    assert found(counts, BOB) == found(counts, ClientId("carol")) == {}


@pytest.mark.unit
def test_a_change_keeps_the_counts_of_the_terms_that_stay(counts: TermCounts) -> None:
    count(counts, "one", "two")
    counts.note(ALICE, "one two")
    count(counts, "one", "three")
    counts.note(ALICE, "one two three")
    assert found(counts) == {"one": 2, "three": 1}
    counts.forget(ALICE, "names")
    count(counts, "one")
    assert found(counts) == {}


@pytest.mark.unit
def test_what_is_counted_is_limited(counts: TermCounts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(term_counts, "MAX_COUNTED_TERMS", 4)
    monkeypatch.setattr(term_counts, "MAX_COUNTED_VOCABULARIES", 2)
    count(counts, "one", "two", owner=BOB)
    for name in ("a", "b", "c"):
        count(counts, "one", name=name)
        counts.note(ALICE, "one")
    assert [found(counts, name=name) for name in ("a", "b", "c")] == [{}, {"one": 2}, {"one": 1}]
    counts.note(BOB, "one")
    count(counts, "one", "two", name="d")
    counts.note(BOB, "one")
    assert found(counts, BOB) == {}
    counts.note(ALICE, "two" + " " * term_counts.MAX_TEXT_CHARACTERS + "one")
    assert found(counts, name="d") == {"two": 1}
    count(counts, " ".join("abcdefghi"), name="e")
    counts.note(ALICE, " ".join("abcdefghi"))
    assert found(counts, name="e") == {}


@pytest.mark.unit
def test_a_session_is_followed_only_if_its_key_has_vocabularies(counts: TermCounts) -> None:
    final = Final(1, 1, "Zyntrix", 0, 16_000, "en", None, 0.0, revised=False)
    follower = counts.open("s", ALICE, "native")
    follower.publish(final)
    count(counts, "Zyntrix")
    follower.publish(final)
    counts.open("s", None, "native").publish(final)
    assert found(counts) == {}
    counts.open("s", ALICE, "native").publish(final)
    assert found(counts) == {"Zyntrix": 1}


@pytest.mark.server
async def test_terms_of_live_finals_are_returned_and_expected_first(tmp_path: Path) -> None:
    ledger = LedgerSettings(state_dir=tmp_path / "state")
    fields = {"terms": ["Anna", "Digique Plus", "Zyntrix"], "default": True}
    async with (
        live(tmp_path / "spool", ledger=ledger) as service,
        httpx2.AsyncClient(timeout=60) as http,
    ):
        url = f"http://127.0.0.1:{service.port}/v1/vocabularies/names"

        async def put() -> Any:
            return (await http.put(url, json=fields)).json()["recent_terms"]

        assert await put() == []
        text = "We call Digique Plus Zyntrix, and Zyntrix."
        service.transcriber.answer_with = lambda job: heard(text, job)
        with capture_logs() as logs:
            async with call(service.port, format="pcm16") as client:
                await client.caption(text)
        assert hotwords(service) == fields["terms"]
        recent = (await http.get(url)).json()["recent_terms"]
        assert [(each["term"], each["count"]) for each in recent] == [
            ("Zyntrix", 2),
            ("Digique Plus", 1),
        ]
        assert "Zyntrix" not in repr(logs)
        await http.patch(url, json={"add": ["Ørsted"]})
        async with call(service.port, format="pcm16") as client:
            await client.caption(text)
        assert hotwords(service) == ["Zyntrix", "Digique Plus", "Anna", "Ørsted"]
        await http.delete(url)
        assert await put() == []
