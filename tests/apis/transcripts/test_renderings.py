"""Long transcripts are written once for each version, and delay no other client."""

import gc
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
import httpx2
import pytest
from anyio import to_thread

from auricle.apis.transcripts import renderings as renderings_module
from auricle.apis.transcripts.renderings import MAX_KEPT_BYTES, KeptRenderings
from auricle.apis.transcripts.stored.transcripts import KeptSegment, KeptTranscript, Transcripts
from auricle.apis.transcripts.stored.words import KeptWord
from auricle.ledger.databases.database import Transaction
from auricle.server.rendering import MAX_RENDERINGS_PER_CLIENT, Renderer
from auricle.values.errors import Overloaded
from auricle.values.types import ClientId, GiveWay
from tests.server.test_rendering import GREEDY, HOUR, Work
from tests.support.service import Live, head, keys, live, poll_until
from tests.support.transcripts import kept_in, transcripts_of

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

T = TypeVar("T")

ALICE = {"authorization": "Bearer alice-key"}
BOB = {"authorization": "Bearer bob-key"}
NOW = time.time()


async def test_a_request_that_waits_for_too_long_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(renderings_module, "MAX_WAIT_S", 0.01)
    renderer, work = Renderer(), Work()
    renderings = KeptRenderings(renderer)
    async with anyio.create_task_group() as group:
        for _ in range(MAX_RENDERINGS_PER_CLIENT):
            group.start_soon(renderer.render, GREEDY, HOUR, work.of(GREEDY))
        await poll_until(lambda: len(work.begun) == MAX_RENDERINGS_PER_CLIENT)
        with pytest.raises(Overloaded):
            await renderings.render(GREEDY, "name", 1, work.of(GREEDY))
        work.release.set()


async def test_a_version_is_rendered_once_and_a_later_one_again() -> None:
    renderings, bodies = KeptRenderings(Renderer()), iter([b"first", b"second"])

    async def read(version: int) -> bytes:
        return await renderings.render(GREEDY, "name", version, lambda _: next(bodies))

    assert [await read(version) for version in (1, 1, 2, 2)] == [b"first"] * 2 + [b"second"] * 2


async def test_requests_that_waited_for_the_same_rendering_share_it() -> None:
    renderings, work = KeptRenderings(Renderer()), Work()
    async with anyio.create_task_group() as group:
        for _ in range(24):
            group.start_soon(renderings.render, GREEDY, "name", 1, work.of(GREEDY))
        await poll_until(lambda: len(work.begun) == MAX_RENDERINGS_PER_CLIENT)
        work.release.set()
    assert len(work.begun) == MAX_RENDERINGS_PER_CLIENT


async def test_results_are_kept_within_their_size_the_latest_ones() -> None:
    renderings, rendered = KeptRenderings(Renderer()), list[str]()
    size_bytes = MAX_KEPT_BYTES // 4

    async def read(name: str, size_bytes: int = size_bytes) -> None:
        def render(_: GiveWay) -> bytes:
            rendered.append(name)
            return bytes(size_bytes)

        await renderings.render(GREEDY, name, 1, render)

    for name in ("a", "b", "c", "d", "e"):
        await read(name)
    rendered.clear()
    await read("too large", size_bytes + 1)
    await read("too large", size_bytes + 1)
    for name in ("b", "c", "d", "e", "a"):
        await read(name)
    assert rendered == ["too large", "too large", "a"]


async def test_results_are_kept_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderings_module, "KEPT_S", -1.0)
    renderings, bodies = KeptRenderings(Renderer()), iter([b"first", b"second"])
    for body in (b"first", b"second"):
        assert await renderings.render(GREEDY, "name", 1, lambda _: next(bodies)) == body


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Live]:
    settings = kept_in(tmp_path, api_keys=keys("alice:alice-key", "bob:bob-key"))
    async with live(tmp_path, **settings) as started:
        yield started


async def keep(service: Live, uid: str, owner: str, segments: int) -> None:
    """Keep a transcript of ten words every three seconds."""
    kept = [
        KeptSegment(
            number,
            number * 3000,
            number * 3000 + 2900,
            " ".join(["speech"] * 10),
            number % 2,
            tuple(
                KeptWord(number * 3000 + at * 290, number * 3000 + at * 290 + 280, " speech")
                for at in range(10)
            ),
        )
        for number in range(segments)
    ]
    transcript = KeptTranscript(uid, ClientId(owner), "job", "en", NOW, NOW + 3600)
    await to_thread.run_sync(transcripts_of(service).add, transcript, kept)


