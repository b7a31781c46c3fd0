"""What is stored for a key goes with the key."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest
from structlog.testing import LogCapture

from auricle.apis.readers.stored_feeds import FeedFinal, StoredFeed, StoredFeeds
from auricle.apis.transcripts.stored.transcripts import KeptSegment, KeptTranscript, Transcripts
from auricle.config.sections.ledger import LedgerSettings
from auricle.ledger.databases.sqlite import SqliteDatabase
from auricle.server.access.key_file import add_key, remove_key
from auricle.server.access.removed_keys import forget_removed
from auricle.values.errors import LedgerUnavailable
from auricle.values.types import ClientId
from tests.support.service import InProcess, in_process, keys, poll_until, speech_json

pytestmark = [pytest.mark.server, pytest.mark.anyio]

SECRET = "Zyntrixia"


@contextmanager
def serving(folder: Path) -> Iterator[Callable[[str], int]]:
    """Serve the keys of a file, and one of the settings; yield what counts vocabularies."""
    with in_process(
        folder,
        ledger=LedgerSettings(state_dir=folder / "state"),
        keys_file=folder / "keys",
        api_keys=keys("carl:carl-key"),
    ) as service:

        def count(key: str) -> int:
            headers = {"authorization": f"Bearer {key}"}
            service.client.put("/v1/vocabularies/a", json={"terms": [SECRET]}, headers=headers)
            job = speech_json(job_id="1", vocabulary="a", keep_audio_s=3600)
            service.client.post("/utterance?wait=0", json=job, headers=headers)
            anyio.run(poll_until, lambda: is_done(service, headers))
            return len(
                service.client.get("/v1/vocabularies", headers=headers).json()["vocabularies"]
            )

        yield count


def is_done(service: InProcess, headers: dict[str, str]) -> bool:
    return bool(service.client.get("/jobs/1", headers=headers).json()["state"] == "done")


def texts_on_disk(folder: Path) -> int:
    files = [path for path in (folder / "state").rglob("*") if path.is_file()]
    return sum(path.read_bytes().lower().count(SECRET.lower().encode()) for path in files)


def recordings_on_disk(folder: Path) -> int:
    return sum(path.is_file() for path in (folder / "state" / "audio").rglob("*"))


def test_a_removed_key_leaves_nothing_on_the_disk(tmp_path: Path, logged: LogCapture) -> None:
    anna, ben = (add_key(tmp_path / "keys", name) for name in ("anna", "ben"))
    database, now = SqliteDatabase.open(tmp_path / "state"), time.time()
    kept = KeptTranscript("t", ClientId("anna"), "native", "en", now - 9, now)
    Transcripts(database).add(kept, [KeptSegment(0, 0, 900, f"{SECRET} speaks.")])
    feed = StoredFeed("s", "a lost server", "anna", "native", "r", now, 0, 0, "[{},-1]", 0)
    final = FeedFinal("s", 1, SECRET.encode(), 1)
    StoredFeeds(database).write([feed, final], 1.0)
    database.close()
    with serving(tmp_path) as count:
        assert count(anna) == count(ben) == 1
    assert texts_on_disk(tmp_path) >= 5
    assert recordings_on_disk(tmp_path) == 2
    remove_key(tmp_path / "keys", "anna")
    remove_key(tmp_path / "keys", "ben")
    with serving(tmp_path):
        forgotten = {"anna", "ben"}
        anyio.run(
            poll_until,
            lambda: (
                {e["client"] for e in logged.entries if e["event"] == "key_forgotten"} == forgotten
            ),
        )
    assert texts_on_disk(tmp_path) == 0
    assert recordings_on_disk(tmp_path) == 0


def test_a_key_of_the_settings_keeps_its_data(tmp_path: Path) -> None:
    for name in ("carl", "anna"):
        add_key(tmp_path / "keys", name)
        remove_key(tmp_path / "keys", name)
    with serving(tmp_path) as count:
        assert count("carl-key") == 1
    with serving(tmp_path) as count:
        assert count("carl-key") == 1
    assert texts_on_disk(tmp_path) > 0


async def test_deletion_is_repeated_and_waits_for_the_database(
    tmp_path: Path, logged: LogCapture
) -> None:
    add_key(tmp_path / "keys", "anna")
    remove_key(tmp_path / "keys", "anna")
    results: list[int | Exception] = [LedgerUnavailable("away", 1), ValueError("bug"), 2, 0, 1]
    remaining = list(results)

    def forget(owner: ClientId) -> int:
        assert owner == "anna"
        result = remaining.pop(0) if remaining else 0
        if isinstance(result, Exception):
            raise result
        return result

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: forget_removed(tmp_path / "keys", forget, interval_s=0.001))
        await poll_until(lambda: not remaining and _deletions(logged)[-1:] == [1])
        tasks.cancel_scope.cancel()
    assert "key_not_forgotten" in {each["event"] for each in logged.entries}
    assert _deletions(logged) == [2, 1]


def _deletions(logged: LogCapture) -> list[int]:
    return [each["deleted"] for each in logged.entries if each["event"] == "key_forgotten"]
