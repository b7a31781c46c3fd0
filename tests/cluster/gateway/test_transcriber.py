"""RemoteTranscriber with real recognisers, real sockets and real signals.

What every transcriber does is in ``tests/conformance``; here is what only this one can.
"""

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
import structlog

from auricle.cluster.gateway.transcriber import RETRY_PATIENCE_S, RemoteTranscriber
from auricle.cluster.settings import GatewaySettings
from auricle.config.sections.queue import QueueSettings
from auricle.engines.base import CostModel
from auricle.values.errors import (
    AuricleError,
    DeadlineExceeded,
    Draining,
    NoWorkerReady,
    Overloaded,
    PoisonJob,
    SetupError,
)
from auricle.values.types import (
    ANONYMOUS,
    Job,
    JobId,
    JobKind,
    Options,
    ReservationRequest,
    Transcript,
)
from tests.support.poll import LIMIT_S, poll_until
from tests.support.recognisers import Recogniser, gateway, running_recogniser, until_ready
from tests.support.scripted_engine import answer
from tests.support.tcp_proxy import proxy_to

pytestmark = pytest.mark.process

NOISE = np.random.default_rng(5)
SLEEP = "sleep:4"
"""Long enough to lose the run meanwhile, even on a busy machine."""
Pair = tuple[Recogniser, Recogniser]


def job(
    name: str,
    *lines: str,
    seconds: float = 1.0,
    kind: JobKind = JobKind.FINAL,
    utterance: str = "",
    max_wait_s: float | None = None,
    reservation: str | None = None,
) -> Job:
    script = "\n".join(f"scripted:{line}" for line in lines)
    return Job(
        JobId(name),
        NOISE.integers(-3000, 3000, int(16_000 * seconds), dtype=np.int16),
        Options(initial_prompt=script or None),
        kind=kind,
        utterance=utterance,
        max_wait_s=max_wait_s,
        reservation=reservation,
    )


@contextmanager
def pair(**settings: object) -> Iterator[Pair]:
    """Run two recognisers of a test's own."""
    with ExitStack() as stack:
        one, other = (stack.enter_context(running_recogniser(**settings)) for _ in range(2))
        yield one, other


class Notes:
    """Who ran a job, and what it was: written by the engine."""

    def __init__(self, path: Path) -> None:
        self.line = f"note:{path}"
        self._path = path

    def read(self) -> list[str]:
        return self._path.read_text().splitlines() if self._path.exists() else []

    async def run_by(self, recognisers: Pair, run: int = 1) -> tuple[Recogniser, Recogniser]:
        """Wait for a run; return who has it, and who hasn't."""
        await poll_until(lambda: len(self.read()) >= run, f"run {run}")
        pid = int(self.read()[run - 1].split()[0])
        one, other = recognisers
        return (one, other) if pid in [w.pid for w in one.workers()] else (other, one)


def stuck_once(folder: Path) -> str:
    """Return the line of a script that only the second run passes in time."""
    marker = folder / "once"
    marker.touch()
    return f"sleep-once:60:{marker}"


# Which of them is asked.


async def test_jobs_are_shared_out_and_each_gets_its_own_answer(two: Pair) -> None:
    async with gateway(*(r.url for r in two)) as remote:
        jobs = [job(f"j{n}", "sleep:0.05", seconds=0.1 + n / 10) for n in range(20)]
        got = await asyncio.gather(*map(remote.transcribe, jobs))
        assert [t.text for t in got] == [answer(j.pcm) for j in jobs]
        assert {t.attempts for t in got} == {1}
        assert remote.stats().jobs.done == 20
        await poll_until(lambda: all(w.jobs_done for w in remote.stats().workers))


async def test_one_with_two_addresses_is_one(two: Pair) -> None:
    async with proxy_to(two[0].port) as proxy, gateway(two[0].url, proxy.url, ready=1) as remote:
        await poll_until(lambda: all(w.state == "ready" for w in remote.stats().workers))
        assert [w.id for w in remote.stats().workers] == ["1/asr-1"]
        assert remote.stats().queue.max_audio_s == 300


