"""The life of one voice, in a process that ends itself at a given checkpoint.

``python -m tests.support.voices_life`` reads lines ``CHECKPOINT LOCATION``, see
:mod:`tests.support.lives`. Each life is of a key of its own, and prints a line after each step that
a caller has an answer to.
"""

import os
import signal

from auricle.apis.transcripts.keeper import TranscriptKeeper
from auricle.apis.transcripts.stored.transcripts import KeptSegment, KeptTranscript, Transcripts
from auricle.ledger.databases.database import Database
from auricle.values.speakers import VoicePrint
from auricle.values.types import ClientId
from auricle.voices.changes import VoiceChanges
from auricle.voices.stored import EnrolledVoice, EnrolledVoices
from tests.support.ledger import open_at
from tests.support.lives import run_lives
from tests.support.made_up_voices import voice

NOW = 1.8e9


def owner_of(checkpoint: int) -> ClientId:
    """Return the key of a life."""
    return ClientId(f"key-{checkpoint}")


def changes_of(database: Database) -> VoiceChanges:
    """Return what changes voices and kept transcripts."""
    return VoiceChanges(EnrolledVoices(database), [TranscriptKeeper(Transcripts(database), 1e9)])


def add(database: Database, owner: ClientId, uid: str) -> None:
    """Store the voice ``Ann``."""
    print = VoicePrint("model", voice(1), 20)
    EnrolledVoices(database).add(owner, [EnrolledVoice(uid, "Ann", print, NOW)])


def live(checkpoint: int, location: str) -> None:
    """Store, rename and delete a voice; SIGKILL at the checkpoint with this number."""
    passed = 0

    def pass_checkpoint(name: str) -> None:
        nonlocal passed
        passed += name.startswith("known voices")
        if passed == checkpoint:
            os.kill(os.getpid(), signal.SIGKILL)

    database, owner = open_at(location, pass_checkpoint), owner_of(checkpoint)
    changes, uid = changes_of(database), f"uid-{checkpoint}"
    add(database, owner, uid)
    print("added", flush=True)
    kept = KeptTranscript(f"t-{owner}", owner, "job", "en", NOW, NOW, known_names={0: "Ann"})
    Transcripts(database).add(kept, [KeptSegment(1, 0, 900, "Hello.", 0)])
    print("kept", flush=True)
    changes.rename(owner, uid, "Anna")
    print("renamed", flush=True)
    changes.delete(owner, uid, lambda *_: None)
    print("deleted", flush=True)
    database.close()


if __name__ == "__main__":
    run_lives(live)
