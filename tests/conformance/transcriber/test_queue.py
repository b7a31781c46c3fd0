"""Overload, deadlines, cancellation, priorities and reservations."""

import asyncio
import time
from collections import Counter
from pathlib import Path

import pytest

from auricle.values.errors import DeadlineExceeded, Overloaded, Superseded
from auricle.values.types import ANONYMOUS, ClientId, JobKind, ReservationRequest, Transcript
from tests.conformance.subject import Maker
from tests.conformance.transcriber.helpers import (
    ConnectionLimiter,
    Notes,
    blocked,
    job,
    waiting,
)
from tests.support.poll import poll_until
from tests.support.scripted_engine import answer

pytestmark = pytest.mark.process


async def test_overload_splits_into_answers_and_refusals_with_a_time(
    open_transcriber: Maker, tmp_path: Path
) -> None:
    async with open_transcriber(nodes=1, queue_jobs=4) as subject:
        notes = Notes(tmp_path / "runs")
        jobs = [job(f"j{n}", notes.line, "sleep:0.05") for n in range(30)]
        results = await asyncio.gather(
            *map(subject.transcriber.transcribe, jobs), return_exceptions=True
        )
        done = {j.id: r.text for j, r in zip(jobs, results, strict=True) if type(r) is Transcript}
        refused = [r for r in results if type(r) is Overloaded]
        assert len(done) + len(refused) == 30
        assert 4 <= len(done) < 30
        assert done == {j.id: answer(j.pcm) for j in jobs if j.id in done}
        assert all(r.retry_after_s >= 1 for r in refused)
        runs = Counter(notes.heard)
        assert runs.keys() == set(done.values())
        assert all(runs[r.text] <= r.attempts for r in results if type(r) is Transcript)


async def test_a_deadline_ends_the_wait_and_harms_no_other_job(
    open_transcriber: Maker, tmp_path: Path
) -> None:
    async with open_transcriber(nodes=1) as subject:
        gate, before = ConnectionLimiter.closed(tmp_path), time.monotonic()
        with pytest.raises(DeadlineExceeded):
            await subject.transcriber.transcribe(job("slow", gate.line, max_wait_s=0.5))
        assert time.monotonic() - before > 0.4  # and before its end, which is no error
        gate.open()
        assert (await subject.transcriber.transcribe(job("b"))).attempts == 1
        assert subject.transcriber.stats().workers[0].restarts == 0


async def test_what_has_waited_past_its_deadline_is_not_run(
    open_transcriber: Maker, tmp_path: Path
) -> None:
    async with open_transcriber(nodes=1) as subject:
        gate, blocker = await blocked(subject, tmp_path)
        notes = Notes(tmp_path / "runs")
        late = job("late", notes.line, max_wait_s=2)
        asked = asyncio.create_task(subject.transcriber.transcribe(late))
        await poll_until(
            lambda: asked.done() or subject.transcriber.stats().queue.waiting_jobs == 1
        )
        with pytest.raises(DeadlineExceeded):
            await asked
        await waiting(subject, 0)
        gate.open()
        await asyncio.gather(blocker, subject.transcriber.transcribe(job("b")))
        assert notes.runs == 0


async def test_a_cancelled_job_is_not_run(open_transcriber: Maker, tmp_path: Path) -> None:
    async with open_transcriber(nodes=1) as subject:
        gate, blocker = await blocked(subject, tmp_path)
        notes = Notes(tmp_path / "runs")
        left = [job(f"l{n}", notes.line, "sleep:20") for n in range(3)]
        tasks = [asyncio.create_task(subject.transcriber.transcribe(a_job)) for a_job in left]
        await waiting(subject, 3)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks)
        await waiting(subject, 0)
        gate.open()
        await asyncio.gather(blocker, subject.transcriber.transcribe(job("b")))
        assert notes.runs == 0


