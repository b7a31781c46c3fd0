"""Start and end of a transcriber."""

import asyncio
from pathlib import Path

import psutil
import pytest

from auricle.values.errors import Draining, NoWorkerReady
from auricle.values.types import ANONYMOUS, ReservationRequest
from tests.conformance.subject import Maker, still_there
from tests.conformance.transcriber.helpers import Notes, blocked, job
from tests.support.poll import poll_until

pytestmark = pytest.mark.process


async def test_before_anything_is_ready_all_is_refused_with_a_time(
    open_transcriber: Maker,
) -> None:
    async with open_transcriber(nodes=1, model="scripted:hang", ready=False) as subject:
        with pytest.raises(NoWorkerReady) as caught:
            await subject.transcriber.transcribe(job("a"))
        assert caught.value.retry_after_s >= 1
        with pytest.raises(NoWorkerReady):
            subject.transcriber.reserve(ReservationRequest(ANONYMOUS, 5.0))
        assert not subject.transcriber.stats().ready


async def test_closing_finishes_what_was_accepted_and_takes_nothing_new(
    open_transcriber: Maker, tmp_path: Path
) -> None:
    async with open_transcriber(nodes=1) as subject:
        gate, accepted = await blocked(subject, tmp_path)
        room = subject.transcriber.reserve(ReservationRequest(ANONYMOUS, 5.0))
        closing = asyncio.create_task(subject.transcriber.aclose(drain_s=300))
        await asyncio.sleep(0)
        with pytest.raises(Draining):
            await subject.transcriber.transcribe(job("late"))
        with pytest.raises(Draining):
            subject.transcriber.reserve(ReservationRequest(ANONYMOUS, 5.0))
        assert not subject.transcriber.stats().ready
        gate.open()
        assert (await accepted).attempts == 1
        await closing
        with pytest.raises(Draining):
            await subject.transcriber.transcribe(job("reserved", reservation=room))


async def test_closing_does_not_wait_forever(open_transcriber: Maker, tmp_path: Path) -> None:
    async with open_transcriber(nodes=1) as subject:
        gate, accepted = await blocked(subject, tmp_path)
        await subject.transcriber.aclose(drain_s=0.2)
        with pytest.raises(Draining):
            await accepted
        gate.open()


async def test_nothing_is_left_running(open_transcriber: Maker, tmp_path: Path) -> None:
    async with open_transcriber(nodes=2) as subject:
        notes = Notes(tmp_path / "runs")
        pids = set()
        for n in range(8):
            await subject.transcriber.transcribe(job(f"j{n}", notes.line, "sleep:0.1"))
            pids.add(await notes.worker(n + 1))
        theirs = [psutil.Process(pid) for pid in pids] + subject.processes()
        assert still_there(theirs)
        descriptors = psutil.Process().num_fds()
    await poll_until(lambda: not still_there(theirs), "the end of all of them")
    assert psutil.Process().num_fds() < descriptors
