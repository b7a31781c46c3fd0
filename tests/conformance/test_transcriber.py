"""What every Transcriber does, whoever makes it: the same tests for all (see ``conftest.py``).

They see a transcriber through its protocol only. What the engine ran is read from notes that it
takes itself: a job that was refused, cancelled or replaced must not be among them.
"""

import asyncio
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

from auricle.errors import (
    AudioError,
    BadRequest,
    DeadlineExceeded,
    Draining,
    NoWorkerReady,
    Overloaded,
    PoisonJob,
    Superseded,
    WorkerError,
)
from auricle.transcriber import Transcriber
from auricle.types import (
    ANONYMOUS,
    ClientId,
    Job,
    JobId,
    JobKind,
    Options,
    ReservationRequest,
    Transcript,
)
from tests.conformance.subject import Maker, Subject, still_there
from tests.support.clips import CLIPS, words
from tests.support.model import bundled_model
from tests.support.poll import poll_until
from tests.support.scripted_engine import SECRET, answer

pytestmark = pytest.mark.process

SAMPLES = np.random.default_rng(7)
HANG_LIMIT_S = 25.0
"""Within this a part that says nothing any more is given up, and its job is done elsewhere."""


def script(*lines: str) -> str:
    return "\n".join(f"scripted:{line}" for line in lines)


def job(
    name: str,
    *lines: str,
    seconds: float = 1.0,
    kind: JobKind = JobKind.FINAL,
    utterance: str = "",
    max_wait_s: float | None = None,
    client: str = ANONYMOUS,
    reservation: str | None = None,
) -> Job:
    pcm = SAMPLES.integers(-3000, 3000, int(16_000 * seconds), dtype=np.int16)
    return Job(
        JobId(name),
        pcm,
        Options(initial_prompt=script(*lines) if lines else None),
        kind=kind,
        utterance=utterance,
        max_wait_s=max_wait_s,
        client=ClientId(client),
        reservation=reservation,
    )


