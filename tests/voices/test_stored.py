"""Stored voices in both databases."""

import time
from functools import partial

import numpy as np
import pytest

from auricle.apis.transcripts.stored.transcripts import (
    KeptSegment,
    KeptTranscript,
    Transcripts,
    rename_known,
)
from auricle.ledger.databases.database import Database
from auricle.ledger.voices import DatabaseVoices
from auricle.values.speakers import VoicePrint
from auricle.values.types import ClientId
from auricle.values.voice_keeper import StoredVoices
from auricle.voices.errors import TooManyVoices, VoiceExists
from auricle.voices.stored import MAX_VOICES, EnrolledVoice, EnrolledVoices
from tests.support.made_up_voices import voice

KEY, OTHER = ClientId("key"), ClientId("other")
NOW = 1.8e9
ANN, BOB = VoicePrint("model", voice(1), 20.5), VoicePrint("model", voice(2), 12.0)


@pytest.fixture
def stored(database: Database) -> EnrolledVoices:
    return EnrolledVoices(database)


def enrolled(uid: str, name: str, voice: VoicePrint = ANN) -> EnrolledVoice:
    return EnrolledVoice(uid, name, voice, NOW)


def names(stored: EnrolledVoices, owner: ClientId = KEY) -> list[str]:
    return [each.name for each in stored.all_of(owner)]


def keep(database: Database, uid: str) -> None:
    transcript = KeptTranscript(uid, KEY, "native", "en", NOW, NOW + 9)
    Transcripts(database).add(transcript, [KeptSegment(1, 0, 1, "So.", 0)])


def test_voices_are_stored_as_they_are(stored: EnrolledVoices) -> None:
    stored.add(KEY, [enrolled("1", "Ann"), enrolled("2", "王小明", BOB)])
    first, second = stored.all_of(KEY)
    assert (first.uid, first.name, first.created_at) == ("1", "Ann", NOW)
    assert (first.voice.model, first.voice.speech_s) == ("model", 20.5)
    assert first.voice.vector.tolist() == ANN.vector.tolist()
    assert second.name == "王小明"
    assert not stored.all_of(OTHER)


def test_an_addition_can_be_repeated_and_is_all_or_nothing(stored: EnrolledVoices) -> None:
    for _ in range(2):
        stored.add(KEY, [enrolled("1", "Ann")])
    with pytest.raises(VoiceExists):
        stored.add(KEY, [enrolled("2", "Bob"), enrolled("3", "Ann")])
    assert names(stored) == ["Ann"]
    stored.add(OTHER, [enrolled("4", "Ann")])
    with pytest.raises(TooManyVoices):
        stored.add(KEY, [enrolled(f"v{n}", f"{n}") for n in range(MAX_VOICES)])
    assert names(stored) == ["Ann"]


def test_each_change_has_another_version(stored: EnrolledVoices) -> None:
    versions = [stored.version(KEY)]
    stored.add(KEY, [enrolled("1", "Ann")])
    versions.append(stored.version(KEY))
    assert stored.rename(KEY, "1", "Anna", time.time() + 1) == "Ann"
    versions.append(stored.version(KEY))
    assert stored.delete(KEY, "1") == "Anna"
    versions.append(stored.version(KEY))
    assert len(set(map(str, versions[:3]))) == 3
    assert versions[3] == versions[0]


def test_a_rename_is_a_change_beside_a_voice_from_the_future(stored: EnrolledVoices) -> None:
    future = 2 * NOW
    stored.add(KEY, [EnrolledVoice("1", "Ann", ANN, future), enrolled("2", "Bob", BOB)])
    before = stored.version(KEY)
    stored.rename(KEY, "2", "Bo", time.time() + 1)
    assert stored.version(KEY) != before
    assert stored.all_of(KEY)[0].created_at == future


