"""Two models in one transcriber."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path

import pytest

from auricle.values.errors import AuricleError, ModelNotFound
from auricle.values.types import ANONYMOUS, Job, ReservationRequest, Transcript
from tests.conformance.conftest import on_ray
from tests.conformance.subject import Maker
from tests.conformance.transcriber.helpers import Notes, job
from tests.support.model_pools import scripted
from tests.support.poll import poll_until
from tests.support.scripted_engine import answer

pytestmark = [
    pytest.mark.process,
    pytest.mark.parametrize("open_transcriber", ["models", "remote", on_ray], indirect=True),
]

TWO = scripted("one", "two")


def job_of(model: str, name: str, *lines: str, reservation: str | None = None) -> Job:
    plain = job(name, *lines, reservation=reservation)
    return replace(plain, options=replace(plain.options, model=model))


async def test_each_job_runs_with_its_model(open_transcriber: Maker, tmp_path: Path) -> None:
    async with open_transcriber(nodes=1, models=TWO) as subject:
        transcriber = subject.transcriber
        assert [model.name for model in transcriber.stats().models] == ["one", "two"]
        workers = {}
        for model in ("one", "", "two"):
            notes = Notes(tmp_path / f"notes-{model}")
            given = job_of(model, f"j{model}", notes.line)
            assert (await transcriber.transcribe(given)).text == answer(given.pcm)
            workers[model] = await notes.worker()
        assert workers["one"] == workers[""] != workers["two"]
        for unknown in ("three", "ONE"):
            with pytest.raises(ModelNotFound, match="its models are: one, two"):
                await transcriber.transcribe(job_of(unknown, "j"))
            with pytest.raises(ModelNotFound):
                transcriber.reserve(ReservationRequest(ANONYMOUS, 1.0, model=unknown))


async def test_a_reservation_is_for_one_model_and_does_not_stop_the_other(
    open_transcriber: Maker,
) -> None:
    async with open_transcriber(nodes=1, models=TWO) as subject:
        transcriber = subject.transcriber
        room = transcriber.reserve(ReservationRequest(ANONYMOUS, 15.0, standing=True, model="two"))
        for model in ("two", "one"):
            given = job_of(model, f"j{model}", reservation=room)
            assert (await transcriber.transcribe(given)).text == answer(given.pcm)
        transcriber.release(room)


async def test_a_model_whose_workers_die_again_and_again_does_not_disturb_the_other(
    open_transcriber: Maker,
) -> None:
    async with open_transcriber(nodes=1, models=TWO) as subject:
        transcriber = subject.transcriber
        dying = asyncio.create_task(outcome(transcriber.transcribe(job_of("two", "d", "exit:3"))))
        done: list[int] = []
        while not dying.done():
            given = job_of("one", f"j{len(done)}", "sleep:0.02")
            got = await transcriber.transcribe(given)
            assert got.text == answer(given.pcm)
            done.append(got.attempts)
        assert isinstance(await dying, AuricleError)
        assert done
        assert set(done) == {1}
        assert transcriber.stats().ready
        await poll_until(lambda: transcriber.stats().models[0].ready_workers == 1)


async def outcome(transcribing: Awaitable[Transcript]) -> Transcript | AuricleError:
    try:
        return await transcribing
    except AuricleError as exc:
        return exc
