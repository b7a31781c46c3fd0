import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from auricle.audio.g711 import alaw_to_pcm16
from auricle.config.sections.decode import DecodeSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.values.errors import (
    AudioError,
    Draining,
    Overloaded,
    RateLimited,
    TooLong,
    UnsupportedFormat,
)
from auricle.values.transcriber import Progress
from auricle.values.types import ANONYMOUS, SAMPLE_RATE_HZ, ClientId, Source
from auricle.workers.kinds.decode.pool import DecodePool
from auricle.workers.poison import CrashBudget
from auricle.workers.process.assignment import Assignment
from auricle.workers.process.process import ProcessExit
from tests.support.clips import CLIPS
from tests.support.containers import tag_bomb
from tests.support.poll import poll_until
from tests.support.telephone import call_of, companded, wav_of

pytestmark = pytest.mark.process

DecodeFactory = Callable[..., AbstractAsyncContextManager[DecodePool]]


@asynccontextmanager
async def open_decoder(**settings: float) -> AsyncIterator[DecodePool]:
    worker = {k: v for k, v in settings.items() if k in WorkerSettings.model_fields}
    decode = {k: v for k, v in settings.items() if k in DecodeSettings.model_fields}
    assert len(worker) + len(decode) == len(settings), "an unknown setting"
    pool = DecodePool(
        WorkerSettings.model_validate(worker),
        DecodeSettings.model_validate({"decode_budget_s": 60.0} | decode),
    )
    await pool.start()
    try:
        yield pool
    finally:
        await pool.aclose()


def long_file(tmp_path: Path, repeats: int = 12) -> Path:
    """Write speech and pauses as PCM16, long enough for many steps."""
    pcm = CLIPS["pair.wav"].pcm
    path = tmp_path / "long.pcm"
    path.write_bytes(np.tile(np.concatenate([pcm, np.zeros(16_000, np.int16)]), repeats).tobytes())
    return path


async def read_all(
    pool: DecodePool, source: Source, client: ClientId = ANONYMOUS
) -> list[Progress]:
    return [progress async for progress in pool.decode(source, client=client)]


def spans(steps: list[Progress]) -> list[tuple[int, int]]:
    return [
        (step.chunk.start_sample, step.chunk.start_sample + step.chunk.pcm.size)
        for step in steps
        if step.chunk is not None
    ]


