"""What one key can take from the others: a flood of one key next to a request of another."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import anyio
import httpx2
import numpy as np
import pytest
from anyio.abc import SocketStream

from auricle.apis.readers.routes import feeds_of
from auricle.config.sections.decode import DecodeSettings
from auricle.config.sections.ledger import LedgerSettings
from auricle.config.sections.server import ServerSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.config.settings import Settings
from auricle.server.uploads import upload_room
from auricle.values.transcriber import Progress
from auricle.values.types import ANONYMOUS, SAMPLE_RATE_HZ, ClientId, FrameCodec, Source
from auricle.workers.kinds.decode.pool import DecodePool
from tests.support.compressed import encoded
from tests.support.containers import tag_bomb
from tests.support.poll import LIMIT_S
from tests.support.service import (
    CLIP,
    WAV,
    Live,
    application,
    head,
    keys,
    listening,
    live,
    own_state,
    poll_until,
    read_answer,
)
from tests.support.transcriber import FakeTranscriber

GREEDY, MODEST = ({"authorization": f"Bearer of-{name}"} for name in ("greedy", "modest"))
KEYS = keys("greedy:of-greedy", "modest:of-modest")
FLOOD = 20
"""Requests of the greedy key at once; below its share of the open files."""


class Observed(DecodePool):
    """Real decode workers; notes when files are opened and when they end."""

    def __init__(self, worker: WorkerSettings, decode: DecodeSettings) -> None:
        super().__init__(worker, decode)
        self.order: list[tuple[str, ClientId]] = []

    async def decode(
        self, source: Source, *, client: ClientId = ANONYMOUS
    ) -> AsyncGenerator[Progress]:
        self.order.append(("opened", client))
        async with contextlib.aclosing(super().decode(source, client=client)) as reading:
            async for progress in reading:
                if progress.done:
                    self.order.append(("ended", client))
                yield progress

    def ended_meanwhile(self, client: ClientId) -> int:
        """Return how many files of others ended while the only file of a client was open."""
        since = self.order[self.order.index(("opened", client)) :]
        until = since[: since.index(("ended", client))]
        return sum(event == "ended" for event, _ in until)


@contextlib.asynccontextmanager
async def decoding(
    tmp_path: Path, decoders: int, **decode: float
) -> AsyncIterator[tuple[Observed, str]]:
    """Serve two keys with real decode workers; give these and the server's URL."""
    worker = WorkerSettings(decode_workers=decoders)
    ledger = LedgerSettings(state_dir=own_state(tmp_path))
    server = ServerSettings(spool_dir=tmp_path, api_keys=KEYS)
    pool = Observed(worker, DecodeSettings.model_validate(decode))
    settings = Settings(server=server, worker=worker, ledger=ledger)
    await pool.start()
    try:
        await poll_until(lambda: pool.stats().ready)
        async with (
            application(settings, FakeTranscriber(), pool) as app,
            listening(app) as port,
        ):
            yield pool, f"http://127.0.0.1:{port}"
    finally:
        await pool.aclose()


