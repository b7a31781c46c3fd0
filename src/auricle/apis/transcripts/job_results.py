"""Results of background jobs as kept transcripts."""

from typing import Literal, TypedDict

from auricle.apis.transcripts.settings import TranscriptsSettings
from auricle.apis.transcripts.stored.events import TranscriptEvents, TranscriptSummary
from auricle.apis.transcripts.stored.transcripts import (
    KeptSegment,
    KeptTranscript,
    store_transcript,
)
from auricle.apis.transcripts.stored.words import kept_words
from auricle.config.section import variable
from auricle.config.settings import Settings
from auricle.ledger.databases.database import Transaction, TransactionStep
from auricle.ledger.jobs.events import KEPT
from auricle.ledger.jobs.job import JobSpec
from auricle.server.result_keepers import ResultKeeper
from auricle.server.uploads.params import Callback
from auricle.values.types import SAMPLE_RATE_HZ, SAMPLES_PER_MS, Transcript

SOURCE = "job"


class TranscriptKept(TypedDict):
    """The body of the webhook for a transcript that is kept."""

    type: Literal["transcript.kept"]
    event_id: str
    timestamp: str
    data: TranscriptSummary


def result_keeper(settings: Settings) -> ResultKeeper:
    """Return what keeps the results of jobs, if the settings request it."""
    own = settings.section(TranscriptsSettings)
    operators = TranscriptEvents(own.transcript_webhook_url or "")

    def step(
        spec: JobSpec, transcript: Transcript, callback: Callback | None, ended_at: float
    ) -> TransactionStep:
        return _keeping(spec, transcript, callback, ended_at, operators)

    return ResultKeeper(own.keep_transcripts, variable("keep_transcripts"), TranscriptKept, step)


def _keeping(
    spec: JobSpec,
    transcript: Transcript,
    callback: Callback | None,
    ended_at: float,
    operators: TranscriptEvents,
) -> TransactionStep:
    """Return what stores a result in the transaction that ends its job; nothing without text.

    Args:
        spec: The job.
        transcript: Its result.
        callback: Gets the event that it is kept, if it requests that.
        ended_at: End of the job, in Unix seconds; when the audio was recorded is unknown.
        operators: Report it to the operator.
    """
    receivers = {"operator": operators}
    if callback is not None and KEPT in callback.events:
        receivers["callback"] = TranscriptEvents(callback.url)
    kept = KeptTranscript(
        uid=spec.uid,
        owner=spec.owner,
        source=SOURCE,
        language=transcript.language or "",
        started_at=ended_at - transcript.duration_samples / SAMPLE_RATE_HZ,
        ended_at=ended_at,
        known_names={each.number: each.name for each in transcript.speakers if each.name},
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
