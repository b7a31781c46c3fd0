"""The life of one job, in a process that ends itself at a given checkpoint.

``python -m tests.support.ledger_life`` reads lines ``CHECKPOINT LOCATION AUDIO UPLOAD``, see
:mod:`tests.support.lives`. A life prints a line after each step that a caller or a successor may
rely on.
"""

import os
import signal
from pathlib import Path

from auricle.apis.transcripts.stored.events import TranscriptEvents
from auricle.apis.transcripts.stored.transcripts import (
    KeptSegment,
    KeptTranscript,
    store_transcript,
)
from auricle.ledger.databases.database import Transaction
from auricle.ledger.jobs.job import JobState, Outcome
from auricle.ledger.jobs.lease import claim_of
from auricle.ledger.jobs.quota import Quota
from auricle.ledger.jobs.store import Ledger
from auricle.webhooks.events import StoredEvents
from tests.support.ledger import a_spec, open_at, open_audio_at
from tests.support.lives import run_lives

NOW = 1.8e9
URL = "https://receiver.example"
QUOTA = Quota(max_jobs=10, max_ended_jobs=1000, max_audio_bytes=10**6)
DONE = Outcome(JobState.DONE, keep_s=60, result=b'{"by": "first"}')
POISONED = Outcome(JobState.FAILED, keep_s=60)


def keep_transcript(transaction: Transaction) -> None:
    """Keep the result of the job, and report it."""
    spec = a_spec()
    kept = KeptTranscript(spec.uid, spec.owner, "job", "en", NOW, NOW)
    stored = store_transcript(transaction, kept, [KeptSegment(1, 0, 900, "Hello.")])
    TranscriptEvents(URL).kept(transaction, stored, "operator", NOW)


def live(checkpoint: int, location: str, audio_path: str, upload: str) -> None:
    """Accept, work and deliver; SIGKILL at the checkpoint with this number.

    With PostgreSQL or a bucket, where a life takes 0.1 to 0.3 s of processor time, statements are
    no checkpoints: nothing that another process sees changes before a commit.
    """
    passed, has_files_only = 0, Path(location).is_absolute() and Path(audio_path).is_absolute()

    def pass_checkpoint(name: str) -> None:
        nonlocal passed
        passed += has_files_only or not name.endswith(": statement")
        if passed == checkpoint:
            os.kill(os.getpid(), signal.SIGKILL)

    database = open_at(location, pass_checkpoint)
    audio = open_audio_at(audio_path, pass_checkpoint)
    ledger, events = Ledger(database, "first", POISONED), StoredEvents(database)

    name = audio.put(Path(upload))
    pass_checkpoint("audio: after put")
    spec = a_spec(audio=name, callback_url=URL)
    ledger.accept(spec, QUOTA, NOW)
    print("accepted", flush=True)
    job = ledger.lease(NOW)
    assert job is not None
    claim = claim_of(job)
    ledger.renew(claim, NOW, 0.1, "")
    ledger.add_chunk(claim, "0", b"zero", NOW)
    print("chunk", flush=True)
    ledger.finish(claim, DONE, NOW, keep_transcript)
    print("done", flush=True)
    audio.delete(spec.audio)
    pass_checkpoint("audio: after delete")
    while (due := events.next_delivery(NOW)) is not None:
        print("sent", flush=True)
        events.end_attempt(due, 200, NOW)
    print("delivered", flush=True)
    database.close()


if __name__ == "__main__":
    run_lives(live)
