"""The voices of keys that are removed, and of those that may not know any."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import LogCapture

from auricle.apis.transcripts.stored.transcripts import KeptSegment, KeptTranscript, Transcripts
from auricle.ledger.databases.sqlite import SqliteDatabase
from auricle.server.access.key_file import add_key, remove_key
from auricle.values.optional_workers import OptionalWorkers
from auricle.values.speakers import VoicePrint
from auricle.values.types import ClientId
from auricle.voices.bodies import new_voice
from auricle.voices.http_api import API
from auricle.voices.labelling import NamedSpeakers
from auricle.voices.stored import EnrolledVoices
from auricle.workers.kinds.speakers.local import LocalSpeakers
from tests.support.embedder import FakeEmbedder
from tests.support.made_up_voices import voice
from tests.support.poll import poll_until
from tests.support.service import Live, live
from tests.support.transcripts import kept_in

pytestmark = pytest.mark.server

ALICE, BEN = ClientId("alice"), ClientId("ben")


def store(folder: Path) -> None:
    """Create two keys with a voice each."""
    for name in (ALICE, BEN):
        add_key(folder / "keys", name)
    database = SqliteDatabase.open(folder / "state")
    for owner in (ALICE, BEN):
        voices = [new_voice("Ann", VoicePrint("model", voice(1), 20.0), 1.8e9)]
        EnrolledVoices(database).add(owner, voices)
    database.close()


@asynccontextmanager
async def serving(
    folder: Path, known_voices: tuple[str, ...] = ("*",)
) -> AsyncIterator[tuple[Live, EnrolledVoices]]:
    workers = OptionalWorkers(speakers=LocalSpeakers(FakeEmbedder(), "model"))
    settings = kept_in(folder, known_voices=known_voices, keys_file=folder / "keys")
    async with live(folder, workers=workers, **settings) as service:
        yield service, EnrolledVoices(service.state.storage.database)


async def test_the_voices_of_a_removed_key_are_deleted(tmp_path: Path) -> None:
    store(tmp_path)
    remove_key(tmp_path / "keys", ALICE)
    async with serving(tmp_path) as (_, stored):
        await poll_until(lambda: stored.owners() == {BEN})


async def test_a_key_that_is_only_missing_in_its_file_keeps_its_voices(tmp_path: Path) -> None:
    store(tmp_path)
    lines = (tmp_path / "keys").read_text().splitlines(keepends=True)
    (tmp_path / "keys").write_text("".join(each for each in lines if not each.startswith(ALICE)))
    remove_key(tmp_path / "keys", BEN)
    async with serving(tmp_path) as (_, stored):
        await poll_until(lambda: stored.owners() == {ALICE})


@pytest.mark.parametrize(
    ("known_voices", "unused"),
    [((), 2), (("alcie", "ben"), 1)],
    ids=["it is switched off", "a name is misspelt"],
)
async def test_a_setting_deletes_no_voices(
    tmp_path: Path, logged: LogCapture, known_voices: tuple[str, ...], unused: int
) -> None:
    store(tmp_path)
    async with serving(tmp_path, known_voices) as (_, stored):
        await poll_until(lambda: "known_voices_unused" in str(logged.entries))
        assert stored.owners() == {ALICE, BEN}
    (entry,) = [each for each in logged.entries if each["event"] == "known_voices_unused"]
    assert entry["keys"] == unused


async def test_recent_voices_expire_after_it_is_switched_off(tmp_path: Path) -> None:
    add_key(tmp_path / "keys", ALICE)
    database = SqliteDatabase.open(tmp_path / "state")
    transcript = KeptTranscript("t", ALICE, "native", "en", 1.7e9, 1.7e9 + 9)
    Transcripts(database).add(transcript, [KeptSegment(1, 0, 1, "So.", 0)])
    print = VoicePrint("model", voice(1), 20.0)
    EnrolledVoices(database).keep_recent(ALICE, "t", {0: print}, 1.7e9)
    database.close()
    async with serving(tmp_path, ()) as (_, stored):
        await poll_until(lambda: not stored.owners())


async def test_a_server_without_the_setting_has_plain_speakers(tmp_path: Path) -> None:
    (extend,) = API.recognition
    workers = OptionalWorkers(speakers=LocalSpeakers(FakeEmbedder(), "model"))
    for known_voices, is_named in (((), False), (("*",), True)):
        async with live(tmp_path, workers=workers, known_voices=known_voices) as service:
            assert isinstance(service.state.workers.speakers, NamedSpeakers) == is_named
            assert service.state.recognition.speakers is service.state.workers.speakers
    assert extend is not None
