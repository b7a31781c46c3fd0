"""What turns audio into text, for everything in the server that has audio."""

from dataclasses import dataclass

from auricle.engines.models import Models
from auricle.files.fair_semaphore import FairSemaphore
from auricle.values.speakers import Speakers
from auricle.values.transcriber import Decoder, Transcriber
from auricle.values.wording import NO_WORDINGS, Wordings


@dataclass(frozen=True, slots=True)
class Recognition:
    """The transcriber, its models, and how much of it files may use.

    Attributes:
        transcriber: Runs the jobs.
        decoder: Reads audio files.
        models: The transcriber's models.
        speakers: Distinguishes speakers.
        chunk_slots: Chunks of files that are transcribed at the same time.
        batch_jobs: Number of jobs that fill a batch of a worker.
        has_remote_recognisers: Whether recognisers on other machines run the jobs.
        wordings: What is known of the speech of all keys.
    """

    transcriber: Transcriber
    decoder: Decoder
    models: Models
    speakers: Speakers
    chunk_slots: FairSemaphore
    batch_jobs: int
    has_remote_recognisers: bool
    wordings: Wordings = NO_WORDINGS
