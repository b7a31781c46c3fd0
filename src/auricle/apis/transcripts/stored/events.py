"""The event that a transcript is kept.

The event of a live session is queued with its finals, and waits for further ones: each replaces the
one before, as long as that was not sent.
"""

from dataclasses import dataclass
from typing import TypedDict

import msgspec

from auricle.apis.transcripts.stored.transcripts import KeptTranscript, subject_of
from auricle.ledger.databases.database import Transaction
from auricle.ledger.events import Event, hasten, queue, queue_newer
from auricle.ledger.jobs.events import KEPT

QUIET_S = 60.0
"""Silence after which the transcript of a live session is reported, in seconds."""


class TranscriptSummary(TypedDict):
    """A transcript without its segments."""

    id: str
    source: str
    language: str
    started_at: float
    ended_at: float


def transcript_summary(transcript: KeptTranscript) -> TranscriptSummary:
    """Return a transcript as JSON has it; times are Unix seconds."""
    return {
        "id": transcript.uid,
        "source": transcript.source,
        "language": transcript.language,
        "started_at": round(transcript.started_at, 3),
        "ended_at": round(transcript.ended_at, 3),
    }


@dataclass(frozen=True, slots=True)
class TranscriptEvents:
    """Reports kept transcripts to one receiver; ``now`` is Unix time in seconds.

    Attributes:
        url: The receiver; empty: there is none.
    """

    url: str = ""

    def grew(
        self, transaction: Transaction, transcript: KeptTranscript, position: int, now: float
    ) -> None:
        """Queue the event of a transcript that may grow further.

        Args:
            transaction: The transaction that stores the segments.
            transcript: The transcript.
            position: The position of its last segment.
            now: Unix time.
        """
        if self.url:
            event = _event(transcript, str(position))
            queue_newer(transaction, event, self.url, now, QUIET_S)

    def ended(self, transaction: Transaction, uid: str, now: float) -> None:
        """Make the event of a transcript due that does not grow any more."""
        hasten(transaction, KEPT, subject_of(uid), now)

    def kept(
        self, transaction: Transaction, transcript: KeptTranscript, receiver: str, now: float
    ) -> None:
        """Queue the event of a transcript that is stored whole.

        Args:
            transaction: The transaction that stores it.
            transcript: The transcript.
            receiver: Distinguishes the event from that of another receiver.
            now: Unix time.
        """
        if self.url:
            queue(transaction, _event(transcript, receiver), self.url, now)


NO_RECEIVER = TranscriptEvents()


def _event(transcript: KeptTranscript, suffix: str) -> Event:
    data = msgspec.json.encode(transcript_summary(transcript))
    id = f"{transcript.uid}.kept.{suffix}"
    return Event(id, KEPT, subject_of(transcript.uid), transcript.owner, data)
