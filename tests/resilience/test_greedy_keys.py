"""What one key can take from the others: a flood of one key next to a request of another."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import anyio
import httpx2
import numpy as np
import pytest

from auricle.config.settings import (
    DecodeSettings,
    LedgerSettings,
    ServerSettings,
    Settings,
    WorkerSettings,
)
from auricle.server.app import create_app
from auricle.transcriber import Progress
from auricle.types import ANONYMOUS, SAMPLE_RATE_HZ, ClientId, FrameCodec, Source
from auricle.workers.decode.pool import DecodePool
from tests.support.compressed import encoded
from tests.support.service import (
    CLIP,
    WAV,
    keys,
    listening,
    own_state,
    poll_until,
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
async def decoding(tmp_path: Path, decoders: int) -> AsyncIterator[tuple[Observed, str]]:
    """Serve two keys with real decode workers; give these and the server's URL."""
    worker = WorkerSettings(decode_workers=decoders)
    ledger = LedgerSettings(state_dir=own_state(tmp_path))
    server = ServerSettings(spool_dir=tmp_path, api_keys=KEYS)
    pool = Observed(worker, DecodeSettings())
    app = create_app(FakeTranscriber(), pool, Settings(server=server, worker=worker, ledger=ledger))
    await pool.start()
    try:
        await poll_until(lambda: pool.stats().ready)
        async with listening(app) as port:
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
        httpx2.AsyncClient(base_url=url, timeout=60) as client,
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
        with anyio.fail_after(60):
            answer = await client.post(
                "/utterance", content=CLIP.path.read_bytes(), headers=MODEST | WAV
            )
        group.cancel_scope.cancel()
    assert answer.json()["text"] == "hello"
    assert pool.ended_meanwhile(ClientId("modest")) < FLOOD
