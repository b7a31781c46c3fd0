"""Results of background jobs as kept transcripts."""

from collections.abc import Mapping

from auricle.ledger.databases.database import Transaction, TransactionStep
from auricle.ledger.job import JobSpec
from auricle.ledger.kept_words import kept_words
from auricle.ledger.transcript_events import TranscriptEvents
from auricle.ledger.transcripts import KeptSegment, KeptTranscript, store_transcript
from auricle.values.types import SAMPLE_RATE_HZ, SAMPLES_PER_MS, Transcript

SOURCE = "job"


def keeping(
    spec: JobSpec,
    transcript: Transcript,
    ended_at: float,
    receivers: Mapping[str, TranscriptEvents],
) -> TransactionStep:
    """Return what stores a result in the transaction that ends its job; nothing without text.

    Args:
        spec: The job.
        transcript: Its result.
        ended_at: End of the job, in Unix seconds; when the audio was recorded is unknown.
        receivers: Who gets the event that it is kept, by distinct names.
    """
    kept = KeptTranscript(
        uid=spec.uid,
        owner=spec.owner,
        source=SOURCE,
        language=transcript.language or "",
        started_at=ended_at - transcript.duration_samples / SAMPLE_RATE_HZ,
        ended_at=ended_at,
    )
    segments = [
        KeptSegment(
            position,
            segment.start_sample // SAMPLES_PER_MS,
            segment.end_sample // SAMPLES_PER_MS,
            text,
            segment.speaker,
            kept_words(segment.words),
        )
        for position, segment in enumerate(transcript.segments, 1)
        if (text := segment.text.strip())
    ]

    def store(transaction: Transaction) -> None:
        if segments:
            stored = store_transcript(transaction, kept, segments)
            for name, events in receivers.items():
                events.kept(transaction, stored, name, ended_at)

    return store
