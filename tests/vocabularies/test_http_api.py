"""Vocabularies in live sessions and jobs, until the end of these."""

from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from auricle.config.sections.ledger import LedgerSettings
from auricle.values.types import ANONYMOUS
from tests.support.poll import LIMIT_S
from tests.support.service import Live, live, poll_until, speech_json
from tests.support.stream import SPEECH, call, pcm
from tests.support.transcriber import heard

pytestmark = [pytest.mark.server, pytest.mark.anyio]

NAMES = {
    "terms": ["Zyntrix"],
    "replacements": [{"from": "hello", "to": "Hullo"}],
    "default": True,
}


async def send(service: Live, method: str, path: str, **fields: Any) -> httpx2.Response:
    async with httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{service.port}", timeout=LIMIT_S
    ) as client:
        return await client.request(method, path, **fields)


async def test_a_session_is_written_with_the_vocabulary_that_it_began_with(tmp_path: Path) -> None:
    async with live(tmp_path) as service:
        await send(service, "PUT", "/v1/vocabularies/names", json=NAMES)
        async with call(service.port, format="pcm16") as caller:
            await send(service, "DELETE", "/v1/vocabularies/names")
            await caller.send(pcm(SPEECH))
            await caller.tell("finalize")
            final = await caller.until("final")
        assert final["text"] == "Hullo"
        assert service.transcriber.jobs[-1].options.hotwords == ("Zyntrix",)


async def test_hot_words_of_a_command_are_terms(tmp_path: Path) -> None:
    async with live(tmp_path) as service:
        service.transcriber.answer_with = lambda job: heard("Zintrix", job)
        async with call(service.port, format="pcm16") as caller:
            await caller.tell("configure", hotwords=["Zyntrix"])
            await caller.send(pcm(SPEECH))
            await caller.tell("finalize")
            final = await caller.until("final")
        assert final["text"] == "Zyntrix"


async def test_of_twenty_at_once_one_is_stored_whole(tmp_path: Path) -> None:
    contents = [[f"Zyntrix {number}", f"Digique {number}"] for number in range(20)]
    statuses = []

    async def put(service: Live, terms: list[str]) -> None:
        body = {"terms": terms, "default": True}
        statuses.append(
            (await send(service, "PUT", "/v1/vocabularies/names", json=body)).status_code
        )

    async with live(tmp_path, ledger=LedgerSettings(state_dir=tmp_path / "state")) as service:
        async with anyio.create_task_group() as group:
            for terms in contents:
                group.start_soon(put, service, terms)
        listed = (await send(service, "GET", "/v1/vocabularies")).json()["vocabularies"]
        found = (await send(service, "GET", "/v1/vocabularies/names")).json()
    assert statuses == [200] * 20
    assert [(each["name"], each["term_count"]) for each in listed] == [("names", 2)]
    assert [each["term"] for each in found["terms"]] in contents


async def test_an_unknown_vocabulary_refuses_a_session(tmp_path: Path) -> None:
    async with live(tmp_path) as service, call(service.port, vocabulary="none") as caller:
        error = await caller.until("error")
        assert error["code"] == "not_found"


async def test_a_job_has_its_vocabulary_after_a_restart(tmp_path: Path) -> None:
    ledger = LedgerSettings(state_dir=tmp_path / "state")
    async with live(tmp_path, ledger=ledger) as service:
        service.transcriber.gate = anyio.Event()
        await send(service, "PUT", "/v1/vocabularies/names", json=NAMES)
        job = speech_json(job_id="1")
        accepted = await send(service, "POST", "/utterance?wait=0", json=job)
        assert accepted.status_code == 202
        await send(service, "DELETE", "/v1/vocabularies/names")
        again = await send(service, "POST", "/utterance?wait=0", json=job)
        assert again.status_code == 202, "the same request is the same job"
        await poll_until(lambda: bool(service.transcriber.jobs))
    async with live(tmp_path, ledger=ledger) as service:
        await poll_until(lambda: bool(service.transcriber.jobs))
        await service.until_at_rest()
        found = (await send(service, "GET", "/jobs/1")).json()
        assert (found["state"], found["result"]["text"]) == ("done", "Hullo")
        assert (await send(service, "POST", "/utterance?wait=0", json=job)).status_code == 202


@pytest.mark.parametrize("state", ["done", "failed"])
async def test_a_job_that_has_ended_keeps_no_vocabulary(tmp_path: Path, state: str) -> None:
    async with live(tmp_path, ledger=LedgerSettings(state_dir=tmp_path / "state")) as service:
        ledger = service.state.storage.ledger
        service.transcriber.gate = anyio.Event()
        service.transcriber.script = [ValueError("a bug")] if state == "failed" else []
        await send(service, "PUT", "/v1/vocabularies/names", json=NAMES)
        await send(service, "POST", "/utterance?wait=0", json=speech_json(job_id="1"))
        await poll_until(lambda: bool(service.transcriber.jobs))
        job = ledger.find(ANONYMOUS, "1")
        assert job is not None
        assert b"Zyntrix" in job.spec.request
        service.transcriber.gate.set()
        await service.until_at_rest()
        ended = ledger.find(ANONYMOUS, "1")
        assert ended is not None
        assert ended.state == state
        assert b"Zyntrix" not in ended.spec.request
