"""Lost workers, nodes and connections."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from auricle.values.errors import Overloaded, WorkerError
from auricle.values.types import ANONYMOUS, ReservationRequest, Transcript
from tests.conformance.subject import Maker, Subject, still_there
from tests.conformance.transcriber.helpers import Notes, as_a_client, job
from tests.support.poll import poll_until
from tests.support.scripted_engine import answer

pytestmark = pytest.mark.process

HANG_LIMIT_S = 60.0
"""Within this a part that says nothing any more is given up, and its job is done elsewhere."""
SLEEP = "sleep:4"
"""Long enough to lose the run meanwhile, even on a busy machine."""


def once(folder: Path, name: str = "once") -> str:
    """Return the marker of what is to happen only once."""
    path = folder / name
    path.touch()
    return str(path)


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
        room = subject.transcriber.reserve(ReservationRequest(ANONYMOUS, 20.0, standing=True))
        jobs = [job(f"j{n}", "sleep:0.05", reservation=room) for n in range(60)]
        ended = {n: Notes(tmp_path / f"runs-{n}") for n in (5, 20, 35)}
        for n, notes in ended.items():  # each runs until its worker is killed
            lines = notes.line, f"sleep-once:60:{once(tmp_path, str(n))}"
            jobs[n] = job(f"j{n}", *lines, reservation=room)
        running = asyncio.gather(*map(subject.transcriber.transcribe, jobs))
        for notes in ended.values():
            os.kill(await notes.worker(), signal.SIGKILL)
        assert [t.text for t in await running] == [answer(j.pcm) for j in jobs]
        assert all(notes.runs > 1 for notes in ended.values())


async def test_the_loss_of_a_part_is_invisible(open_transcriber: Maker, tmp_path: Path) -> None:
    async with open_transcriber(nodes=2) as subject:
        notes = Notes(tmp_path / "runs")
        asked = job("a", notes.line, f"sleep-once:60:{once(tmp_path)}")
        running = asyncio.create_task(subject.transcriber.transcribe(asked))
        part = subject.part(await notes.worker())
        orphans = part.children(recursive=True)
        part.kill()
        assert (await running).text == answer(asked.pcm)
        assert notes.runs == 2
        await poll_until(lambda: not still_there(orphans), "the end of its workers")
        assert (await as_a_client(subject.transcriber, job("b"))).text


@pytest.mark.wall_clock
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


@pytest.mark.wall_clock
async def test_what_loses_everything_it_runs_on_is_given_up(
    open_transcriber: Maker, tmp_path: Path
) -> None:
    async with open_transcriber(nodes=2) as subject:
        notes = Notes(tmp_path / "runs")
        asked = job("a", notes.line, SLEEP)
        running = asyncio.create_task(subject.transcriber.transcribe(asked))
        await lose_each_run(subject, notes, running, most=10)
        with pytest.raises((Overloaded, WorkerError)):
            await running
        assert notes.runs == subject.max_runs
        assert (await as_a_client(subject.transcriber, job("b"))).text


@pytest.mark.wall_clock
async def test_a_live_final_outlives_more_than_one_loss(
    open_transcriber: Maker, tmp_path: Path
) -> None:
    async with open_transcriber(nodes=2) as subject:
        notes = Notes(tmp_path / "runs")
        room = subject.transcriber.reserve(ReservationRequest(ANONYMOUS, 10.0, standing=True))
        asked = job("a", notes.line, SLEEP, utterance="s1/1", reservation=room)
        running = asyncio.create_task(subject.transcriber.transcribe(asked))
        await lose_each_run(subject, notes, running, most=3)
        assert (await running).text == answer(asked.pcm)
        assert notes.runs == 4


async def lose_each_run(
    subject: Subject, notes: Notes, running: "asyncio.Task[Transcript]", most: int
) -> None:
    """Lose the worker of the job this number of times, or until it has ended."""
    for run in range(1, most + 1):
        await poll_until(lambda run=run: running.done() or notes.runs >= run)  # type: ignore[misc]
        if running.done():
            return
        subject.lose(await notes.worker(run))
