"""Kept transcripts in a new state directory: ``python speech.py DIRECTORY``.

It imports nothing but Auricle, so that the version that is attacked can run it.
"""

import sys
from pathlib import Path

from auricle.apis.transcripts.stored.transcripts import KeptSegment, KeptTranscript, Transcripts
from auricle.apis.transcripts.stored.words import KeptWord
from auricle.config.sections.ledger import LedgerSettings
from auricle.ledger.location import open_database
from auricle.values.types import ClientId

WORDS = ("the", "train", "leaves", "at", "half", "past", "seven,", "and", "we", "should", "wait")
SEGMENT_MS = 4000
STARTED_AT = 1.8e9
TRANSCRIPTS = (("hour", "attacker", 1), ("day", "attacker", 35), ("short", "other", 0.05))
"""Id, owner and duration in hours."""


def main() -> None:
    """Write the transcripts: eleven words every four seconds, three speakers."""
    database = open_database(LedgerSettings(state_dir=Path(sys.argv[1])))
    transcripts = Transcripts(database)
    for uid, owner, hours in TRANSCRIPTS:
        end_s = hours * 3600
        transcript = KeptTranscript(
            uid, ClientId(owner), "job", "en", STARTED_AT, STARTED_AT + end_s
        )
        transcripts.add(transcript, [_segment(at) for at in range(int(end_s * 1000 / SEGMENT_MS))])
    database.close()


def _segment(position: int) -> KeptSegment:
    at_ms, step_ms = position * SEGMENT_MS, SEGMENT_MS // len(WORDS)
    words = tuple(
        KeptWord(at_ms + index * step_ms, at_ms + index * step_ms + 300, f" {word}")
        for index, word in enumerate(WORDS)
    )
    text, speaker = " ".join(WORDS), position // 5 % 3
    return KeptSegment(position, at_ms, at_ms + SEGMENT_MS - 200, text, speaker, words)


if __name__ == "__main__":
    main()