async def test_each_part_of_a_gateway_is_what_the_settings_say(two: Pair) -> None:
    async with gateway(two[0].url, gateways=2) as remote:
        remote.reserve(ReservationRequest(ANONYMOUS, 150.0))
        with pytest.raises(Overloaded):
            remote.reserve(ReservationRequest(ANONYMOUS, 1.0))


async def test_finals_of_one_gateway_pass_the_files_of_another(two: Pair, tmp_path: Path) -> None:
    url, gate, notes = two[0].url, tmp_path / "gate", Notes(tmp_path / "notes")
    gate.touch()
    async with gateway(url) as one, gateway(url) as other:
        blocker = asyncio.create_task(one.transcribe(job("blocker", f"hold:{gate}")))
        await poll_until(lambda: one.stats().queue.running_jobs == 1)
        files = [job(f"f{n}", notes.line, kind=JobKind.FILE) for n in range(3)]
        waiting = []
        for file in files:
            waiting.append(asyncio.create_task(one.transcribe(file)))
            await poll_until(lambda: other.stats().queue.waiting_jobs == len(waiting))
        final = job("final", notes.line)
        waiting.append(asyncio.create_task(other.transcribe(final)))
        await poll_until(lambda: one.stats().queue.waiting_jobs == 4)
        gate.unlink()
        await asyncio.gather(blocker, *waiting)
    heard = [line.split(" ", 1)[1] for line in notes.read()]
    assert heard == [answer(j.pcm) for j in (final, *files)]


# What is lost.


