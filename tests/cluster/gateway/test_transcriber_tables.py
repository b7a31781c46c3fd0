"""Models of recognisers with different tables, over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import numpy as np
import pytest

from auricle.cluster.gateway.transcriber import RemoteTranscriber
from auricle.cluster.wire.capacity import capacity_of
from auricle.values.errors import ModelNotFound, ModelUnavailable, NoWorkerReady
from auricle.values.transcriber import ModelState
from auricle.values.types import ANONYMOUS, Job, JobId, JobKind, Options, ReservationRequest
from tests.support.poll import poll_until
from tests.support.recognisers import Recogniser, gateway, running_recogniser
from tests.support.scripted_engine import answer

pytestmark = pytest.mark.process

ENGINE = "tests.support.scripted_engine"
NOISE = np.random.default_rng(16)


@contextmanager
def recogniser(*models: str) -> Iterator[Recogniser]:
    """Run one whose models are ``NAME`` or ``NAME;OPTIONS``, all of the scripted engine."""
    entries = []
    for model in models:
        name, _, options = model.partition(";")
        entries.append(f"{name}={ENGINE}:{name}" + (f";{options}" if options else ""))
    with running_recogniser(models=",".join(entries)) as running:
        yield running


def job(model: str, *lines: str, reservation: str | None = None) -> Job:
    script = "\n".join(f"scripted:{line}" for line in lines) or None
    pcm = NOISE.integers(-3000, 3000, 16_000, dtype=np.int16)
    options = Options(initial_prompt=script, model=model)
    return Job(JobId("j"), pcm, options, kind=JobKind.FINAL, reservation=reservation)


def request(model: str) -> ReservationRequest:
    return ReservationRequest(ANONYMOUS, 1.0, model=model)


def last_pid(notes: Path) -> int:
    return int(notes.read_text().splitlines()[-1].split()[0])


async def model_that_ran(remote: RemoteTranscriber, model: str, notes: Path) -> tuple[str, str]:
    """Return the recogniser and the model of the worker that runs a job for a model."""
    sent = job(model, f"note:{notes}")
    assert (await remote.transcribe(sent)).text == answer(sent.pcm)
    pid = last_pid(notes)
    await poll_until(lambda: any(w.pid == pid for w in remote.stats().workers), "its worker")
    (worker,) = [worker for worker in remote.stats().workers if worker.pid == pid]
    return worker.id.partition("/")[0], worker.model


@asynccontextmanager
async def two_tables() -> AsyncIterator[tuple[RemoteTranscriber, Recogniser, Recogniser]]:
    with recogniser("a", "b") as one, recogniser("b", "c") as other:
        async with gateway(one.url, other.url, ready=4) as remote:
            yield remote, one, other


async def test_jobs_go_to_a_recogniser_that_has_their_model(tmp_path: Path) -> None:
    async with two_tables() as (remote, _, other):
        assert [model.name for model in remote.models()] == ["a", "b", "c"]
        notes = tmp_path / "notes"
        for _ in range(3):  # a recogniser's default model has no name in its report of workers
            assert await model_that_ran(remote, "a", notes) == ("1", "")
            assert await model_that_ran(remote, "", notes) == ("1", "")
            assert await model_that_ran(remote, "b", notes) in [("1", "b"), ("2", "")]
            assert await model_that_ran(remote, "c", notes) == ("2", "c")
        states = {model.name: model for model in remote.stats().models}
        assert (states["b"].ready_workers, states["c"].ready_workers) == (2, 1)

        for unknown in ("d", "A"):
            with pytest.raises(ModelNotFound, match="its models are: a, b, c"):
                remote.reserve(request(unknown))
        with pytest.raises(ModelNotFound):
            await remote.transcribe(job("d"))

        held = remote.reserve(request("c"))
        assert remote.stats().queue.reserved_audio_s == 1.0
        first, second = job("c", reservation=held), job("a", reservation=held)
        assert (await remote.transcribe(first)).text == answer(first.pcm)
        assert (await remote.transcribe(second)).text == answer(second.pcm)
        remote.release(held)
        assert remote.stats().queue.reserved_audio_s == 0.0

        other.kill()
        sent = job("b")
        assert (await remote.transcribe(sent)).text == answer(sent.pcm)
        await poll_until(lambda: states_of(remote)["c"] is ModelState.RESTARTING, "the loss of c")
        with pytest.raises(ModelUnavailable, match="No recogniser with the model c"):
            await remote.transcribe(job("c"))
        assert await model_that_ran(remote, "", notes) == ("1", "")


def states_of(remote: RemoteTranscriber) -> dict[str, ModelState]:
    return {model.name: model.state for model in remote.models()}


async def test_before_the_first_report_no_name_is_known_or_unknown() -> None:
    async with gateway("http://127.0.0.1:9", ready=0) as remote:
        with pytest.raises(ModelUnavailable, match="No recogniser is known yet"):
            remote.reserve(request("a"))
        with pytest.raises(ModelUnavailable):
            await remote.transcribe(job("a"))
        with pytest.raises(NoWorkerReady):
            remote.reserve(request(""))
        assert not remote.stats().models
        (node,) = remote._nodes  # a recogniser whose models are not known for a moment
        node.ejection.check_succeeded(capacity_of({}), asyncio.get_running_loop().time())
        with pytest.raises(ModelUnavailable):
            remote.reserve(request("a"))


async def test_a_model_on_demand_is_loaded_by_a_reservation() -> None:
    with recogniser("a", "b;load=demand") as one:
        async with gateway(one.url) as remote:
            assert states_of(remote)["b"] is ModelState.UNLOADED
            with pytest.raises(ModelUnavailable, match="is being loaded"):
                remote.reserve(request("b"))
            await poll_until(lambda: states_of(remote)["b"] is ModelState.READY, "the model")
            held = remote.reserve(request("b"))
            sent = job("b", reservation=held)
            assert (await remote.transcribe(sent)).text == answer(sent.pcm)


async def test_a_model_that_cannot_be_loaded_does_not_disturb_the_others() -> None:
    models = f"a={ENGINE}:a,b={ENGINE}:scripted:setup-error;load=demand"
    with running_recogniser(models=models) as one:
        async with gateway(one.url) as remote:
            with pytest.raises(ModelUnavailable):
                await remote.transcribe(job("b"))
            await poll_until(lambda: states_of(remote)["b"] is ModelState.FAILED, "the failure")
            sent = [job("a", "sleep:0.05") for _ in range(5)]
            got = await asyncio.gather(*map(remote.transcribe, sent))
            assert [each.text for each in got] == [answer(each.pcm) for each in sent]
            with pytest.raises(ModelUnavailable):
                remote.reserve(request("b"))
            assert remote.stats().ready