@dataclass(frozen=True)
class Notes:
    """What the engine wrote down: one line for each time that it ran a job."""

    path: Path

    @property
    def line(self) -> str:
        return f"note:{self.path}"

    def _read(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []

    @property
    def runs(self) -> int:
        return len(self._read())

    @property
    def heard(self) -> list[str]:
        return [line.split(" ", 1)[1] for line in self._read()]

    async def worker(self, run: int = 1) -> int:
        """Wait for a run, and return the pid of the worker that has it."""
        await poll_until(lambda: self.runs >= run, f"run {run}")
        return int(self._read()[run - 1].split()[0])


@dataclass(frozen=True)
class ConnectionLimiter:
    """Holds back whoever runs a job with this line, until it is opened."""

    path: Path

    @classmethod
    def closed(cls, folder: Path) -> "ConnectionLimiter":
        path = folder / "gate"
        path.touch()
        return cls(path)

    @property
    def line(self) -> str:
        return f"hold:{self.path}"

    def open(self) -> None:
        self.path.unlink(missing_ok=True)


def once(folder: Path, name: str = "once") -> str:
    """Return the marker of what is to happen only once."""
    path = folder / name
    path.touch()
    return str(path)


async def blocked(
    subject: Subject, folder: Path
) -> tuple[ConnectionLimiter, "asyncio.Task[Transcript]"]:
    """Occupy the only worker until the gate is opened."""
    gate, notes = ConnectionLimiter.closed(folder), Notes(folder / "blocker")
    blocker = job("blocker", notes.line, gate.line)
    task = asyncio.create_task(subject.transcriber.transcribe(blocker))
    await notes.worker()
    return gate, task


async def waiting(subject: Subject, jobs: int) -> None:
    await poll_until(lambda: subject.transcriber.stats().queue.waiting_jobs == jobs, f"{jobs} wait")


async def as_a_client(transcriber: Transcriber, a_job: Job) -> Transcript:
    """Come back, as a client does, while told to."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await transcriber.transcribe(a_job)
            except Overloaded:
                await asyncio.sleep(0.2)


# What is heard.


async def test_each_job_gets_its_own_answer(open_transcriber: Maker) -> None:
    async with open_transcriber(batch_jobs=8) as subject:
        jobs = [job(f"j{n}", seconds=0.1 + n / 10) for n in range(20)]
        transcripts = await asyncio.gather(*map(subject.transcriber.transcribe, jobs))
        assert [t.text for t in transcripts] == [answer(j.pcm) for j in jobs]
        assert [t.duration_samples for t in transcripts] == [j.pcm.size for j in jobs]
        assert {t.attempts for t in transcripts} == {1}
        await poll_until(lambda: subject.transcriber.stats().jobs.done == 20)


async def test_all_that_was_asked_for_travels_there_and_back(open_transcriber: Maker) -> None:
    async with open_transcriber(nodes=1) as subject:
        asked, texts = job("a"), []
        for options in (
            Options(language="de", word_timestamps=True, prefix_tokens=(7, 8), is_guess=True),
            Options(word_timestamps=True, hotwords=("Auricle",), is_piece=True),
            Options(is_piece=True, sentence_times=False),
        ):
            transcript = await subject.transcriber.transcribe(Job(asked.id, asked.pcm, options))
            (segment,) = transcript.segments
            texts.append(
                (transcript.text, transcript.language, segment.start_sample, segment.words)
            )
            assert segment.end_sample == asked.pcm.size
            assert segment.avg_logprob == -0.25
            timing = transcript.timing
            assert min(timing.queue_ms, timing.ipc_ms, timing.asr_ms) >= 0
        said = answer(asked.pcm)
        assert [(text, language) for text, language, _, _ in texts] == [
            (said, "de"),
            (said, "en"),
            (said, "en"),
        ]
        first, second, third = (found for *_, found in texts)
        assert first is not None
        assert [(w.end_sample, w.text, w.probability, w.tokens) for w in first] == [
            (asked.pcm.size, said, 0.25, (7, 8))  # a probability that only a guess has
        ]
        assert second is not None
        assert (second[0].probability, third) == (0.5, None)
        assert [start for _, _, start, _ in texts] == [0, 1, 0]  # what it gives a piece


@pytest.mark.model
async def test_the_model_hears_what_was_said(open_transcriber: Maker) -> None:
    async with open_transcriber(nodes=1, engine="whisper", model=str(bundled_model())) as subject:
        clip = CLIPS["fellow.wav"]
        options = Options(language="en", beam_size=1)
        heard = await subject.transcriber.transcribe(Job(JobId("a"), clip.pcm, options))
        assert words(heard.text) == words(clip.text)


async def test_it_tells_how_it_is(open_transcriber: Maker) -> None:
    async with open_transcriber(nodes=2, queue_audio_s=50) as subject:
        await subject.transcriber.transcribe(job("a"))
        await poll_until(lambda: subject.transcriber.stats().jobs.done == 1)
        stats = subject.transcriber.stats()
        assert stats.ready
        assert stats.model.endswith("scripted")
        assert stats.seconds_per_audio_s > 0
        assert stats.queue.max_audio_s >= 50
        assert (
            stats.jobs.failed,
            stats.jobs.retried,
            stats.jobs.poison,
            stats.queue.waiting_jobs,
        ) == (0, 0, 0, 0)
        assert len({worker.id for worker in stats.workers}) == 2
        children = {process.pid for process in subject.processes()}
        assert {worker.pid for worker in stats.workers} <= children


# Whose fault it is.


async def test_poison_is_convicted_and_refused_and_no_innocent_with_it(
    open_transcriber: Maker, tmp_path: Path
) -> None:
    async with open_transcriber(workers=2) as subject:
        notes = Notes(tmp_path / "runs")
        poison = job("poison", notes.line, "segfault")
        others = [job(f"o{n}") for n in range(8)]
        results = await asyncio.gather(
            *map(subject.transcriber.transcribe, [poison, *others]), return_exceptions=True
        )
        assert type(results[0]) is PoisonJob
        assert [r.text for r in results[1:] if isinstance(r, Transcript)] == [
            answer(j.pcm) for j in others
        ]
        assert notes.runs == 2  # it has died twice in the same way, and nobody tries again
        for n in range(4):
            with pytest.raises(PoisonJob):
                await subject.transcriber.transcribe(Job(JobId(f"again{n}"), poison.pcm.copy()))
        assert notes.runs == 2
        await poll_until(lambda: subject.transcriber.stats().jobs.poison == 1)
        assert sum(worker.restarts for worker in subject.transcriber.stats().workers) <= 2


async def test_audio_that_the_engine_refuses_is_the_callers_and_is_asked_once(
    open_transcriber: Maker, tmp_path: Path
) -> None:
    async with open_transcriber() as subject:
        notes = Notes(tmp_path / "runs")
        with pytest.raises(AudioError) as caught:
            await subject.transcriber.transcribe(job("a", notes.line, "audio-error"))
        assert SECRET not in str(caught.value)
        assert notes.runs == 1
        assert (await subject.transcriber.transcribe(job("b"))).attempts == 1
        await poll_until(lambda: subject.transcriber.stats().jobs.failed == 1)
        assert not any(worker.restarts for worker in subject.transcriber.stats().workers)


@pytest.mark.parametrize(
    "options", [Options(initial_prompt="\udce9"), Options(beam_size=2**70)], ids=str
)
async def test_options_that_cannot_be_sent_are_refused(
    open_transcriber: Maker, options: Options
) -> None:
    async with open_transcriber(nodes=1) as subject:
        with pytest.raises(BadRequest):
            await subject.transcriber.transcribe(Job(JobId("a"), job("a").pcm, options))
        assert (await subject.transcriber.transcribe(job("b"))).attempts == 1


# What is lost on the way.


async def test_the_death_of_a_worker_in_flight_is_invisible(
    open_transcriber: Maker, tmp_path: Path
) -> None:
    async with open_transcriber(nodes=1, workers=2) as subject:
        notes = Notes(tmp_path / "runs")
        asked = job("a", notes.line, f"sleep-once:60:{once(tmp_path)}")
        running = asyncio.create_task(subject.transcriber.transcribe(asked))
        os.kill(await notes.worker(), signal.SIGKILL)
        transcript = await running
        assert (transcript.text, transcript.attempts) == (answer(asked.pcm), 2)
        assert notes.runs == 2


async def test_many_deaths_cost_no_word(open_transcriber: Maker, tmp_path: Path) -> None:
    async with open_transcriber(nodes=2, workers=2) as subject:
        notes = Notes(tmp_path / "runs")
        room = subject.transcriber.reserve(ReservationRequest(ANONYMOUS, 20.0, standing=True))
        jobs = [job(f"j{n}", notes.line, "sleep:0.05", reservation=room) for n in range(60)]
        running = asyncio.gather(*map(subject.transcriber.transcribe, jobs))
        for nth in (5, 20, 35):  # only these runs, and none of them is over yet
            os.kill(await notes.worker(nth), signal.SIGKILL)
        assert [t.text for t in await running] == [answer(j.pcm) for j in jobs]


async def test_the_loss_of_a_part_is_invisible(open_transcriber: Maker, tmp_path: Path) -> None:
    async with open_transcriber(nodes=2) as subject:
        notes = Notes(tmp_path / "runs")
        asked = job("a", notes.line, f"sleep-once:3:{once(tmp_path)}")
        running = asyncio.create_task(subject.transcriber.transcribe(asked))
        part = subject.part(await notes.worker())
        orphans = part.children(recursive=True)
        part.kill()
        assert (await running).text == answer(asked.pcm)
        assert notes.runs == 2
        await poll_until(lambda: not still_there(orphans), "the end of its workers")
        assert (await as_a_client(subject.transcriber, job("b"))).text


async def test_a_part_that_stands_still_is_given_up_in_time(
    open_transcriber: Maker, tmp_path: Path
) -> None:
    async with open_transcriber(nodes=2, job_timeout_min_s=2) as subject:
        notes = Notes(tmp_path / "runs")
        asked = job("a", notes.line, f"sleep-once:30:{once(tmp_path)}")
        running = asyncio.create_task(subject.transcriber.transcribe(asked))
        part = subject.part(await notes.worker())
        part.suspend()
        try:
            async with asyncio.timeout(HANG_LIMIT_S):
                assert (await running).text == answer(asked.pcm)
        finally:
            if part.is_running():
                part.kill()
        assert notes.runs == 2


async def test_what_loses_everything_it_runs_on_is_given_up(
    open_transcriber: Maker, tmp_path: Path
) -> None:
    async with open_transcriber(nodes=2) as subject:
        notes = Notes(tmp_path / "runs")
        asked = job("a", notes.line, "sleep:1.5")
        running = asyncio.create_task(subject.transcriber.transcribe(asked))
        await lose_each_run(subject, notes, running, most=10)
        with pytest.raises((Overloaded, WorkerError)):
            await running
        assert notes.runs == subject.max_runs
        assert (await as_a_client(subject.transcriber, job("b"))).text


async def test_a_live_final_outlives_more_than_one_loss(
    open_transcriber: Maker, tmp_path: Path
) -> None:
    async with open_transcriber(nodes=2) as subject:
        notes = Notes(tmp_path / "runs")
        room = subject.transcriber.reserve(ReservationRequest(ANONYMOUS, 10.0, standing=True))
        asked = job("a", notes.line, "sleep:1.5", utterance="s1/1", reservation=room)
        running = asyncio.create_task(subject.transcriber.transcribe(asked))
        await lose_each_run(subject, notes, running, most=3)
        assert (await running).text == answer(asked.pcm)
        assert notes.runs == 4


async def lose_each_run(
    subject: Subject, notes: Notes, running: "asyncio.Task[Transcript]", most: int
) -> None:
    """Lose whatever runs the job, so often, or until it has ended."""
    for run in range(1, most + 1):
        await poll_until(lambda run=run: running.done() or notes.runs >= run)  # type: ignore[misc]
        if running.done():
            return
        subject.lose(await notes.worker(run))


# Who waits, and for how long.


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
        assert sorted(notes.heard) == sorted(done.values())


async def test_a_deadline_ends_the_wait_and_harms_nobody(open_transcriber: Maker) -> None:
    async with open_transcriber(nodes=1) as subject:
        before = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            await subject.transcriber.transcribe(job("slow", "sleep:2", max_wait_s=0.5))
        assert 0.4 < time.monotonic() - before < 1.9
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
        await waiting(subject, 1)
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
        assert notes.heard == [answer(partials[2].pcm), answer(other.pcm)]


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


# Who has room.


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
        first = transcriber.reserve(ReservationRequest(ANONYMOUS, 10.0, standing=True))
        with pytest.raises(Overloaded) as caught:  # what is left is kept for those that come back
            transcriber.reserve(ReservationRequest(ANONYMOUS, 9.0, standing=True))
        assert type(caught.value) is Overloaded
        assert caught.value.retry_after_s >= 1
        resumed = transcriber.reserve(
            ReservationRequest(ANONYMOUS, 9.0, standing=True, resumed=True)
        )
        busy = transcriber.reserve(
            ReservationRequest(ANONYMOUS, 0.5)
        )  # the only worker is spoken for
        with pytest.raises(Overloaded):
            transcriber.reserve(ReservationRequest(ANONYMOUS, 9.0))
        assert transcriber.stats().queue.reserved_audio_s == 19.5
        transcriber.release(busy)
        transcriber.release(first)
        transcriber.release(resumed)
        assert transcriber.stats().queue.reserved_audio_s == 0.0
        transcriber.reserve(ReservationRequest(ANONYMOUS, 18.0, standing=True))


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


# The beginning and the end.


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
        closing = asyncio.create_task(subject.transcriber.aclose(drain_s=30))
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


async def test_closing_does_not_wait_for_ever(open_transcriber: Maker, tmp_path: Path) -> None:
    async with open_transcriber(nodes=1) as subject:
        gate, accepted = await blocked(subject, tmp_path)
        before = time.monotonic()
        await subject.transcriber.aclose(drain_s=0.2)
        assert time.monotonic() - before < 20
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
