"""Slow uploads of all APIs yield to a new one."""

import contextlib
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream

from auricle.server.uploads import upload_room
from tests.resilience.test_greedy_keys import Door, begin_upload, taken, until_taken
from tests.support.service import live, read_answer

pytestmark = pytest.mark.server

FORM_START = b'--b\r\nContent-Disposition: form-data; name="%s"; filename="a.wav"\r\n\r\n'
FORM = "multipart/form-data; boundary=b"
DOORS = {
    "native": ("/utterance", "audio/wav", b"R"),
    "native job": ("/utterance?wait=0", "audio/wav", b"R"),
    "native job in JSON": ("/utterance?wait=0", "application/json", b"{"),
    "Deepgram": ("/v1/listen", "audio/wav", b"R"),
    "OpenAI": ("/v1/audio/transcriptions", FORM, FORM_START % b"file"),
}


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
async def test_slow_bodies_of_many_addresses_yield_to_a_new_upload(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await assert_slow_bodies_yield(door, tmp_path, monkeypatch)


async def assert_slow_bodies_yield(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> None:
    """Each address is behind a trusted proxy, which is loopback here, and holds one slot."""
    monkeypatch.setattr(upload_room, "EARLY_S", 0.0)
    async with (
        live(tmp_path, max_file_jobs=2, trusted_proxies="127.0.0.1", **settings) as service,
        contextlib.AsyncExitStack() as stack,
    ):
        service.state.uploads.job_slots.total = 2
        slow = []
        for number in range(2):
            line = f"X-Forwarded-For: 203.0.113.{number}"
            slow.append(await stack.enter_async_context(await begin_upload(service, door, line)))
        await until_taken(service, 2)
        new = await stack.enter_async_context(
            await begin_upload(service, door, "X-Forwarded-For: 203.0.113.9")
        )
        refused: list[tuple[SocketStream, int, str]] = []
        async with anyio.create_task_group() as group:

            async def first_answer(stream: SocketStream) -> None:
                status, headers, _ = await read_answer(stream)
                refused.append((stream, status, headers["retry-after"]))
                group.cancel_scope.cancel()

            for stream in (*slow, new):
                group.start_soon(first_answer, stream)
        (first,) = refused
        assert first[0] in slow
        assert first[1:] == (503, "10")
        assert taken(service) == 2
