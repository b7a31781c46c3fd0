"""The outputs of a session: events for the client, and jobs to submit or to cancel."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from auricle.session.context import NO_CONTEXT, DecodingContext
from auricle.values.errors import AuricleError
from auricle.values.events import Final, SessionEvent
from auricle.values.types import (
    EmbedJob,
    Job,
    JobId,
    Options,
    Pcm16,
    SpeakerEmbeddings,
    Transcript,
    TurnJob,
)

SessionJob = Job | EmbedJob | TurnJob
AnyJob = TypeVar("AnyJob", bound=SessionJob, covariant=True)
JobResult = Transcript | SpeakerEmbeddings | float | AuricleError
"""The result of a job: in the order of :data:`SessionJob`, or why there is none."""


@dataclass(frozen=True, slots=True)
class Submit(Generic[AnyJob]):
    """Submit the job to the workers of its kind; pass its result to ``job_done``."""

    job: AnyJob


@dataclass(frozen=True, slots=True)
class Prepare:
    """Prepare the workers of a kind of jobs; the first one follows in a pause."""

    kind: type[EmbedJob | TurnJob]


@dataclass(frozen=True, slots=True)
class Revised:
    """Finals that were emitted before and have other speakers now, for storage.

    Unlike ``SpeakerRevision``, it is emitted without a connection, too.
    """

    finals: tuple[Final, ...]


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel the job of a recogniser; its result is no longer needed."""

    job_id: JobId


@dataclass(frozen=True, slots=True, eq=False)  # an ndarray has no useful ==
class UnfinishedAudio:
    """Audio of an utterance without a final.

    Attributes:
        utterance: The number of the utterance.
        start_sample: Position of the utterance in the session.
        samples: Its length so far, or its whole length if it has ended.
        pcm: The part that was not written yet, at the end of it.
        options: The options of its final.
        is_doubtful: Whether it may be a breath or a cough.
        context: Preceding speech that it is decoded together with.
        channel: Its channel; ``None`` if channels are not transcribed apart.
    """

    utterance: int
    start_sample: int
    samples: int
    pcm: Pcm16
    options: Options
    is_doubtful: bool
    context: DecodingContext = NO_CONTEXT
    channel: int | None = None


Output = SessionEvent | Submit[SessionJob] | Cancel | Prepare | Revised