def test_only_the_owner_changes_a_voice(stored: EnrolledVoices) -> None:
    stored.add(KEY, [enrolled("1", "Ann"), enrolled("2", "Bob", BOB)])
    assert stored.rename(OTHER, "1", "Mine", NOW) is None
    assert stored.delete(OTHER, "1") is None
    assert stored.rename(KEY, "3", "Mine", NOW) is None
    with pytest.raises(VoiceExists):
        stored.rename(KEY, "1", "Bob", NOW)
    assert names(stored) == ["Ann", "Bob"]


def test_recent_voices_belong_to_a_kept_transcript(
    stored: EnrolledVoices, database: Database
) -> None:
    assert not stored.keep_recent(KEY, "t", {0: ANN}, NOW + 9)
    keep(database, "t")
    assert not stored.keep_recent(OTHER, "t", {0: ANN}, NOW + 9)
    for _ in range(2):
        assert stored.keep_recent(KEY, "t", {0: ANN, 1: BOB}, NOW + 9)
    found = stored.recent(KEY, "t", 1, NOW)
    assert found is not None
    assert found.vector.tolist() == BOB.vector.tolist()
    assert stored.recent(OTHER, "t", 1, NOW) is None
    assert stored.recent(KEY, "t", 2, NOW) is None
    assert stored.recent(KEY, "t", 1, NOW + 9) is None
    stored.expire(NOW + 8)
    assert stored.recent(KEY, "t", 1, NOW) is not None
    Transcripts(database).delete(KEY, "t")
    assert stored.recent(KEY, "t", 1, NOW) is None


def test_a_deletion_takes_recent_voices_like_it(stored: EnrolledVoices, database: Database) -> None:
    keep(database, "t")
    stored.keep_recent(KEY, "t", {0: ANN, 1: BOB}, NOW + 9)
    stored.add(KEY, [enrolled("1", "Ann")])
    stored.delete(KEY, "1")
    assert stored.recent(KEY, "t", 0, NOW) is None
    assert stored.recent(KEY, "t", 1, NOW) is not None


def test_a_voice_of_another_size_is_deleted(stored: EnrolledVoices, database: Database) -> None:
    keep(database, "t")
    stored.keep_recent(KEY, "t", {0: ANN}, NOW + 9)
    small = VoicePrint("model", np.array([1, 0], np.float32), 20)
    stored.add(KEY, [enrolled("1", "Ann", small)])
    assert stored.delete(KEY, "1") == "Ann"
    assert stored.recent(KEY, "t", 0, NOW) is not None


def test_all_of_an_owner_is_forgotten(stored: EnrolledVoices, database: Database) -> None:
    keep(database, "t")
    stored.keep_recent(KEY, "t", {0: ANN, 1: BOB}, NOW + 9)
    stored.add(KEY, [enrolled("1", "Ann")])
    stored.add(OTHER, [enrolled("2", "Ann")])
    assert stored.owners() == {KEY, OTHER}
    for owner in (KEY, OTHER):
        DatabaseVoices(database, "gateway").write([], [StoredVoices(owner, owner, b"1")], NOW)
    assert stored.forget(KEY) == 4
    assert stored.forget(KEY) == 0
    assert stored.owners() == {OTHER}


def test_names_by_voices_are_changed_in_all_transcripts_of_an_owner(database: Database) -> None:
    transcripts = Transcripts(database)
    for uid in ("a", "b"):
        keep(database, uid)
        transcripts.name_known(KEY, uid, {0: "Ann", 1: "Bob"})
    before = transcripts.version(KEY, "a")
    for owner, name, new in ((KEY, "Ann", "Anna"), (OTHER, "Bob", "Mine"), (KEY, "Bob", None)):
        transcripts.write(partial(rename_known, owner=owner, name=name, new=new))
    assert transcripts.version(KEY, "a") != before
    for uid in ("a", "b"):
        found = transcripts.find(KEY, uid)
        assert found is not None
        assert found[0].known_names == {0: "Anna"}
    transcripts.name_known(KEY, "a", {0: None, 2: "Cem"})
    found = transcripts.find(KEY, "a")
    assert found is not None
    assert found[0].known_names == {2: "Cem"}
