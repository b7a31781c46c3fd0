"""One suite for both databases: when a kept transcript is reported."""

import json
from collections.abc import Callable

import pytest

from auricle.apis.transcripts.stored.events import NO_RECEIVER, QUIET_S, TranscriptEvents
from auricle.apis.transcripts.stored.transcripts import KeptSegment, KeptTranscript, Transcripts
from auricle.ledger.databases.database import Database, Transaction
from auricle.ledger.jobs.events import KEPT
from auricle.values.types import ClientId
from auricle.webhooks.events import StoredEvents
from auricle.webhooks.outbox import Delivery

KEY = ClientId("key")
NOW = 1.8e9
REPORTS = TranscriptEvents("https://receiver.example/hook")
HELLO = KeptSegment(1, 100, 900, "Hello.")


@pytest.fixture
def transcripts(database: Database) -> Transcripts:
    return Transcripts(database)


@pytest.fixture
def due(database: Database) -> Callable[[float], Delivery | None]:
    return StoredEvents(database).next_delivery


def a_transcript(language: str = "en", ended_at: float = NOW) -> KeptTranscript:
    return KeptTranscript("session", KEY, "native", language, NOW - 10, ended_at)


def grow(
    transcripts: Transcripts, position: int, now: float, reports: TranscriptEvents = REPORTS
) -> None:
    """Keep a final; only the first one has a language."""
    transcripts.add(
        a_transcript("en" if position == 1 else "", now),
        [KeptSegment(position, 100, 900, "Hello.")],
        lambda transaction, stored: reports.grew(transaction, stored, position, now),
    )


def test_a_transcript_is_reported_once_it_was_silent(
    transcripts: Transcripts, due: Callable[[float], Delivery | None]
) -> None:
    grow(transcripts, 1, NOW)
    grow(transcripts, 2, NOW + 30)
    assert due(NOW + QUIET_S) is None
    delivery = due(NOW + 30 + QUIET_S)

    assert delivery is not None
    assert (delivery.event.id, delivery.event.type) == ("session.kept.2", KEPT)
    assert json.loads(delivery.event.payload) == {
        "id": "session",
        "source": "native",
        "language": "en",
        "started_at": NOW - 10,
        "ended_at": NOW + 30,
    }
    assert due(NOW + 30 + QUIET_S) is None


def test_the_end_of_a_session_is_reported_at_once(
    transcripts: Transcripts, due: Callable[[float], Delivery | None]
) -> None:
    grow(transcripts, 1, NOW)
    transcripts.write(lambda t: REPORTS.ended(t, "session", NOW + 1))

    assert due(NOW + 1) is not None


def test_a_transcript_that_grows_after_its_report_is_reported_again(
    database: Database, transcripts: Transcripts, due: Callable[[float], Delivery | None]
) -> None:
    grow(transcripts, 1, NOW)
    first = due(NOW + QUIET_S)
    assert first is not None
    StoredEvents(database).end_attempt(first, 200, NOW + QUIET_S)
    grow(transcripts, 2, NOW + QUIET_S)
    grow(transcripts, 2, NOW + QUIET_S)  # repeated after a lost connection
    second = due(NOW + 2 * QUIET_S)

    assert second is not None
    assert [each.event.id for each in (first, second)] == ["session.kept.1", "session.kept.2"]


def test_a_whole_transcript_is_reported_to_each_receiver(
    transcripts: Transcripts, due: Callable[[float], Delivery | None]
) -> None:
    callback = TranscriptEvents("https://other.example/")

    def report(transaction: Transaction, stored: KeptTranscript) -> None:
        REPORTS.kept(transaction, stored, "operator", NOW)
        callback.kept(transaction, stored, "callback", NOW)

    for _ in range(2):  # transactions may be repeated
        transcripts.add(a_transcript(), [HELLO], report)
    receivers = {delivery.receiver for _ in range(2) if (delivery := due(NOW)) is not None}

    assert receivers == {"receiver.example", "other.example"}
    assert due(NOW) is None


def test_without_a_receiver_nothing_is_queued(
    transcripts: Transcripts, due: Callable[[float], Delivery | None]
) -> None:
    grow(transcripts, 1, NOW, NO_RECEIVER)
    transcripts.write(lambda t: NO_RECEIVER.ended(t, "session", NOW))
    transcripts.add(a_transcript(), [], lambda t, stored: NO_RECEIVER.kept(t, stored, "", NOW))

    assert due(NOW + QUIET_S) is None


@pytest.mark.parametrize("expires", [False, True])
def test_the_event_of_a_transcript_is_deleted_with_it(
    transcripts: Transcripts, due: Callable[[float], Delivery | None], expires: bool
) -> None:
    grow(transcripts, 1, NOW)
    if expires:
        assert transcripts.expire(NOW + 1) == 1
    else:
        assert transcripts.delete(KEY, "session")

    assert due(NOW + QUIET_S) is None
