"""Kept transcripts in both databases."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from auricle.apis.transcripts.stored.parts import ParagraphChange
from auricle.apis.transcripts.stored.transcripts import (
    MAX_EXPIRED,
    MAX_QUERY_WORDS,
    NOTHING_KEPT,
    READ_AT_ONCE,
    Filter,
    KeptEnd,
    KeptSegment,
    KeptTranscript,
    Match,
    Transcripts,
    _scope,
    store_transcript,
)
from auricle.apis.transcripts.stored.words import KeptWord
from auricle.ledger.databases.database import Database, Transaction
from auricle.ledger.databases.schema import SQLITE_MIGRATIONS
from auricle.ledger.databases.sqlite import SqliteDatabase
from auricle.ledger.jobs.job import JobState, Outcome
from auricle.ledger.jobs.lease import LEASE_S, MAX_SKEW_S, Claim, claim_of
from auricle.ledger.jobs.quota import Quota
from auricle.ledger.jobs.store import Ledger
from auricle.values.errors import BadRequest, LeaseLost
from auricle.values.types import ClientId, GiveWay, do_nothing
from tests.support.ledger import a_spec

KEY = ClientId("key")
OTHER = ClientId("other")
NOW = 1.8e9


@pytest.fixture
def transcripts(database: Database) -> Transcripts:
    return Transcripts(database)


def a_transcript(
    uid: str = "session",
    owner: ClientId = KEY,
    *,
    source: str = "native",
    language: str = "en",
    started_at: float = NOW,
    ended_at: float | None = None,
) -> KeptTranscript:
    return KeptTranscript(uid, owner, source, language, started_at, ended_at or started_at + 10)


def segments(*texts: str, start: int = 0) -> list[KeptSegment]:
    return [
        KeptSegment(n, n * 1000, n * 1000 + 900, text) for n, text in enumerate(texts, start=start)
    ]


def found_in(
    transcripts: Transcripts, uid: str, give_way: GiveWay = do_nothing
) -> tuple[KeptTranscript, list[KeptSegment]] | None:
    found = transcripts.find(KEY, uid, give_way)
    return None if found is None else (found[0], list(found[1]))


def texts(matches: list[Match]) -> list[str]:
    return [match.segment.text for match in matches]


def test_a_transcript_grows_and_is_read_in_order(transcripts: Transcripts) -> None:
    transcripts.add(a_transcript(ended_at=NOW + 1), segments("one"))
    transcripts.add(a_transcript(ended_at=NOW + 2), segments("two", start=1))

    assert found_in(transcripts, "session") == (
        a_transcript(ended_at=NOW + 2),
        segments("one", "two"),
    )


def test_words_are_read_with_a_transcript_and_left_out_of_a_search(
    transcripts: Transcripts,
) -> None:
    words = (KeptWord(0, 400, "two"), KeptWord(400, 900, " words"))
    said = [replace(*segments("two words"), words=words), *segments("none", start=1)]
    transcripts.add(a_transcript(), said)

    assert found_in(transcripts, "session") == (a_transcript(), said)
    (match,) = transcripts.search(KEY, "words")
    assert match.segment == replace(said[0], words=())


def test_segments_that_are_added_again_are_stored_once(transcripts: Transcripts) -> None:
    transcripts.add(a_transcript(), segments("one", "two"))
    transcripts.add(a_transcript(), segments("one", "two"))
    found = found_in(transcripts, "session")

    assert found is not None
    assert found[1] == segments("one", "two")
    assert texts(transcripts.search(KEY, "one")) == ["one"]


def test_the_end_of_a_transcript_is_known_by_speaker(transcripts: Transcripts) -> None:
    said = segments("one", "two", "three", start=1)
    transcripts.add(a_transcript(), [replace(said[0], speaker=4), *said[1:]])
    assert transcripts.end(KEY, "session") == KeptEnd(3, {4: 1900, None: 3900})
    assert transcripts.end(OTHER, "session") == NOTHING_KEPT


def test_a_search_finds_segments_with_all_words_newest_first(transcripts: Transcripts) -> None:
    transcripts.add(a_transcript("1"), segments("The weather is fine.", "Fine, thanks."))
    transcripts.add(a_transcript("2"), segments("FINE weather, isn't it?"))
    matches = transcripts.search(KEY, "weather fine")

    assert texts(matches) == ["FINE weather, isn't it?", "The weather is fine."]
    assert [match.transcript.uid for match in matches] == ["2", "1"]


def test_a_search_continues_after_a_page(transcripts: Transcripts) -> None:
    transcripts.add(a_transcript(), segments(*(f"word {n}" for n in range(5))))
    page = transcripts.search(KEY, "word", limit=3)

    assert texts(page) == ["word 4", "word 3", "word 2"]
    assert texts(transcripts.search(KEY, "word", before=page[-1].number)) == ["word 1", "word 0"]


@pytest.mark.parametrize(
    "words",
    [
        *("", "   ", "!!!", '"', "\0", "'"),
        *('fine" OR "other', "text : other", "scope:x", "NOT", "fine AND (", "a*", "-fine"),
        *("fine & | ! <->", "%s", "?", "word " * MAX_QUERY_WORDS),
    ],
)
def test_a_query_is_words_and_no_syntax(transcripts: Transcripts, words: str) -> None:
    transcripts.add(a_transcript("1", OTHER), segments("other fine"))
    transcripts.add(a_transcript("2"), segments("something else"))

    assert transcripts.search(KEY, words) == []


def test_a_query_of_too_many_words_is_refused(transcripts: Transcripts) -> None:
    transcripts.add(a_transcript(), segments("word"))

    assert len(transcripts.search(KEY, "word " * MAX_QUERY_WORDS)) == 1
    with pytest.raises(BadRequest):
        transcripts.search(KEY, "word " * MAX_QUERY_WORDS + "missing")


def test_an_owner_finds_and_deletes_nothing_of_another(transcripts: Transcripts) -> None:
    transcripts.add(a_transcript("1", OTHER), segments("secret"))

    assert transcripts.search(KEY, "secret") == []
    assert transcripts.find(KEY, "1") is None
    assert transcripts.page(KEY) == []
    assert transcripts.delete(KEY, "1") is False
    assert texts(transcripts.search(OTHER, "secret")) == ["secret"]


def test_an_id_with_nul_is_unknown(transcripts: Transcripts) -> None:
    assert transcripts.find(KEY, "\0") is None
    assert transcripts.delete(KEY, "\0") is False


def test_transcripts_are_filtered_by_language_source_and_time(transcripts: Transcripts) -> None:
    transcripts.add(a_transcript("1", language="de"), segments("word"))
    transcripts.add(a_transcript("2", source="job"), segments("word"))
    transcripts.add(a_transcript("3", started_at=NOW + 100), segments("word"))
    filters = {
        Filter(): ["3", "2", "1"],
        Filter(language="de"): ["1"],
        Filter(source="job"): ["2"],
        Filter(since=NOW + 50): ["3"],
        Filter(until=NOW + 50): ["2", "1"],
        Filter(language="de", since=NOW + 50): [],
    }
    for filter, uids in filters.items():
        assert [transcript.uid for _, transcript in transcripts.page(KEY, filter)] == uids
        assert [m.transcript.uid for m in transcripts.search(KEY, "word", filter)] == uids


def test_segments_in_several_languages_are_found_in_that_of_their_transcript(
    transcripts: Transcripts,
) -> None:
    for position, language in enumerate(("", "en", "de")):
        transcripts.add(a_transcript(language=language), segments("word", start=position))

    assert len(transcripts.search(KEY, "word", Filter(language="en", source="native"))) == 3
    assert transcripts.search(KEY, "word", Filter(language="de")) == []


def test_a_page_of_transcripts_continues(transcripts: Transcripts) -> None:
    for uid in ("1", "2", "3"):
        transcripts.add(a_transcript(uid), [])
    ((number, first),) = transcripts.page(KEY, limit=1)

    assert first.uid == "3"
    assert [t.uid for _, t in transcripts.page(KEY, before=number)] == ["2", "1"]


def test_a_deleted_transcript_is_not_found_by_search(transcripts: Transcripts) -> None:
    transcripts.add(a_transcript(), segments("word"))

    assert transcripts.delete(KEY, "session") is True
    assert transcripts.find(KEY, "session") is None
    assert transcripts.search(KEY, "word") == []


def test_old_transcripts_expire_in_bounded_steps(transcripts: Transcripts) -> None:
    for number in range(MAX_EXPIRED + 1):
        transcripts.add(a_transcript(f"old-{number}"), segments("word"))
    transcripts.add(a_transcript("new", started_at=NOW + 1000), segments("word"))

    assert transcripts.expire(NOW + 1000) == MAX_EXPIRED
    assert transcripts.expire(NOW + 1000) == 1
    assert transcripts.expire(NOW + 1000) == 0
    assert [m.transcript.uid for m in transcripts.search(KEY, "word")] == ["new"]


def test_text_of_any_kind_is_stored(transcripts: Transcripts) -> None:
    text = "naïve “quotes” 中文 \0 ? %s ' \" 🎙"
    transcripts.add(a_transcript(), segments(text))
    found = transcripts.find(KEY, "session")

    assert found is not None
    assert found[1][0].text == text.replace("\0", "")
    assert len(transcripts.search(KEY, "naïve")) == 1


def lease(ledger: Ledger, now: float) -> Claim:
    job = ledger.lease(now)
    assert job is not None
    return claim_of(job)


def test_the_transcript_of_a_job_is_stored_with_its_end_or_not_at_all(
    transcripts: Transcripts, database: Database
) -> None:
    done = Outcome(JobState.DONE, keep_s=60, text="words")
    first, second = (Ledger(database, f"gateway-{number}", done) for number in (1, 2))
    kept, words = a_transcript(source="job"), segments("words")

    def store(transaction: Transaction) -> None:
        store_transcript(transaction, kept, words)

    def store_half(transaction: Transaction) -> None:
        store(transaction)
        raise RuntimeError

    first.accept(a_spec("job-1", "key"), Quota(10, 10, 10**9), NOW)
    late = lease(first, NOW)
    claim = lease(second, NOW + LEASE_S + MAX_SKEW_S + 1)
    with pytest.raises(LeaseLost):
        first.finish(late, done, NOW, store)
    with pytest.raises(RuntimeError):
        second.finish(claim, done, NOW, store_half)
    assert transcripts.find(KEY, kept.uid) is None
    job = first.find(KEY, "job-1")
    assert job is not None
    assert job.state is JobState.RUNNING

    for _ in range(2):  # repeated after a lost connection
        second.finish(claim, done, NOW, store)
    assert found_in(transcripts, kept.uid) == (kept, words)


def test_a_filter_finds_segments_of_transcripts_that_grow_side_by_side(
    transcripts: Transcripts,
) -> None:
    old = a_transcript("old", started_at=NOW - 100)
    new, foreign = a_transcript("new"), a_transcript("foreign", OTHER, language="de")
    for position in range(3):
        for each in (old, new, foreign):
            transcripts.add(each, segments(f"word {each.uid}", start=position))
            transcripts.add(each, segments(f"word {each.uid}", start=position))  # repeated

    def found(filter: Filter, before: int | None = None) -> list[str]:
        matches = transcripts.search(KEY, "word", filter, before=before)
        return [match.segment.text for match in matches]

    assert found(Filter(until=NOW - 50)) == ["word old"] * 3
    assert found(Filter(since=NOW - 50)) == ["word new"] * 3
    assert found(Filter(since=NOW - 200, until=NOW)) == ["word new", "word old"] * 3
    assert found(Filter(language="de")) == []
    newest, second, *_ = transcripts.search(KEY, "word", Filter(until=NOW - 50))
    assert found(Filter(until=NOW - 50), before=newest.number) == ["word old"] * 2
    assert found(Filter(until=NOW - 50), before=second.number) == ["word old"]
    assert found(Filter(until=NOW - 50), before=1) == []


def test_segments_of_an_earlier_version_are_found_with_a_filter(tmp_path: Path) -> None:
    before = SqliteDatabase.open(tmp_path, migrations=SQLITE_MIGRATIONS[:4])
    before.write(
        "fill",
        lambda transaction: [
            transaction.execute(statement)
            for statement in (
                "INSERT INTO transcripts (number, uid, owner, source, language, started_at, "
                f"ended_at) VALUES (7, 'old', 'key', 'native', 'en', {NOW}, {NOW})",
                "INSERT INTO segments (transcript_number, position, start_ms, end_ms, scope, text) "
                f"VALUES (7, 1, 0, 1000, '{_scope(KEY)}', 'word')",
            )
        ],
    )
    before.close()
    database = SqliteDatabase.open(tmp_path)
    (match,) = Transcripts(database).search(KEY, "word", Filter(language="en"))
    assert match.transcript.uid == "old"
    found = found_in(Transcripts(database), "old")
    assert found is not None
    assert found[1] == [KeptSegment(1, 0, 1000, "word")]
    database.close()


def speakers_of(transcripts: Transcripts) -> tuple[list[int | None], Mapping[int, str]]:
    found = transcripts.find(KEY, "session")
    assert found is not None
    return [segment.speaker for segment in found[1]], found[0].speaker_names


def test_names_and_merges_of_speakers_stay_when_the_transcript_grows(
    transcripts: Transcripts,
) -> None:
    said = [replace(each, speaker=n % 3) for n, each in enumerate(segments("a", "b", "c"))]
    transcripts.add(a_transcript(), said)
    assert transcripts.rename_speaker(KEY, "session", 1, "Ann")
    assert transcripts.rename_speaker(KEY, "session", 2, "Bob")
    assert transcripts.merge_speakers(KEY, "session", 2, 1)
    transcripts.add(a_transcript(), [replace(each, speaker=0) for each in segments("d", start=3)])
    assert speakers_of(transcripts) == ([0, 1, 1, 0], {1: "Ann"})
    assert transcripts.merge_speakers(KEY, "session", 1, 0)
    assert speakers_of(transcripts) == ([0, 0, 0, 0], {0: "Ann"})
    assert transcripts.rename_speaker(KEY, "session", 0, "")
    assert speakers_of(transcripts)[1] == {}


def test_only_the_owner_changes_speakers_that_exist(transcripts: Transcripts) -> None:
    transcripts.add(a_transcript(), [replace(segments("a")[0], speaker=0)])
    assert not transcripts.rename_speaker(OTHER, "session", 0, "x")
    assert not transcripts.rename_speaker(KEY, "session", 1, "x")
    assert not transcripts.rename_speaker(KEY, "session\0", 0, "x")
    assert not transcripts.merge_speakers(KEY, "session", 0, 1)
    transcripts.relabel(OTHER, "session", {0: 5})
    assert speakers_of(transcripts) == ([0], {})


def test_segments_get_other_speakers_by_position(transcripts: Transcripts) -> None:
    transcripts.add(a_transcript(), [replace(each, speaker=0) for each in segments("a", "b", "c")])
    transcripts.relabel(KEY, "session", {1: 1, 2: None, 9: 1})
    assert speakers_of(transcripts)[0] == [0, 1, None]


@pytest.mark.parametrize("length", [0, READ_AT_ONCE - 1, READ_AT_ONCE, 2 * READ_AT_ONCE + 1])
def test_a_long_transcript_is_read_in_parts(transcripts: Transcripts, length: int) -> None:
    said = segments(*[f"word {number}" for number in range(length)])
    transcripts.add(a_transcript(), said)
    parts: list[None] = []

    assert found_in(transcripts, "session", lambda: parts.append(None)) == (a_transcript(), said)
    assert len(parts) == length // READ_AT_ONCE + 1


def test_a_transcript_is_read_without_its_words(transcripts: Transcripts) -> None:
    said = [replace(each, words=(KeptWord(0, 900, each.text),)) for each in segments("a", "b")]
    transcripts.add(a_transcript(), said)
    found = transcripts.find(KEY, "session", with_words=False)
    assert found is not None
    assert list(found[1]) == segments("a", "b")
    assert list(found[1][1:]) == segments("a", "b")[1:]


def test_a_transcript_that_is_deleted_while_it_is_read_is_not_cut(transcripts: Transcripts) -> None:
    transcripts.add(a_transcript(), segments(*["word"] * (READ_AT_ONCE + 1)))

    def delete() -> None:
        transcripts.delete(KEY, "session")

    assert transcripts.find(KEY, "session", delete) is None


def test_each_change_of_a_transcript_changes_its_version(transcripts: Transcripts) -> None:
    said = [replace(each, speaker=n) for n, each in enumerate(segments("a", "b", "c"))]
    assert transcripts.version(KEY, "session") is None
    assert transcripts.version(KEY, "\0") is None
    versions = []
    transcripts.add(a_transcript(), said)
    for change in (
        lambda: None,
        lambda: transcripts.add(a_transcript(), segments("d", start=3)),
        lambda: transcripts.rename_speaker(KEY, "session", 0, "Ann"),
        lambda: transcripts.merge_speakers(KEY, "session", 1, 0),
        lambda: transcripts.relabel(KEY, "session", {3: 2}),
    ):
        change()
        versions.append(transcripts.version(KEY, "session"))
    transcripts.delete(KEY, "session")
    assert transcripts.version(KEY, "session") is None
    transcripts.add(a_transcript(), said)
    versions.append(transcripts.version(KEY, "session"))
    assert len(set(versions)) == 6
    assert None not in versions
    assert transcripts.version(OTHER, "session") is None


def test_words_get_another_speaker_and_start_a_paragraph(transcripts: Transcripts) -> None:
    said = [replace(each, speaker=0) for each in segments("Is it late? No.", "Then", "start.")]
    words = tuple(
        KeptWord(at, at + 200, text)
        for at, text in [(0, "Is"), (200, " it"), (400, " late?"), (700, " No.")]
    )
    transcripts.add(a_transcript(), [replace(said[0], words=words), *said[1:]])
    before = transcripts.version(KEY, "session")
    answer = ParagraphChange(600, 1500, 0, 1, True)
    assert transcripts.change_paragraphs(KEY, "session", [answer])
    assert not transcripts.change_paragraphs(KEY, "session", [answer])  # it is done
    assert transcripts.version(KEY, "session") != before
    transcripts.add(a_transcript(), segments("Now.", start=3))
    found = transcripts.find(KEY, "session")
    assert found is not None
    assert [(each.position, each.text, each.speaker) for each in found[1]] == [
        (0, "Is it late?", 0),
        (0, "No.", 1),
        (1, "Then", 1),
        (2, "start.", 0),
        (3, "Now.", None),
    ]
    assert [each.starts_paragraph for each in found[1]] == [None, True, None, None, None]
    assert found[1][0].words + found[1][1].words == words
    (match,) = transcripts.search(KEY, "then")
    assert match.segment.speaker == 1


def test_changed_words_stay_with_their_speaker_unless_that_is_merged(
    transcripts: Transcripts,
) -> None:
    transcripts.add(a_transcript(), [replace(each, speaker=0) for each in segments("a b", "c")])
    assert transcripts.change_paragraphs(KEY, "session", [ParagraphChange(400, 800, 0, 3, None)])
    transcripts.relabel(KEY, "session", {0: 1, 1: 1})
    assert speakers_of(transcripts)[0] == [0, 3, 1]
    assert [match.segment.speaker for match in transcripts.search(KEY, "a")] == [0]
    assert transcripts.rename_speaker(KEY, "session", 3, "Ann")
    assert transcripts.merge_speakers(KEY, "session", 3, 1)
    assert speakers_of(transcripts) == ([0, 1, 1], {1: "Ann"})


def test_only_the_owner_changes_paragraphs_that_exist(transcripts: Transcripts) -> None:
    transcripts.add(a_transcript(), [replace(segments("a")[0], speaker=0)])
    change = ParagraphChange(0, 900, 0, 1, None)
    for owner, uid, changes in (
        (OTHER, "session", [change]),
        (KEY, "other", [change]),
        (KEY, "session\0", [change]),
        (KEY, "session", []),
        (KEY, "session", [replace(change, from_speaker=2)]),
        (KEY, "session", [replace(change, start_ms=800)]),
    ):
        assert not transcripts.change_paragraphs(owner, uid, changes)
    assert speakers_of(transcripts)[0] == [0]