@pytest.mark.process
@pytest.mark.parametrize("decoders", [1, 2])
async def test_the_file_of_one_key_overtakes_the_flood_of_another(
    tmp_path: Path, decoders: int
) -> None:
    """The flood goes on until the other key has its text."""
    seconds = np.arange(30 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    tone = (3000 * np.sin(2 * np.pi * 440 * seconds)).astype(np.int16)
    small = encoded(tone, FrameCodec.FLAC)  # its steps take longer than its upload
    async with (
        decoding(tmp_path / "spool", decoders) as (pool, url),
        httpx2.AsyncClient(base_url=url, timeout=LIMIT_S) as client,
        anyio.create_task_group() as group,
    ):

        async def flood() -> None:
            flac = GREEDY | {"content-type": "audio/flac"}
            while True:
                answer = await client.post("/utterance", content=small, headers=flac)
                assert answer.status_code == 200

        for _ in range(FLOOD):
            group.start_soon(flood)
        await poll_until(lambda: pool.order.count(("ended", ClientId("greedy"))) >= FLOOD)
        with anyio.fail_after(LIMIT_S):
            answer = await client.post(
                "/utterance", content=CLIP.path.read_bytes(), headers=MODEST | WAV
            )
        group.cancel_scope.cancel()
    assert answer.json()["text"] == "hello"
    assert pool.ended_meanwhile(ClientId("modest")) < FLOOD


@pytest.mark.wall_clock
@pytest.mark.process
@pytest.mark.timeout(600)
async def test_header_bombs_of_one_key_are_refused_and_the_file_of_another_does_not_wait_for_all(
    tmp_path: Path,
) -> None:
    bomb, ended = tag_bomb(), list[str]()
    async with (
        decoding(tmp_path / "spool", 1, decode_budget_s=600) as (_, url),
        httpx2.AsyncClient(base_url=url, timeout=600) as client,
        anyio.create_task_group() as group,
    ):

        async def send_bomb() -> None:
            webm = GREEDY | {"content-type": "video/webm"}
            answer = await client.post("/utterance", content=bomb, headers=webm)
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_audio")
            ended.append("bomb")

        for _ in range(2):  # one more than decodes; each takes 4 s of processor time
            group.start_soon(send_bomb)
        wav = CLIP.path.read_bytes()
        answer = await client.post("/utterance", content=wav, headers=MODEST | WAV)
        ended.append("WAV")
    assert answer.json()["text"] == "hello"
    assert ended[-1] == "bomb"


LONG_BYTES = 9_000_000
"""Size of a body that is a file, not an utterance."""
Door = tuple[str, str, bytes]
"""Path, type and first bytes of a body: a way to upload a file."""
NATIVE: Door = ("/utterance", "audio/wav", b"R")


async def begin_upload(service: Live, door: Door, *lines: str) -> SocketStream:
    """Send the head of a long body, and its first bytes."""
    path, media_type, first = door
    stream = await service.connect()
    sizes = f"Content-Type: {media_type}", f"Content-Length: {LONG_BYTES}"
    await stream.send(head(path, *sizes, *lines) + first)
    return stream


def taken(service: Live) -> int:
    return service.state.uploads.file_slots.taken + service.state.uploads.job_slots.taken


async def until_taken(service: Live, slots: int) -> None:
    await poll_until(lambda: taken(service) == slots)


async def answer_of(service: Live, *lines: str) -> tuple[int, bytes]:
    """Post a long file; return the status and the body."""
    async with await service.connect() as stream:
        length = f"Content-Length: {LONG_BYTES}"
        await stream.send(head("/utterance", "Content-Type: audio/wav", *lines, length))
        await stream.send(bytes(LONG_BYTES))
        status, _, body = await read_answer(stream)
        return status, body


@pytest.mark.server
async def test_slow_bodies_of_one_address_leave_slots_to_others(tmp_path: Path) -> None:
    async with (
        live(tmp_path, max_file_jobs=4, trusted_proxies="127.0.0.1") as service,
        contextlib.AsyncExitStack() as stack,
    ):
        greedy, modest = (f"X-Forwarded-For: 203.0.113.{number}" for number in (1, 2))
        for number in range(3):
            await stack.enter_async_context(await begin_upload(service, NATIVE, greedy))
            await until_taken(service, number + 1)
        status, body = await answer_of(service, greedy)
        assert (status, b"queue_full" in body) == (503, True)
        assert (await answer_of(service, modest))[0] == 200


@pytest.mark.server
async def test_slow_bodies_of_one_key_yield_to_another_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All four uploads are slow; the one that yields is of the key with most slots."""
    monkeypatch.setattr(upload_room, "EARLY_S", 0.0)
    greedy, modest = (f"Authorization: Bearer of-{name}" for name in ("greedy", "modest"))
    async with (
        live(tmp_path, max_file_jobs=4, api_keys=KEYS) as service,
        contextlib.AsyncExitStack() as stack,
    ):
        streams = []
        for line in (greedy, greedy, greedy, modest):
            stream = await begin_upload(service, NATIVE, line)
            streams.append(await stack.enter_async_context(stream))
            await until_taken(service, len(streams))
        assert (await answer_of(service, modest))[0] == 200
        await until_taken(service, 3)
        await streams[3].send(bytes(LONG_BYTES - 1))
        assert (await read_answer(streams[3]))[0] == 200


@pytest.mark.server
async def test_one_reading_link_leaves_places_to_readers_of_other_sessions(tmp_path: Path) -> None:
    async with (
        live(tmp_path, api_keys=KEYS, max_readers=8) as service,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{service.port}", timeout=LIMIT_S) as client,
        contextlib.AsyncExitStack() as stack,
    ):
        feeds = feeds_of(service.state)
        for name, owner in (("link", "greedy"), ("own", "greedy"), ("other", "modest")):
            feeds.open(name, ClientId(owner), "native")
        answer = await client.post("/v1/sessions/link/token", json={}, headers=GREEDY)
        token = answer.json()["token"]
        statuses = []
        for _ in range(8):
            answer = await stack.enter_async_context(
                client.stream("GET", "/v1/sessions/link/events", params={"token": token})
            )
            statuses.append(answer.status_code)
        assert statuses == [200] * 4 + [503] * 4
        for name, headers in (("own", GREEDY), ("other", MODEST)):
            answer = await stack.enter_async_context(
                client.stream("GET", f"/v1/sessions/{name}/events", headers=headers)
            )
            assert answer.status_code == 200
        for name in ("link", "own", "other"):
            feeds.find(ClientId("modest" if name == "other" else "greedy"), name).end("closed")


@pytest.mark.server
async def test_ended_jobs_of_one_key_are_bounded_and_none_is_lost(tmp_path: Path) -> None:
    ledger = LedgerSettings(state_dir=tmp_path / "state", key_ended_jobs=3)
    async with (
        live(tmp_path / "spool", ledger=ledger, api_keys=KEYS) as service,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{service.port}", timeout=LIMIT_S) as client,
    ):

        async def post(job_id: str, key: dict[str, str]) -> httpx2.Response:
            return await client.post(
                f"/utterance?wait=0&job_id={job_id}",
                content=CLIP.path.read_bytes(),
                headers=key | WAV,
            )

        async def until_done(job_id: str) -> None:
            state = ""
            with anyio.fail_after(LIMIT_S):
                while state != "done":
                    answer = await client.get(f"/jobs/{job_id}", headers=GREEDY)
                    state = answer.json()["state"]

        for number in range(3):
            assert (await post(f"job-{number}", GREEDY)).status_code == 202
            await until_done(f"job-{number}")
        refused = await post("job-3", GREEDY)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "ledger_full")
        assert "ended jobs" in refused.json()["error"]["message"]
        assert (await post("job-0", GREEDY)).json()["text"] == "hello"
        assert (await post("job-3", MODEST)).status_code == 202
        await client.delete("/jobs/job-1", headers=GREEDY)
        assert (await post("job-3", GREEDY)).status_code == 202
        await until_done("job-3")