async def test_a_killed_recogniser_in_mid_job_is_invisible(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes")
    with pair() as both:
        async with gateway(*(r.url for r in both)) as remote:
            asked = job("a", notes.line, stuck_once(tmp_path))
            running = asyncio.create_task(remote.transcribe(asked))
            victim, _ = await notes.run_by(both)
            victim.kill()
            got = await running
            assert (got.text, got.attempts) == (answer(asked.pcm), 2)
            assert (remote.stats().jobs.retried, remote.stats().jobs.failed) == (1, 0)
            await poll_until(lambda: "backing_off" in [w.state for w in remote.stats().workers])
            others = await asyncio.gather(*(remote.transcribe(job(f"o{n}")) for n in range(5)))
            assert {t.attempts for t in others} == {1}


@pytest.mark.wall_clock
async def test_a_stopped_recogniser_is_abandoned_in_time_and_recovers(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes")
    with pair() as both:
        async with gateway(*(r.url for r in both)) as remote:
            asked = job("a", notes.line, stuck_once(tmp_path))
            running = asyncio.create_task(remote.transcribe(asked))
            victim, _ = await notes.run_by(both)
            victim.stop()
            got = await running
            assert (got.text, got.attempts) == (answer(asked.pcm), 2)
            others = await asyncio.gather(*(remote.transcribe(job(f"o{n}")) for n in range(5)))
            assert {t.attempts for t in others} == {1}  # no other job waits for it
            victim.go_on()
            await until_ready(remote, 2)


@pytest.mark.wall_clock
async def test_a_live_final_is_answered_by_a_recogniser_that_recovers(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes")
    with running_recogniser() as first:
        async with proxy_to(first.port) as proxy, gateway(proxy.url) as remote:
            room = remote.reserve(ReservationRequest(ANONYMOUS, 5.0, standing=True))
            asked = job("a", notes.line, SLEEP, reservation=room)
            running = asyncio.create_task(remote.transcribe(asked))
            for run in (1, 2):  # more often than anything else is asked again
                await poll_until(lambda run=run: len(notes.read()) == run)  # type: ignore[misc]
                proxy.cut()
            await poll_until(lambda: len(notes.read()) == 3)
            first.kill()
            await poll_until(lambda: not remote.stats().ready)
            with pytest.raises(NoWorkerReady):
                await remote.transcribe(job("b"))
            with pytest.raises(NoWorkerReady):
                remote.reserve(ReservationRequest(ANONYMOUS, 1.0))
            assert not running.done()
            with running_recogniser() as second:
                proxy.target_port = second.port
                got = await running
                assert (got.text, got.attempts) == (answer(asked.pcm), 4)


@pytest.mark.wall_clock
async def test_any_job_is_retried_on_a_recogniser_that_recovers(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes")
    with running_recogniser() as only:
        async with proxy_to(only.port) as proxy, gateway(proxy.url) as remote:
            asked = job("a", notes.line, SLEEP, kind=JobKind.FILE)
            running = asyncio.create_task(remote.transcribe(asked))
            await poll_until(lambda: len(notes.read()) == 1)
            proxy.cut()
            assert (await running).text == answer(asked.pcm)
            running = asyncio.create_task(remote.transcribe(asked))
            for run in (3, 4):
                await poll_until(lambda run=run: len(notes.read()) == run)  # type: ignore[misc]
                proxy.cut()
            with pytest.raises(NoWorkerReady):
                await running
            assert len(notes.read()) == 4
            assert RETRY_PATIENCE_S > 8  # else the back-off would outlast it


@pytest.mark.wall_clock
async def test_a_network_that_swallows_all_is_noticed_and_a_deadline_holds(two: Pair) -> None:
    async with proxy_to(two[0].port) as proxy, gateway(proxy.url) as remote:
        proxy.freeze()
        began_at = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            await remote.transcribe(job("a", max_wait_s=1.0))
        assert time.monotonic() - began_at > 0.9
        await poll_until(lambda: not remote.stats().ready)
        proxy.thaw()
        await until_ready(remote, 1)
        assert (await remote.transcribe(job("b"))).attempts == 1


# What was judged.


async def test_poison_is_not_carried_from_one_recogniser_to_the_next(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes")
    with pair(workers=2) as both:
        async with gateway(*(r.url for r in both), ready=4) as remote:
            poison = job("poison", notes.line, "segfault")
            with pytest.raises(PoisonJob):
                await remote.transcribe(poison)
            runs = len(notes.read())
            assert runs == 2  # both at one recogniser
            for n in range(6):
                with pytest.raises(PoisonJob):
                    await remote.transcribe(Job(JobId(f"again{n}"), poison.pcm.copy()))
            assert len(notes.read()) == runs
            stats = remote.stats()
            assert (stats.jobs.poison, stats.jobs.failed, stats.jobs.refused) == (1, 1, 6)
            await poll_until(lambda: sum(w.restarts for w in remote.stats().workers) == 2)
            restarted = {w.id.split("/")[0] for w in remote.stats().workers if w.restarts}
            assert len(restarted) == 1


async def test_a_key_that_sends_poison_uses_up_its_budget_here_too() -> None:
    with running_recogniser(workers=2) as only:
        async with gateway(only.url, ready=2, max_crashes_per_key=1) as remote:
            poison = job("poison", "segfault")
            named = Job(poison.id, poison.pcm, poison.options, client="alice")  # type: ignore[arg-type]
            with pytest.raises(PoisonJob):
                await remote.transcribe(named)
            with pytest.raises(AuricleError) as caught:
                remote.reserve(ReservationRequest("alice", 1.0))  # type: ignore[arg-type]
            assert caught.value.code == "rate_limited"
            remote.reserve(ReservationRequest(ANONYMOUS, 1.0))


async def test_room_is_worth_waiting_for_when_the_recogniser_is_full(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    with running_recogniser(queue_audio_s=4, key_share=1) as only:
        async with gateway(only.url) as mine, gateway(only.url) as greedy:
            room = mine.reserve(ReservationRequest(ANONYMOUS, 2.0, standing=True))
            short = mine.reserve(ReservationRequest(ANONYMOUS, 2.0))
            rooms = [greedy.reserve(ReservationRequest(ANONYMOUS, 1.0)) for _ in range(4)]
            held = asyncio.create_task(greedy.transcribe(job("held", f"hold:{gate}")))
            await poll_until(lambda: mine.stats().queue.running_jobs == 1)
            others = []
            for n, other in enumerate(rooms):  # up to twice the queue
                asked = job(f"o{n}", seconds=2.0, reservation=other)
                others.append(asyncio.create_task(greedy.transcribe(asked)))
                await poll_until(lambda n=n: mine.stats().queue.waiting_jobs == n + 1)  # type: ignore[misc]
            with pytest.raises(Overloaded):
                await mine.transcribe(job("without", seconds=2.0))
            final = job("final", seconds=2.0, reservation=room)
            waiting = asyncio.create_task(mine.transcribe(final))
            late = job("late", seconds=2.0, reservation=short, max_wait_s=1)
            with pytest.raises(DeadlineExceeded):
                await mine.transcribe(late)
            assert not waiting.done()
            gate.unlink()
            assert (await waiting).text == answer(final.pcm)
            assert all(isinstance(t, Transcript) for t in await asyncio.gather(held, *others))


# Cancelled calls.


async def test_a_call_that_is_cancelled_stops_its_job_there(two: Pair, tmp_path: Path) -> None:
    gate, notes = tmp_path / "gate", Notes(tmp_path / "notes")
    gate.touch()
    async with gateway(two[0].url) as remote:
        blocker = asyncio.create_task(remote.transcribe(job("blocker", f"hold:{gate}")))
        await poll_until(lambda: remote.stats().queue.running_jobs == 1)
        left = asyncio.create_task(remote.transcribe(job("left", notes.line)))
        guess = job("guess", notes.line, kind=JobKind.PARTIAL, utterance="s/1")
        newer = job("newer", notes.line, kind=JobKind.PARTIAL, utterance="s/1")
        older = asyncio.create_task(remote.transcribe(guess))
        await poll_until(lambda: remote.stats().queue.waiting_jobs == 2)
        late = asyncio.create_task(remote.transcribe(job("late", notes.line, max_wait_s=2)))
        await poll_until(lambda: late.done() or remote.stats().queue.waiting_jobs == 3)
        left.cancel()
        newest = asyncio.create_task(remote.transcribe(newer))
        results = await asyncio.gather(left, late, older, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert [getattr(r, "code", "") for r in results[1:]] == ["deadline_exceeded", "superseded"]
        await poll_until(lambda: remote.stats().queue.waiting_jobs == 1)
        gate.unlink()
        await asyncio.gather(blocker, newest)
        assert [line.split(" ", 1)[1] for line in notes.read()] == [answer(newer.pcm)]


async def test_closing_hangs_up_and_leaves_nothing(two: Pair, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    before = asyncio.all_tasks()
    async with gateway(two[0].url) as remote:
        running = asyncio.create_task(remote.transcribe(job("a", f"hold:{gate}")))
        await poll_until(lambda: remote.stats().queue.running_jobs == 1)
        closing = asyncio.create_task(remote.aclose(drain_s=0.2))
        with pytest.raises(Draining):
            await running
        await closing
        assert not remote.stats().ready
    gate.unlink()
    assert asyncio.all_tasks() == before
    await remote.aclose()  # again does no harm


# The key.


async def test_the_key_is_shown_and_a_wrong_one_is_reported() -> None:
    with running_recogniser(engine_key="the-right-key") as only:
        async with gateway(only.url, key="the-right-key") as remote:
            assert (await remote.transcribe(job("a"))).attempts == 1
        for key in ("another-key", None):
            async with gateway(only.url, key=key, ready=0) as remote:
                with pytest.raises(SetupError, match="AURICLE_ENGINE_KEY"):
                    await remote.wait_ready(LIMIT_S)
                with pytest.raises(NoWorkerReady):
                    await remote.transcribe(job("a"))


async def test_what_can_be_no_address_is_reported_at_once() -> None:
    with pytest.raises(SetupError, match="AURICLE_ENGINE_URLS"):
        RemoteTranscriber(
            GatewaySettings(engine_urls=("http://999.1.1.1",)), QueueSettings(), CostModel()
        )


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://no..name"])
async def test_an_absent_server_is_waited_for_as_configured(url: str) -> None:
    async with gateway(url, ready=0) as remote:
        with pytest.raises(SetupError, match="no recogniser"):
            await remote.wait_ready(0.3)
        assert [w.state for w in remote.stats().workers] == ["starting"]


async def test_neither_key_nor_words_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    structlog.reset_defaults()  # a recogniser in a test before may log nothing but errors
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as logs, running_recogniser(engine_key="k3y") as only:
        async with gateway(only.url, key="k3y") as remote:
            asked = job("a")
            await remote.transcribe(asked)
            only.kill()
            with pytest.raises(DeadlineExceeded):
                await remote.transcribe(job("b", max_wait_s=2))
    assert [entry["event"] for entry in logs][:2] == ["recogniser_in", "recogniser_out"]
    said = repr(logs) + caplog.text
    assert "k3y" not in said
    assert answer(asked.pcm) not in said
