from pathlib import Path

import anyio
import numpy as np
import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message

from auricle.errors import AudioError, DeadlineExceeded
from auricle.server.transcription.run import (
    Deadline,
    internal_id,
    transcribe_short,
    while_connected,
)
from auricle.server.uploads.params import Fields, check
from auricle.types import ANONYMOUS
from tests.support.service import CLIP, build

pytestmark = pytest.mark.unit


async def never() -> Message:
    await anyio.sleep_forever()
    raise AssertionError


async def hangs_up() -> Message:
    return {"type": "http.disconnect"}


async def test_work_is_awaited_while_the_client_is_there() -> None:
    async def work() -> int:
        await anyio.lowlevel.checkpoint()
        return 5

    assert await while_connected(never, work) == 5


async def test_work_is_cancelled_when_the_client_is_gone() -> None:
    cancelled = []

    async def work() -> None:
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            cancelled.append(True)
            raise

    with pytest.raises(ClientDisconnect):
        await while_connected(hangs_up, work)
    assert cancelled


async def test_the_works_own_error_comes_out_unwrapped() -> None:
    async def work() -> None:
        raise AudioError("broken")

    with pytest.raises(AudioError, match="broken"):
        await while_connected(never, work)


async def test_what_comes_before_the_end_is_no_end() -> None:
    messages: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else await never()

    async def work() -> int:
        await anyio.wait_all_tasks_blocked()
        return 5

    assert await while_connected(receive, work) == 5


def test_a_deadline_that_has_passed_is_an_error() -> None:
    assert 0 < Deadline(5).left_s() <= 5
    with pytest.raises(DeadlineExceeded):
        Deadline(0).left_s()


def test_ids_of_our_own_differ_and_hold_the_callers() -> None:
    assert internal_id("a") != internal_id("a")
    assert internal_id("a").startswith("a#")


async def test_an_utterance_that_took_too_long_to_decode_is_not_submitted(tmp_path: Path) -> None:
    service = build(tmp_path)
    with pytest.raises(DeadlineExceeded):
        await transcribe_short(
            service.state,
            check(Fields()),
            CLIP.pcm,
            client=ANONYMOUS,
            reservation=None,
            deadline=Deadline(0),
            decode_s=1,
        )
    assert service.transcriber.jobs == []


async def test_silence_tells_how_long_it_was_and_took(tmp_path: Path) -> None:
    result = await transcribe_short(
        build(tmp_path).state,
        check(Fields()),
        np.zeros(16_000, np.int16),
        client=ANONYMOUS,
        reservation=None,
        deadline=Deadline(5),
        decode_s=0.25,
    )
    assert (result.transcript.text, result.transcript.duration_samples) == ("", 16_000)
    assert result.transcript.timing.decode_ms >= 250