async def test_a_files_name_need_not_be_unicode(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav")
    shutil.copy(CLIPS["pair.wav"].path, path)
    async with open_decoder() as pool:
        assert (await read_all(pool, Source(path)))[-1].done


async def test_a_file_comes_as_chunks_in_order(tmp_path: Path) -> None:
    path = long_file(tmp_path)
    async with open_decoder() as pool:
        steps = await read_all(pool, Source(str(path), "pcm16"))
        found = spans(steps)
        assert len(found) >= 3
        assert all(
            a_end <= b_start for (_, a_end), (b_start, _) in zip(found, found[1:], strict=False)
        )
        assert steps[-1].done
        assert steps[-1].duration_samples == path.stat().st_size // 2
        fractions = [step.fraction for step in steps]
        assert fractions == sorted(fractions)


async def test_each_channel_of_a_recorded_call_is_read_apart(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    call = call_of((0.0, CLIPS["short.wav"].pcm), (4.0, CLIPS["pair.wav"].pcm))
    path.write_bytes(wav_of(companded(call, alaw_to_pcm16), channels=2, is_a_law=True))
    async with open_decoder() as pool:
        left, right = [await read_all(pool, Source(str(path), channel=at)) for at in (0, 1)]
    assert {step.channels for step in (*left, *right)} == {2}
    assert spans(left)[-1][1] < 4 * SAMPLE_RATE_HZ < spans(right)[0][0] + SAMPLE_RATE_HZ
    assert left[-1].duration_samples == right[-1].duration_samples == call.size


async def test_after_its_workers_death_a_file_continues_where_it_was(tmp_path: Path) -> None:
    source = Source(str(long_file(tmp_path)), "pcm16")
    async with open_decoder() as pool:
        undisturbed = spans(await read_all(pool, source))
        steps: list[Progress] = []
        async for progress in pool.decode(source):
            steps.append(progress)
            if len(steps) in (1, 3):
                await kill_all(pool)
        disturbed = spans(steps)
        total = sum(end - start for start, end in undisturbed)
        covered = sum(end - start for start, end in disturbed)
        assert abs(total - covered) < 0.1 * total
        assert all(
            a_end <= b_start
            for (_, a_end), (b_start, _) in zip(disturbed, disturbed[1:], strict=False)
        )
        assert sum(worker.restarts for worker in pool.stats().workers) >= 2


async def kill_all(pool: DecodePool) -> None:
    for pid in [worker.pid for worker in pool.stats().workers if worker.pid is not None]:
        os.kill(pid, signal.SIGKILL)
        await poll_until(partial(is_gone, pool, pid))


def is_gone(pool: DecodePool, pid: int) -> bool:
    return pid not in [worker.pid for worker in pool.stats().workers]


def hurry_once(pool: DecodePool, patch: pytest.MonkeyPatch) -> None:
    """Give the next step a second; those after it may take longer on a busy machine."""
    next_assignment, budgets_s = pool.next_assignment, [1.0]

    def hurried(worker: str, now: float) -> Assignment | None:
        assignment = next_assignment(worker, now)
        if assignment is None or not budgets_s:
            return assignment
        return replace(assignment, budget_s=budgets_s.pop())

    patch.setattr(pool, "next_assignment", hurried)


async def test_a_stopped_worker_costs_its_budget_and_no_speech(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(str(long_file(tmp_path)), "pcm16")
    async with open_decoder(decode_workers=1) as pool:
        undisturbed = spans(await read_all(pool, source))
        steps: list[Progress] = []
        async for progress in pool.decode(source):
            steps.append(progress)
            if len(steps) == 1:
                (pid,) = [worker.pid for worker in pool.stats().workers if worker.pid]
                os.kill(pid, signal.SIGSTOP)
                hurry_once(pool, monkeypatch)
        total = sum(end - start for start, end in undisturbed)
        assert abs(total - sum(end - start for start, end in spans(steps))) < 0.1 * total
        assert pool.stats().jobs.retried == 1


async def test_what_is_no_audio_is_refused_and_the_next_file_is_read(tmp_path: Path) -> None:
    text = tmp_path / "list.txt"
    text.write_text("ffconcat version 1.0\nfile /etc/passwd\n")
    async with open_decoder(decode_workers=1) as pool:
        with pytest.raises((UnsupportedFormat, AudioError)):
            await read_all(pool, Source(str(text)))
        assert spans(await read_all(pool, Source(str(CLIPS["pair.wav"].path))))
        assert pool.stats().workers[0].restarts == 0


async def test_a_header_that_takes_too_much_work_costs_its_key_and_not_the_budget_of_a_step(
    tmp_path: Path,
) -> None:
    path = tmp_path / "bomb.mkv"
    path.write_bytes(tag_bomb())
    budget = CrashBudget(1, window_s=600)
    pool = DecodePool(
        WorkerSettings(decode_workers=1), DecodeSettings(decode_budget_s=600), crash_budget=budget
    )
    await pool.start()
    try:
        with pytest.raises(AudioError, match="too much work"):
            await anext(pool.decode(Source(str(path)), client=MALLORY))
        with pytest.raises(RateLimited):
            await anext(pool.decode(Source(str(path)), client=MALLORY))
        assert spans(await read_all(pool, Source(str(CLIPS["pair.wav"].path))))
    finally:
        await pool.aclose()


async def test_audio_longer_than_allowed_is_refused(tmp_path: Path) -> None:
    async with open_decoder(max_audio_s=5.0) as pool:
        with pytest.raises(TooLong):
            await read_all(pool, Source(str(long_file(tmp_path)), "pcm16"))


async def test_open_files_are_limited_and_a_reader_that_leaves_frees_its_slot(
    tmp_path: Path,
) -> None:
    source = Source(str(long_file(tmp_path)), "pcm16")
    async with open_decoder(open_files=1) as pool:
        first = pool.decode(source)
        assert not (await anext(first)).done
        with pytest.raises(Overloaded):
            await read_all(pool, source)
        await first.aclose()
        assert (await read_all(pool, source))[-1].done


async def test_a_file_that_was_read_to_its_end_keeps_no_place_while_its_reader_is_busy(
    tmp_path: Path,
) -> None:
    source = Source(str(long_file(tmp_path)), "pcm16")
    async with open_decoder(open_files=1) as pool, aclosing(pool.decode(source)) as first:
        while not (await anext(first)).done:
            pass
        assert (await read_all(pool, source))[-1].done


async def test_closing_fails_the_readers_and_leaves_no_child(tmp_path: Path) -> None:
    async with open_decoder() as pool:
        reader = pool.decode(Source(str(long_file(tmp_path)), "pcm16"))
        assert not (await anext(reader)).done
        children = psutil.Process().children()
        await pool.aclose()
        with pytest.raises(Draining):
            await anext(reader)
        assert children
        assert not any(child.is_running() for child in children)


HANG = ProcessExit("SIGKILL", None, ("av/container.py:1 read",))
MALLORY, ALICE = ClientId("mallory"), ClientId("alice")


async def test_a_file_that_moved_has_the_same_chunks(tmp_path: Path) -> None:
    """The worker that has it open is stopped, so that the other one decodes all of it again."""
    source = Source(str(long_file(tmp_path)), "pcm16")
    async with open_decoder(decode_workers=2, decode_budget_s=600) as pool:
        undisturbed = spans(await read_all(pool, source))
        await poll_until(lambda: pool.stats().ready and len(pids_of(pool)) == 2)
        first = pool.decode(source, client=ALICE)
        steps = [await anext(first)]
        (own,) = [stream.worker for stream in pool._schedule._files]
        assert own is not None
        pids = {worker.id: worker.pid for worker in pool.stats().workers if worker.pid is not None}
        for pid in pids.values():  # so that each of them takes one of the two files
            os.kill(pid, signal.SIGSTOP)
        held = asyncio.create_task(read_all(pool, source))
        others = asyncio.create_task(read_all(pool, source, MALLORY))
        await poll_until(lambda: len(pool._schedule._running) == 2)
        (other,) = pids.keys() - {own}
        os.kill(pids[other], signal.SIGCONT)
        steps += [step async for step in first]
        assert not (held.done() and others.done())
        os.kill(pids[own], signal.SIGCONT)
        assert spans(steps) == undisturbed
        assert spans(await held) == spans(await others) == undisturbed
        assert pool.stats().replaced == pool.stats().jobs.retried == 0


def pids_of(pool: DecodePool) -> list[int]:
    return [worker.pid for worker in pool.stats().workers if worker.pid is not None]


async def test_a_file_that_is_removed_while_it_is_read_is_read_to_its_end(tmp_path: Path) -> None:
    path = long_file(tmp_path)
    async with open_decoder(decode_workers=1) as pool:
        steps: list[Progress] = []
        async for progress in pool.decode(Source(str(path), "pcm16")):
            if not steps:
                path.unlink()
                await kill_all(pool)
            steps.append(progress)
        assert steps[-1].done
        assert steps[-1].duration_samples == 12 * (CLIPS["pair.wav"].pcm.size + 16_000)


@pytest.mark.parametrize("kind", ["nothing", "folder", "pipe"])
async def test_what_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    pool = DecodePool(WorkerSettings(), DecodeSettings())
    with pytest.raises(AudioError, match="cannot be read") as caught:
        await anext(pool.decode(Source(str(path))))
    assert str(path) not in str(caught.value)


async def test_files_are_closed_when_their_reading_ends(tmp_path: Path) -> None:
    process = psutil.Process()
    async with open_decoder(decode_workers=1) as pool:
        assert (await read_all(pool, Source(str(CLIPS["pair.wav"].path))))[-1].done
        before = process.num_fds()
        for _ in range(5):
            assert (await read_all(pool, Source(str(CLIPS["pair.wav"].path))))[-1].done
            async with aclosing(pool.decode(Source(str(long_file(tmp_path)), "pcm16"))) as reading:
                await anext(reading)
        assert process.num_fds() <= before
        (pid,) = [worker.pid for worker in pool.stats().workers if worker.pid]
        assert psutil.Process(pid).num_fds() < 20
