"""Results, priorities, limits and reservations, with real worker processes."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from auricle.values.errors import (
    AudioError,
    BadRequest,
    DeadlineExceeded,
    Draining,
    Overloaded,
    PoisonJob,
    Superseded,
)
from auricle.values.types import (
    ClientId,
    Job,
    JobId,
    JobKind,
    Options,
    ReservationRequest,
    Transcript,
)
from tests.support.poll import poll_until
from tests.support.scripted_engine import SECRET, answer
from tests.support.worker_pool import PoolFactory
from tests.workers.kinds.asr.pool.helpers import (
    all_ready,
    closed_gate,
    has_restarted,
    job,
    pids,
)

pytestmark = pytest.mark.process


async def test_each_job_gets_its_own_answer(open_pool: PoolFactory) -> None:
    async with open_pool() as pool:
        jobs = [job(f"j{n}", seconds=0.1 + n / 10) for n in range(20)]
        transcripts = await asyncio.gather(*map(pool.transcribe, jobs))
        assert [t.text for t in transcripts] == [answer(j.pcm) for j in jobs]
        assert {t.attempts for t in transcripts} == {1}
        assert pool.stats().jobs.done == 20


async def test_words_and_times_come_through(open_pool: PoolFactory) -> None:
    async with open_pool() as pool:
        asked = job("a")
        options = Options(language="de", word_timestamps=True)
        transcript = await pool.transcribe(Job(asked.id, asked.pcm, options))
        (segment,) = transcript.segments
        assert segment.words is not None
        assert (transcript.language, segment.end_sample) == ("de", asked.pcm.size)
        assert segment.words[0].end_sample == asked.pcm.size
        assert transcript.timing.ipc_ms >= 0


async def test_audio_that_the_engine_refuses_leaves_the_worker_up(open_pool: PoolFactory) -> None:
    async with open_pool(workers=1) as pool:
        before = pids(pool)
        with pytest.raises(AudioError) as caught:
            await pool.transcribe(job("a", "audio-error"))
        assert SECRET not in str(caught.value)
        assert (await pool.transcribe(job("b"))).attempts == 1
        assert pids(pool) == before


async def test_a_library_that_prints_does_not_break_the_wire(open_pool: PoolFactory) -> None:
    async with open_pool(workers=1) as pool:
        assert (await pool.transcribe(job("a", "print"))).attempts == 1
        assert (await pool.transcribe(job("b", "chatter:5000000"))).attempts == 1


async def test_the_deadline_ends_the_wait_and_the_worker_continues(
    open_pool: PoolFactory, tmp_path: Path
) -> None:
    gate = closed_gate(tmp_path)
    async with open_pool(workers=1) as pool:
        with pytest.raises(DeadlineExceeded):
            await pool.transcribe(job("slow", f"hold:{gate}", max_wait_s=1.0))
        gate.unlink()
        assert (await pool.transcribe(job("b"))).attempts == 1
        assert pool.stats().workers[0].restarts == 0


async def test_a_caller_that_leaves_frees_its_place(open_pool: PoolFactory, tmp_path: Path) -> None:
    gate = closed_gate(tmp_path)
    async with open_pool(workers=1, batch_jobs=1) as pool:
        running = asyncio.create_task(pool.transcribe(job("slow", f"hold:{gate}")))
        await poll_until(lambda: pool.stats().queue.running_jobs == 1)
        waiting = asyncio.create_task(pool.transcribe(job("waiting")))
        await poll_until(lambda: pool.stats().queue.waiting_jobs == 1)
        waiting.cancel()
        running.cancel()
        await asyncio.wait([waiting, running])
        assert pool.stats().queue.waiting_jobs == 0
        gate.unlink()
        assert (await pool.transcribe(job("next"))).attempts == 1


async def test_finals_pass_partials_and_files(open_pool: PoolFactory, tmp_path: Path) -> None:
    gate = closed_gate(tmp_path)
    async with open_pool(workers=1, batch_jobs=1) as pool:
        order: list[str] = []

        async def run(a_job: Job) -> None:
            await pool.transcribe(a_job)
            order.append(a_job.id)

        async with asyncio.TaskGroup() as group:
            group.create_task(run(job("first", f"hold:{gate}")))
            await poll_until(lambda: pool.stats().queue.running_jobs == 1)
            for kind in (JobKind.FILE, JobKind.PARTIAL, JobKind.SPECULATIVE, JobKind.FINAL):
                group.create_task(run(job(kind.value, kind=kind)))
            await poll_until(lambda: pool.stats().queue.waiting_jobs == 4)
            gate.unlink()
        assert order == ["first", "final", "speculative", "partial", "file"]


async def test_a_newer_partial_replaces_a_waiting_one(
    open_pool: PoolFactory, tmp_path: Path
) -> None:
    gate = closed_gate(tmp_path)
    async with open_pool(workers=1, batch_jobs=1) as pool:
        async with asyncio.TaskGroup() as group:
            group.create_task(pool.transcribe(job("first", f"hold:{gate}")))
            await poll_until(lambda: pool.stats().queue.running_jobs == 1)
            partials = [
                asyncio.create_task(
                    pool.transcribe(job(f"p{n}", kind=JobKind.PARTIAL, utterance="s1/1"))
                )
                for n in range(3)
            ]
            await poll_until(
                lambda: [partial.done() for partial in partials] == [True, True, False]
            )
            gate.unlink()
        results = await asyncio.gather(*partials, return_exceptions=True)
        assert [type(result) for result in results] == [Superseded, Superseded, Transcript]


async def test_a_final_gets_the_result_of_its_running_speculative_job(
    open_pool: PoolFactory, tmp_path: Path
) -> None:
    gate = closed_gate(tmp_path)
    async with open_pool(workers=2, batch_jobs=1) as pool:
        early = job("s1", f"hold:{gate}", kind=JobKind.SPECULATIVE, utterance="s/1")
        final = replace(early, id=JobId("f"), kind=JobKind.FINAL)
        async with asyncio.TaskGroup() as group:
            first = group.create_task(pool.transcribe(early))
            await poll_until(lambda: pool.stats().queue.running_jobs == 1)
            second = group.create_task(pool.transcribe(final))
            await asyncio.sleep(0)
            gate.unlink()
        assert first.result() is second.result()
        assert pool.stats().jobs.done == 1


async def test_a_final_whose_speculative_job_is_cancelled_is_recognised(
    open_pool: PoolFactory, tmp_path: Path
) -> None:
    gate = closed_gate(tmp_path)
    async with open_pool(workers=2, batch_jobs=1) as pool:
        early = job("s1", f"hold:{gate}", kind=JobKind.SPECULATIVE, utterance="s/1")
        final = replace(early, id=JobId("f"), kind=JobKind.FINAL)
        first = asyncio.create_task(pool.transcribe(early))
        await poll_until(lambda: pool.stats().queue.running_jobs == 1)
        second = asyncio.create_task(pool.transcribe(final))
        await asyncio.sleep(0)
        first.cancel()
        gate.unlink()
        assert (await second).text == answer(final.pcm)


async def test_overload_refuses_with_a_time_and_keeps_what_it_took(
    open_pool: PoolFactory,
) -> None:
    async with open_pool(workers=1, batch_jobs=1, queue_jobs=4) as pool:
        jobs = [job(f"j{n}", "sleep:0.05") for n in range(30)]
        results = await asyncio.gather(*map(pool.transcribe, jobs), return_exceptions=True)
        refused = [r for r in results if isinstance(r, Overloaded)]
        accepted = [r for r in results if isinstance(r, Transcript)]
        assert len(refused) + len(accepted) == 30
        assert len(accepted) >= 4
        assert all(r.retry_after_s >= 1 for r in refused)


async def test_a_greedy_key_leaves_the_modest_one_its_share(
    open_pool: PoolFactory, tmp_path: Path
) -> None:
    gate = closed_gate(tmp_path)
    async with open_pool(workers=1, batch_jobs=1) as pool:
        order: list[str] = []

        async def run(a_job: Job) -> None:
            await pool.transcribe(a_job)
            order.append(a_job.client)

        async with asyncio.TaskGroup() as group:
            group.create_task(run(job("first", f"hold:{gate}", client="greedy")))
            await poll_until(lambda: pool.stats().queue.running_jobs == 1)
            for n in range(20):
                group.create_task(run(job(f"g{n}", seconds=2, client="greedy")))
            for n in range(4):
                group.create_task(run(job(f"m{n}", seconds=2, client="modest")))
            await poll_until(lambda: pool.stats().queue.waiting_jobs == 24)
            gate.unlink()
        assert order[:12].count("modest") == 4


@pytest.mark.parametrize(
    "options", [Options(initial_prompt="\udce9"), Options(beam_size=2**70)], ids=str
)
async def test_options_that_cannot_be_sent_are_refused(
    open_pool: PoolFactory, options: Options
) -> None:
    async with open_pool() as pool:
        with pytest.raises(BadRequest):
            await pool.transcribe(Job(JobId("a"), job("a").pcm, options))
        assert (await pool.transcribe(job("b"))).attempts == 1
        assert not has_restarted(pool, 1)


async def test_a_job_longer_than_the_engine_takes_is_refused(open_pool: PoolFactory) -> None:
    async with open_pool(engine="tests.support.limited_engine", model=None, workers=1) as pool:
        german = Options(language="de")
        with pytest.raises(BadRequest, match=r"4\.0 s is too long; the engine takes 3 s"):
            await pool.transcribe(replace(job("long", seconds=4.0), options=german))
        await pool.transcribe(replace(job("short", seconds=3.0), options=german))
        assert has_restarted(pool, 0)


async def test_a_job_that_cannot_be_handed_over_ends_alone(
    open_pool: PoolFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auricle.workers.kinds.asr.pool.refuse_unsendable", lambda job: None)
    async with open_pool(poison_attempts=1) as pool:
        await all_ready(pool)
        with pytest.raises(PoisonJob):
            await pool.transcribe(Job(JobId("a"), job("a").pcm, Options(beam_size=2**70)))
        assert (await pool.transcribe(job("b"))).attempts == 1


async def test_a_reservation_is_no_way_into_a_closed_pool(open_pool: PoolFactory) -> None:
    async with open_pool() as pool:
        reservation = pool.reserve(ReservationRequest(ClientId("anonymous"), 5.0))
        await pool.aclose()
        with pytest.raises(Draining):
            await pool.transcribe(job("late", reservation=reservation))


async def test_prefix_and_tokens_travel_with_the_job(open_pool: PoolFactory) -> None:
    async with open_pool() as pool:
        options = Options(word_timestamps=True, prefix_tokens=(7, 8), is_partial=True)
        transcript = await pool.transcribe(Job(JobId("a"), job("a").pcm, options))
        (segment,) = transcript.segments
        assert segment.words is not None
        assert segment.words[0].tokens == (7, 8)
        assert segment.words[0].probability == 0.25  # the fake's value for `is_partial`


async def test_what_a_piece_wants_travels_with_the_job(open_pool: PoolFactory) -> None:
    async with open_pool() as pool:
        starts = []
        for options in (Options(is_chunk=True), Options(is_chunk=True, sentence_times=False)):
            transcript = await pool.transcribe(Job(JobId("a"), job("a").pcm, options))
            starts.append(transcript.segments[0].start_sample)
        assert starts == [1, 0]  # what the fake makes of them


async def test_samples_that_do_not_lie_together_are_recognised(open_pool: PoolFactory) -> None:
    async with open_pool() as pool:
        stereo = job("a", seconds=2.0).pcm
        transcript = await pool.transcribe(Job(JobId("left"), stereo[::2]))
        assert transcript.text == answer(stereo[::2])