class Reads:
    """Counts transactions that read transcripts; the server looks up others every few seconds."""

    def __init__(self, service: Live) -> None:
        self.count = 0
        self._read = service.state.storage.database.read
        service.state.storage.database.read = self._counted  # type: ignore[method-assign]

    def _counted(self, work: Callable[[Transaction], T]) -> T:
        self.count += getattr(work, "func", work).__module__ == Transcripts.__module__
        return self._read(work)


@pytest.mark.wall_clock
async def test_many_requests_of_long_transcripts_delay_no_other_client(service: Live) -> None:
    await keep(service, "hour", "alice", 1200)
    await keep(service, "other", "bob", 20)
    url, most = f"http://127.0.0.1:{service.port}", 0
    ended: list[str] = []

    async def read(client: httpx2.AsyncClient, format: str) -> None:
        response = await client.get(f"{url}/v1/transcripts/hour?format={format}", headers=ALICE)
        assert response.status_code == 200
        ended.append(format)

    limits = httpx2.Limits(max_connections=40)
    async with httpx2.AsyncClient(limits=limits) as client, anyio.create_task_group() as group:
        for format in ["srt", "vtt", "json", "rttm"] * 6:
            group.start_soon(read, client, format)
        await poll_until(lambda: service.state.renderer.running)
        for number in range(10):
            assert (await client.get(f"{url}/livez")).status_code == 200
            most = max(most, service.state.renderer.running)
            if number == 5:
                response = await client.get(f"{url}/v1/transcripts/other?format=srt", headers=BOB)
                assert response.status_code == 200
                assert len(ended) < 24
    assert len(ended) == 24
    assert most <= MAX_RENDERINGS_PER_CLIENT + 1


@pytest.mark.wall_clock
@pytest.mark.parametrize("format", ["json", "txt", "srt", "vtt", "docx", "md", "rttm"])
async def test_each_format_gives_way_and_keeps_few_objects_for_the_garbage_collector(
    service: Live, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    segments, words = 1000, 10_000
    await keep(service, "hours", "alice", segments)
    calls, most = 0, 0

    def sample() -> None:
        nonlocal calls, most
        calls += 1
        if calls % 500 == 0:
            most = max(most, len(gc.get_objects()))

    async def render(
        self: KeptRenderings,
        client: ClientId,
        name: object,
        version: object,
        work: Callable[[GiveWay], bytes],
    ) -> bytes:
        return await to_thread.run_sync(work, sample)

    monkeypatch.setattr(KeptRenderings, "render", render)
    gc.collect()
    before = len(gc.get_objects())
    async with httpx2.AsyncClient(headers=ALICE, timeout=280) as client:
        url = f"http://127.0.0.1:{service.port}/v1/transcripts/hours"
        assert (await client.get(url, params={"format": format})).status_code == 200
    assert calls >= 2 * segments
    assert most - before < words


async def test_a_transcript_is_read_once_for_many_requests(service: Live) -> None:
    await keep(service, "hour", "alice", 1200)
    reads = Reads(service)
    url = f"http://127.0.0.1:{service.port}/v1/transcripts/hour?format=vtt"
    async with httpx2.AsyncClient(headers=ALICE) as client, anyio.create_task_group() as group:
        for _ in range(24):
            group.start_soon(partial(client.get, url, timeout=120))
    assert 24 < reads.count <= 24 + 2 * 7


@pytest.mark.wall_clock
async def test_a_rendering_ends_when_its_client_has_left(service: Live) -> None:
    await keep(service, "day", "alice", 10_000)
    reads = Reads(service)
    stream = await service.connect()
    authorization = f"Authorization: {ALICE['authorization']}"
    await stream.send(head("/v1/transcripts/day?format=srt", authorization, method="GET"))
    await poll_until(lambda: reads.count >= 3)
    await stream.aclose()
    await poll_until(lambda: not service.state.renderer.running)
    assert reads.count < 10_000 // 200


async def test_a_changed_transcript_is_rendered_again(service: Live) -> None:
    await keep(service, "a", "alice", 2)
    base_url = f"http://127.0.0.1:{service.port}/v1/transcripts/a"
    async with httpx2.AsyncClient(headers=ALICE) as client:

        async def subtitles() -> str:
            return (await client.get(f"{base_url}?format=srt")).text

        assert "Ann" not in await subtitles()
        await client.patch(f"{base_url}/speakers/0", json={"name": "Ann"})
        assert "Ann:" in await subtitles()
        await keep(service, "a", "alice", 3)
        assert (await subtitles()).count("-->") > 2
        await client.patch(f"{base_url}/speakers/1", json={"merge_into": 0})
        assert "Speaker" not in await subtitles()
        await client.delete(base_url)
        assert (await client.get(f"{base_url}?format=srt")).status_code == 404
        assert (await client.get(f"{base_url}?format=srt", headers=BOB)).status_code == 404
