"""Long transcripts are written as text a few at a time, and once for each version."""

import gc
import threading
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
import httpx2
import pytest
from anyio import to_thread

from auricle.config.settings import LedgerSettings
from auricle.ledger.databases.database import Transaction
from auricle.ledger.kept_words import KeptWord
from auricle.ledger.transcripts import KeptSegment, KeptTranscript, Transcripts
from auricle.server import rendering
from auricle.server.rendering import (
    MAX_KEPT_BYTES,
    MAX_RENDERINGS,
    MAX_RENDERINGS_PER_CLIENT,
    Renderer,
)
from auricle.values.errors import Overloaded
from auricle.values.types import ClientId, GiveWay
from tests.support.service import Live, head, keys, live, poll_until

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

T = TypeVar("T")

GREEDY, MODEST = ClientId("greedy"), ClientId("modest")
HOUR = 3600 * 16_000
ALICE = {"authorization": "Bearer alice-key"}
BOB = {"authorization": "Bearer bob-key"}


class Work:
    """Renderings that wait until they are released."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.begun: list[ClientId] = []

    def of(self, client: ClientId) -> Callable[[GiveWay], bytes]:
        def render(give_way: GiveWay) -> bytes:
            self.begun.append(client)
            while not self.release.wait(0.005):
                give_way()
            return b"text"

        return render


async def test_a_client_has_few_renderings_at_a_time_and_another_is_not_delayed() -> None:
    renderer, work = Renderer(), Work()
    async with anyio.create_task_group() as group:
        for _ in range(24):
            group.start_soon(renderer.render, GREEDY, HOUR, work.of(GREEDY))
        await poll_until(lambda: len(work.begun) == MAX_RENDERINGS_PER_CLIENT)
        group.start_soon(renderer.render, MODEST, HOUR, work.of(MODEST))
        await poll_until(lambda: MODEST in work.begun)
        assert work.begun == [GREEDY] * MAX_RENDERINGS_PER_CLIENT + [MODEST]
        work.release.set()
    assert len(work.begun) == 25
    assert renderer.running == 0


async def test_all_clients_together_have_few_renderings() -> None:
    renderer, work = Renderer(), Work()
    async with anyio.create_task_group() as group:
        for number in range(10):
            client = ClientId(f"client {number}")
            group.start_soon(renderer.render, client, HOUR, work.of(client))
        await poll_until(lambda: len(work.begun) == MAX_RENDERINGS)
        assert renderer.running == MAX_RENDERINGS
        work.release.set()
    assert len(work.begun) == 10


async def test_a_short_result_does_not_wait_for_long_ones() -> None:
    renderer, work = Renderer(), Work()
    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(renderer.render, GREEDY, HOUR, work.of(GREEDY))
        await poll_until(lambda: work.begun)
        assert await renderer.render(GREEDY, 16_000, lambda _: "short") == "short"
        work.release.set()


async def test_a_rendering_ends_when_its_request_is_cancelled() -> None:
    renderer, work = Renderer(), Work()
    async with anyio.create_task_group() as group:
        group.start_soon(renderer.render, GREEDY, HOUR, work.of(GREEDY))
        await poll_until(lambda: work.begun)
        group.cancel_scope.cancel()
    assert not work.release.is_set()
    assert renderer.running == 0


async def test_a_rendering_leaves_the_interpreter_to_others_for_half_of_the_time() -> None:
    shares: list[float] = []

    def compute(give_way: GiveWay) -> None:
        began_at, used_s = time.perf_counter(), -time.thread_time()
        while time.perf_counter() < began_at + 0.5:
            give_way()
        shares.append((used_s + time.thread_time()) / (time.perf_counter() - began_at))

    renderer = Renderer()
    async with anyio.create_task_group() as group:
        group.start_soon(renderer.render, GREEDY, HOUR, compute)
        group.start_soon(renderer.render, MODEST, HOUR, compute)
    assert sum(shares) < 0.75


async def test_a_request_that_waits_for_too_long_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rendering, "MAX_WAIT_S", 0.01)
    renderer, work = Renderer(), Work()
    async with anyio.create_task_group() as group:
        for _ in range(MAX_RENDERINGS_PER_CLIENT):
            group.start_soon(renderer.render, GREEDY, HOUR, work.of(GREEDY))
        await poll_until(lambda: len(work.begun) == MAX_RENDERINGS_PER_CLIENT)
        with pytest.raises(Overloaded):
            await renderer.render_once(GREEDY, "name", 1, work.of(GREEDY))
        work.release.set()


async def test_a_version_is_rendered_once_and_a_later_one_again() -> None:
    renderer, bodies = Renderer(), iter([b"first", b"second"])

    async def read(version: int) -> bytes:
        return await renderer.render_once(GREEDY, "name", version, lambda _: next(bodies))

    assert [await read(version) for version in (1, 1, 2, 2)] == [b"first"] * 2 + [b"second"] * 2


async def test_requests_that_waited_for_the_same_rendering_share_it() -> None:
    renderer, work = Renderer(), Work()
    async with anyio.create_task_group() as group:
        for _ in range(24):
            group.start_soon(renderer.render_once, GREEDY, "name", 1, work.of(GREEDY))
        await poll_until(lambda: len(work.begun) == MAX_RENDERINGS_PER_CLIENT)
        work.release.set()
    assert len(work.begun) == MAX_RENDERINGS_PER_CLIENT


async def test_results_are_kept_within_their_size_the_latest_ones() -> None:
    renderer, rendered = Renderer(), list[str]()
    size_bytes = MAX_KEPT_BYTES // 4

    async def read(name: str, size_bytes: int = size_bytes) -> None:
        def render(_: GiveWay) -> bytes:
            rendered.append(name)
            return bytes(size_bytes)

        await renderer.render_once(GREEDY, name, 1, render)

    for name in ("a", "b", "c", "d", "e"):
        await read(name)
    rendered.clear()
    await read("too large", size_bytes + 1)
    await read("too large", size_bytes + 1)
    for name in ("b", "c", "d", "e", "a"):
        await read(name)
    assert rendered == ["too large", "too large", "a"]


async def test_results_are_kept_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "KEPT_S", -1.0)
    renderer, bodies = Renderer(), iter([b"first", b"second"])
    for body in (b"first", b"second"):
        assert await renderer.render_once(GREEDY, "name", 1, lambda _: next(bodies)) == body


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Live]:
    ledger = LedgerSettings(state_dir=tmp_path / "state", keep_transcripts=True)
    api_keys = keys("alice:alice-key", "bob:bob-key")
    async with live(tmp_path, ledger=ledger, api_keys=api_keys) as started:
        yield started


def transcripts_of(service: Live) -> Transcripts:
    return service.state.storage.transcripts


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
    transcript = KeptTranscript(uid, ClientId(owner), "job", "en", 1.8e9, 1.8e9 + 3600)
    await to_thread.run_sync(transcripts_of(service).add, transcript, kept)


class Reads:
    """Counts transactions that read."""

    def __init__(self, service: Live) -> None:
        self.count = 0
        self._read = service.state.storage.database.read
        transcripts_of(service)._database.read = self._counted  # type: ignore[method-assign]

    def _counted(self, work: Callable[[Transaction], T]) -> T:
        self.count += 1
        return self._read(work)


async def test_many_requests_of_long_transcripts_delay_no_other_client(service: Live) -> None:
    await keep(service, "hour", "alice", 1200)
    await keep(service, "other", "bob", 20)
    url, most = f"http://127.0.0.1:{service.port}", 0
    ended: list[str] = []
    delays_s: list[float] = []

    async def read(client: httpx2.AsyncClient, format: str) -> None:
        response = await client.get(
            f"{url}/v1/transcripts/hour?format={format}", headers=ALICE, timeout=120
        )
        assert response.status_code == 200
        ended.append(format)

    limits = httpx2.Limits(max_connections=40)
    async with httpx2.AsyncClient(limits=limits) as client, anyio.create_task_group() as group:
        for format in ["srt", "vtt", "json", "rttm"] * 6:
            group.start_soon(read, client, format)
        await poll_until(lambda: service.state.renderer.running)
        for number in range(10):
            began_at = time.perf_counter()
            assert (await client.get(f"{url}/livez")).status_code == 200
            delays_s.append(time.perf_counter() - began_at)
            most = max(most, service.state.renderer.running)
            if number == 5:
                response = await client.get(f"{url}/v1/transcripts/other?format=srt", headers=BOB)
                assert response.status_code == 200
                assert len(ended) < 24
    assert len(ended) == 24
    assert most <= MAX_RENDERINGS_PER_CLIENT + 1
    assert max(delays_s) < 1.0


@pytest.mark.parametrize("format", ["json", "txt", "srt", "vtt", "docx", "md", "rttm"])
async def test_each_format_gives_way_and_keeps_few_objects_for_the_garbage_collector(
    service: Live, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    segments, words = 2000, 20_000
    await keep(service, "hours", "alice", segments)
    calls, most = 0, 0

    def sample() -> None:
        nonlocal calls, most
        calls += 1
        if calls % 500 == 0:
            most = max(most, len(gc.get_objects()))

    async def render(
        client: ClientId, name: object, version: object, work: Callable[[GiveWay], bytes]
    ) -> bytes:
        return await to_thread.run_sync(work, sample)

    monkeypatch.setattr(service.state.renderer, "render_once", render)
    gc.collect()
    before = len(gc.get_objects())
    async with httpx2.AsyncClient(headers=ALICE, timeout=60) as client:
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
