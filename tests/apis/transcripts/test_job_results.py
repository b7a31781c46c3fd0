"""Results of jobs are kept as transcripts, in the transaction that ends the job."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from auricle.apis.transcripts.stored.transcripts import KeptSegment, KeptTranscript
from auricle.apis.transcripts.stored.words import KeptWord
from auricle.ledger.jobs.job import JobState
from auricle.values.types import ANONYMOUS, Segment, Word
from tests.support.jobs import PARAMS, accept, ended, running
from tests.support.service import CLIP, WAV, FakeService, keys, live, poll_until
from tests.support.transcriber import heard
from tests.support.transcripts import kept_in, transcripts_of

pytestmark = pytest.mark.server

TWO = Segment(1600, 6400, " Two", words=(Word(1600, 6400, " Two", 0.9),))


def kept(service: FakeService, uid: str) -> tuple[KeptTranscript, list[KeptSegment]] | None:
    transcripts = transcripts_of(service)
    found = transcripts.find(ANONYMOUS, uid)
    return None if found is None else (found[0], list(found[1]))


async def test_the_result_is_kept_with_its_times(tmp_path: Path) -> None:
    async with running(tmp_path, keep_transcripts=True) as service:
        service.transcriber.answer_with = lambda job: heard(
            "Two words.", job, segments=(TWO, Segment(8000, 9600, " ", ()))
        )
        await accept(service, options=replace(PARAMS.options, word_timestamps=True))
        job = await ended(service)
        found = kept(service, job.spec.uid)
    assert job.state is JobState.DONE
    assert found is not None
    transcript, segments = found
    assert (transcript.source, transcript.language) == ("job", "en")
    assert transcript.ended_at - transcript.started_at == pytest.approx(1.0, abs=0.01)
    assert segments == [KeptSegment(1, 100, 400, "Two", words=(KeptWord(100, 400, " Two"),))]


@pytest.mark.parametrize("keeps", [True, False])
async def test_nothing_is_kept_without_text_or_without_the_setting(
    tmp_path: Path, keeps: bool
) -> None:
    async with running(tmp_path, keep_transcripts=keeps) as service:
        if keeps:
            service.transcriber.answer_with = lambda job: heard("", job, segments=())
        await accept(service)
        await ended(service)
        database = service.state.storage.ledger._database
        assert database.read(lambda t: t.execute("SELECT count(*) FROM transcripts")) == [(0,)]


async def test_the_result_is_found_by_its_words_and_only_by_its_key(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        **kept_in(tmp_path),
        "api_keys": keys("alice:alice-key", "bob:bob-key"),
    }
    alice, bob = ({"authorization": f"Bearer {name}-key"} for name in ("alice", "bob"))
    search = {"q": "hello", "source": "job"}
    async with (
        live(tmp_path, **settings) as service,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{service.port}") as client,
    ):
        url, audio = "/utterance?wait=0&job_id=a", CLIP.path.read_bytes()
        response = await client.post(url, content=audio, headers=WAV | alice)
        assert response.status_code == 202
        database = service.state.storage.ledger._database
        await poll_until(lambda: database.read(lambda t: t.execute("SELECT 1 FROM transcripts")))
        own = (await client.get("/v1/transcripts", params=search, headers=alice)).json()
        others = (await client.get("/v1/transcripts", params=search, headers=bob)).json()
        job = (await client.get("/jobs/a", headers=alice)).json()
    assert own["matches"][0]["transcript"]["id"] == job["transcript_id"]
    assert others["matches"] == []