async def test_a_caller_that_leaves_a_running_job_frees_its_worker(
    open_transcriber: Maker, tmp_path: Path
) -> None:
    async with open_transcriber(nodes=1) as subject:
        gate, blocker = await blocked(subject, tmp_path)
        blocker.cancel()
        await asyncio.wait([blocker])
        assert blocker.cancelled()
        gate.open()
        assert (await subject.transcriber.transcribe(job("b"))).attempts == 1
        assert subject.transcriber.stats().workers[0].restarts == 0


async def test_a_newer_partial_replaces_an_older_one(
    open_transcriber: Maker, tmp_path: Path
) -> None:
    async with open_transcriber(nodes=1) as subject:
        gate, blocker = await blocked(subject, tmp_path)
        notes = Notes(tmp_path / "runs")
        partials = [
            job(f"p{n}", notes.line, kind=JobKind.PARTIAL, utterance="s1/1") for n in range(3)
        ]
        other = job("other", notes.line, kind=JobKind.PARTIAL, utterance="s2/1")
        tasks = [asyncio.create_task(subject.transcriber.transcribe(partials[0]))]
        await waiting(subject, 1)
        for partial in partials[1:]:  # the last one comes before the second is out of the way
            tasks.append(asyncio.create_task(subject.transcriber.transcribe(partial)))
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(subject.transcriber.transcribe(other)))
        await waiting(subject, 2)
        gate.open()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await blocker
        assert [type(r) for r in results] == [Superseded, Superseded, Transcript, Transcript]
        # Sent over a network, they may arrive in either order.
        assert sorted(notes.heard) == sorted([answer(partials[2].pcm), answer(other.pcm)])


async def test_finals_pass_speculation_partials_and_files(
    open_transcriber: Maker, tmp_path: Path
) -> None:
    async with open_transcriber(nodes=1) as subject:
        gate, blocker = await blocked(subject, tmp_path)
        notes = Notes(tmp_path / "runs")
        kinds = (JobKind.FILE, JobKind.PARTIAL, JobKind.SPECULATIVE, JobKind.FINAL)
        jobs = [job(kind.value, notes.line, kind=kind) for kind in kinds]
        running = asyncio.gather(*map(subject.transcriber.transcribe, jobs))
        await waiting(subject, 4)
        gate.open()
        await asyncio.gather(blocker, running)
        assert notes.heard == [answer(a_job.pcm) for a_job in reversed(jobs)]


async def test_a_greedy_client_leaves_the_modest_one_its_share(
    open_transcriber: Maker, tmp_path: Path
) -> None:
    async with open_transcriber(nodes=1) as subject:
        gate, blocker = await blocked(subject, tmp_path)
        notes = Notes(tmp_path / "runs")
        greedy = [job(f"g{n}", notes.line, seconds=2, client="greedy") for n in range(20)]
        running = asyncio.gather(*map(subject.transcriber.transcribe, greedy))
        await waiting(subject, 20)
        modest = [job(f"m{n}", notes.line, seconds=2, client="modest") for n in range(4)]
        served = asyncio.gather(*map(subject.transcriber.transcribe, modest))
        await waiting(subject, 24)
        gate.open()
        await asyncio.gather(blocker, running, served)
        ours = {answer(a_job.pcm) for a_job in modest}
        assert sum(heard in ours for heard in notes.heard[:12]) == 4


