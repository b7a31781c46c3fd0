"""SIGKILL at every statement and commit: a voice and its names in transcripts stay the same."""

import os
from collections.abc import Callable, Iterator

import pytest

from auricle.apis.transcripts.stored.transcripts import Transcripts
from auricle.voices.errors import VoiceExists
from auricle.voices.stored import EnrolledVoices
from tests.support.ledger import open_at
from tests.support.lives import lives_of
from tests.support.voices_life import add, changes_of, owner_of

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked"),
]

MAX_CHECKPOINTS = 100

Live = Callable[[int, str], list[str]]


@pytest.fixture
def live() -> Iterator[Live]:
    """Return a function that runs a life up to a checkpoint and returns what it printed."""
    with lives_of("tests.support.voices_life") as run:
        yield run


def test_a_kill_at_any_statement_leaves_a_voice_and_its_names_whole(
    live: Live, location: str
) -> None:
    end, outcomes = "", set[str]()
    for checkpoint in range(1, MAX_CHECKPOINTS):
        *steps, end = live(checkpoint, location)
        recover(location, checkpoint, steps)
        outcomes |= set(steps)
        if end == "end 0":
            break
        assert end == "end killed"
    assert end == "end 0"
    assert checkpoint > 15
    assert outcomes == {"added", "kept", "renamed", "deleted"}


def recover(location: str, checkpoint: int, steps: list[str]) -> None:
    """Check what is left, and repeat the request that was not answered."""
    owner = owner_of(checkpoint)
    database = open_at(location)
    stored, changes = EnrolledVoices(database), changes_of(database)

    def names() -> tuple[list[str], list[str]]:
        found = Transcripts(database).find(owner, f"t-{owner}")
        kept = [] if found is None else list(found[0].known_names.values())
        return [each.name for each in stored.all_of(owner)], kept

    voices, kept = names()
    if "added" in steps:
        assert "kept" not in steps or voices == kept
    else:
        try:
            add(database, owner, f"again-{checkpoint}")
        except VoiceExists:
            assert voices == ["Ann"]
        else:
            assert voices == []
    if "renamed" in steps:
        assert voices in (["Anna"], [])
    if "deleted" in steps:
        assert (voices, kept) == ([], [])
    for each in stored.all_of(owner):
        assert changes.delete(owner, each.uid, lambda *_: None) is not None
    assert names() == ([], [])
    database.close()
