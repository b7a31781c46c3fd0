"""Changes of voices in both databases, and of the names that they gave."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import anyio
import msgspec
import pytest

from auricle.apis.transcripts.keeper import TranscriptKeeper
from auricle.apis.transcripts.stored.transcripts import KeptSegment, KeptTranscript, Transcripts
from auricle.ledger.databases.database import Database
from auricle.ledger.jobs.job import JobState, Outcome
from auricle.ledger.jobs.lease import Claim
from auricle.ledger.jobs.quota import Quota
from auricle.ledger.jobs.store import Ledger
from auricle.text.formats.native_json import transcript_body
from auricle.values.errors import LedgerUnavailable
from auricle.values.speakers import VoicePrint
from auricle.values.types import ClientId, Segment, Speaker, Transcript
from auricle.voices import changes as module
from auricle.voices.changes import VoiceChanges, renamed_result
from auricle.voices.errors import VoiceExists
from auricle.voices.stored import MAX_RESULTS, EnrolledVoice, EnrolledVoices
from tests.support.ledger import POISONED, a_spec
from tests.support.made_up_voices import voice
from tests.support.poll import poll_until

KEY, OTHER = ClientId("key"), ClientId("other")
NOW = 1.8e9
QUOTA = Quota(1000, 1000, 10**9)


@pytest.fixture
def stored(database: Database) -> EnrolledVoices:
    return EnrolledVoices(database)


@pytest.fixture
def transcripts(database: Database) -> Transcripts:
    return Transcripts(database)


@pytest.fixture
def changes(stored: EnrolledVoices, transcripts: Transcripts) -> VoiceChanges:
    return VoiceChanges(stored, [TranscriptKeeper(transcripts, 1e9)])


def enrol(stored: EnrolledVoices, *names: str) -> None:
    """Store voices whose ids are their names."""
    new = [
        EnrolledVoice(name, name, VoicePrint("model", voice(n), 20), NOW)
        for n, name in enumerate(names)
    ]
    stored.add(KEY, new)


def keep(transcripts: Transcripts, uid: str, *names: str, owner: ClientId = KEY) -> None:
    known = dict(enumerate(names))
    kept = KeptTranscript(uid, owner, "job", "en", NOW, NOW + 9, known_names=known)
    transcripts.add(kept, [KeptSegment(1, 0, 1, "So.", 0)])


def names_in(transcripts: Transcripts, uid: str, owner: ClientId = KEY) -> list[str]:
    found = transcripts.find(owner, uid)
    assert found is not None
    return list(found[0].known_names.values())


def result(*names: str | None) -> bytes:
    speakers = [{"speaker": number, "name": name} for number, name in enumerate(names)]
    return msgspec.json.encode({"text": "So.", "speakers": speakers})


def finish_job(database: Database, id: str, result: bytes, owner: str = "key") -> None:
    ledger = Ledger(database, "gateway", POISONED)
    ledger.accept(a_spec(id, owner), QUOTA, NOW)
    job = ledger.lease(NOW)
    assert job is not None
    claim = Claim(job.number, job.fence)
    ledger.finish(claim, Outcome(JobState.DONE, 1e9, result=result), NOW)


def results(database: Database, owner: str = "key") -> list[bytes]:
    statement = "SELECT result FROM jobs WHERE owner = ? ORDER BY number"
    return [bytes(each) for (each,) in database.read(lambda t: t.execute(statement, owner))]


def test_a_name_is_changed_in_all_results_of_an_owner(
    changes: VoiceChanges, stored: EnrolledVoices, database: Database
) -> None:
    enrol(stored, "Ann", "Bob")
    for number in range(MAX_RESULTS + 1):
        finish_job(database, f"{number}", result("Ann", "Bob"))
    finish_job(database, "x", result("Ann"), "other")
    assert changes.rename(KEY, "Ann", "Anna") == "Ann"
    assert set(results(database)) == {result("Anna", "Bob")}
    assert changes.delete(KEY, "Bob", lambda *_: None) == "Bob"
    assert results(database) == [result("Anna", None)] * (MAX_RESULTS + 1)
    assert results(database, "other") == [result("Ann")]
    assert changes.delete(OTHER, "Ann", lambda *_: None) is None


def test_two_voices_renamed_at_once_get_no_name_in_common(
    changes: VoiceChanges, stored: EnrolledVoices, transcripts: Transcripts
) -> None:
    names = [f"voice {number}" for number in range(6)]
    enrol(stored, *names)
    keep(transcripts, "t", *names)

    def rename(name: str) -> bool:
        try:
            return changes.rename(KEY, name, "Ann") is not None
        except VoiceExists:
            return False

    def add(uid: str) -> bool:
        print = VoicePrint("model", voice(1), 20)
        try:
            stored.add(KEY, [EnrolledVoice(uid, "Ann", print, NOW)])
        except VoiceExists:
            return False
        return True

    tasks: list[Callable[[], bool]] = [partial(rename, name) for name in names]
    tasks += [partial(add, f"new {number}") for number in range(6)]
    with ThreadPoolExecutor(12) as threads:
        succeeded = list(threads.map(lambda task: task(), tasks))
    assert sum(succeeded) == 1
    assert sorted(each.name for each in stored.all_of(KEY)).count("Ann") == 1
    kept = names_in(transcripts, "t")
    assert kept.count("Ann") == sum(succeeded[:6])
    assert len(set(kept)) == 6


def test_a_voice_renamed_to_its_name_stays(changes: VoiceChanges, stored: EnrolledVoices) -> None:
    enrol(stored, "Ann")
    version = stored.version(KEY)
    assert changes.rename(KEY, "Ann", "Ann") == "Ann"
    assert stored.version(KEY) == version


@pytest.mark.anyio
async def test_a_name_that_was_stored_meanwhile_goes_a_little_later(
    changes: VoiceChanges,
    stored: EnrolledVoices,
    transcripts: Transcripts,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.0)
    monkeypatch.setattr(module, "CHECK_S", 0.01)
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    enrol(stored, "Ann", "Bob", "Cem")
    for uid in ("Ann", "Bob", "Cem"):
        changes.delete(KEY, uid, lambda *_: None)
    enrol(stored, "Bob")
    keep(transcripts, "t", "Ann", "Bob", "Cem")
    finish_job(database, "1", result("Ann", "Bob", "Cem"))
    failures = [LedgerUnavailable("away", 1), ValueError("bug")]
    change = stored.all_of

    def fail_first(owner: ClientId) -> list[EnrolledVoice]:
        if failures:
            raise failures.pop(0)
        return change(owner)

    monkeypatch.setattr(stored, "all_of", fail_first)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(changes.run)
        await poll_until(lambda: names_in(transcripts, "t") == ["Ann", "Bob"])
        tasks.cancel_scope.cancel()
    assert results(database) == [result("Ann", "Bob", None)]  # the bug took one of them


NAMES = ("Ann", 'Anna "von" \\Ö', "王小明")


@pytest.mark.parametrize("name", NAMES)
def test_only_names_of_speakers_are_changed_in_a_result(name: str) -> None:
    said = f'"speaker":0,"name":"{name}"}} {name}'
    segment = Segment(0, 16_000, said, speaker=0)
    speakers = (Speaker(0, name), Speaker(1), Speaker(2, name + "a"))
    transcript = Transcript(said, "en", 1.0, 16_000, (segment,), speakers=speakers)
    body = msgspec.json.encode(transcript_body("1", "2", transcript, (), (), model="m"))
    for new in ("Anna", None):
        changed = msgspec.json.decode(renamed_result(body, name, new))
        expected = msgspec.json.decode(body)
        expected["speakers"][0]["name"] = new
        assert changed == expected