async def test_a_reservation_is_worth_its_room_when_all_else_is_full(
    open_transcriber: Maker, tmp_path: Path
) -> None:
    async with open_transcriber(nodes=1, queue_audio_s=20) as subject:
        transcriber = subject.transcriber
        one = transcriber.reserve(ReservationRequest(ANONYMOUS, 4.0))
        standing = transcriber.reserve(ReservationRequest(ANONYMOUS, 4.0, standing=True))
        gate, blocker = await blocked(subject, tmp_path)
        others = asyncio.gather(
            *(transcriber.transcribe(job(f"o{n}", seconds=4.0)) for n in range(8)),
            return_exceptions=True,
        )
        await poll_until(lambda: transcriber.stats().queue.waiting_audio_s >= 8)
        rooms = (one, standing)
        first = [job(f"r{room}", seconds=4.0, reservation=room) for room in rooms]
        served = [asyncio.create_task(transcriber.transcribe(a_job)) for a_job in first]
        await asyncio.wait(served, timeout=1.0)
        assert not any(task.done() for task in served)  # neither refused nor shed: they wait
        gate.open()
        assert [t.text for t in await asyncio.gather(*served)] == [answer(j.pcm) for j in first]
        results = await others
        assert {type(result) for result in results} == {Transcript, Overloaded}
        again = job("again", seconds=4.0, reservation=standing)
        assert (await transcriber.transcribe(again)).text == answer(again.pcm)
        transcriber.release(standing)
        transcriber.release(standing)
        transcriber.release("never made")
        await blocker


async def test_room_is_refused_when_there_is_none_and_given_back_by_release(
    open_transcriber: Maker,
) -> None:
    async with open_transcriber(nodes=1, queue_audio_s=20) as subject:
        transcriber = subject.transcriber
        first = transcriber.reserve(ReservationRequest(ANONYMOUS, 15.0))
        with pytest.raises(Overloaded) as caught:
            transcriber.reserve(ReservationRequest(ANONYMOUS, 6.0))
        assert type(caught.value) is Overloaded
        assert caught.value.retry_after_s >= 1
        second = transcriber.reserve(ReservationRequest(ANONYMOUS, 5.0))
        assert transcriber.stats().queue.reserved_audio_s == 20.0
        transcriber.release(first)
        transcriber.release(second)
        assert transcriber.stats().queue.reserved_audio_s == 0.0
        transcriber.reserve(ReservationRequest(ANONYMOUS, 20.0))


async def test_a_standing_reservation_is_made_however_full_the_queue_and_takes_no_room(
    open_transcriber: Maker,
) -> None:
    async with open_transcriber(nodes=1, queue_audio_s=20) as subject:
        transcriber = subject.transcriber
        transcriber.reserve(ReservationRequest(ANONYMOUS, 15.0))
        for _ in range(3):
            transcriber.reserve(ReservationRequest(ANONYMOUS, 30.0, standing=True))
        transcriber.reserve(ReservationRequest(ANONYMOUS, 5.0))
        with pytest.raises(Overloaded):
            transcriber.reserve(ReservationRequest(ANONYMOUS, 0.1))


async def test_a_key_alone_may_use_the_whole_queue_and_leaves_others_the_rest_of_its_share(
    open_transcriber: Maker,
) -> None:
    greedy, modest = ClientId("greedy"), ClientId("modest")
    async with open_transcriber(nodes=1, queue_audio_s=20, key_share=0.6) as subject:
        transcriber = subject.transcriber
        for _ in range(2):
            transcriber.reserve(ReservationRequest(greedy, 10.0))
        with pytest.raises(Overloaded, match="share"):
            transcriber.reserve(ReservationRequest(greedy, 0.1))
        for _ in range(2):
            transcriber.reserve(ReservationRequest(modest, 4.0))
        with pytest.raises(Overloaded, match="queue is full"):
            transcriber.reserve(ReservationRequest(modest, 0.1))


async def test_a_reservation_is_used_up_by_its_first_job_unless_it_stands(
    open_transcriber: Maker,
) -> None:
    async with open_transcriber(nodes=1, queue_audio_s=20) as subject:
        transcriber = subject.transcriber
        one = transcriber.reserve(ReservationRequest(ANONYMOUS, 5.0))
        standing = transcriber.reserve(ReservationRequest(ANONYMOUS, 6.0, standing=True))
        assert transcriber.stats().queue.reserved_audio_s == 11.0
        await transcriber.transcribe(job("a", reservation=one))
        await transcriber.transcribe(job("b", reservation=standing))
        assert transcriber.stats().queue.reserved_audio_s == 6.0
