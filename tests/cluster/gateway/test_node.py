"""Validation of answers in a gateway: recognisers that lie, next to one that does not."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import structlog

from auricle.cluster.gateway import ejection, node
from auricle.cluster.wire.capacity import capacity_of, pack_capacity
from auricle.cluster.wire.failures import pack_error
from auricle.cluster.wire.messages import (
    ANSWER_TYPE,
    MAX_BEATS_BYTES,
    MAX_FRAME_BYTES,
    SILENCE_S,
    Beat,
    Done,
    ErrorFrame,
    RemoteError,
)
from auricle.values.errors import (
    AudioError,
    Draining,
    NoWorkerReady,
    Overloaded,
    RemoteProtocolError,
    Unauthorized,
    WorkerError,
)
from auricle.values.transcriber import Stats
from auricle.values.types import Job, JobId, Segment, Timing, Transcript
from auricle.workers.wire.framing import LENGTH, pack
from tests.cluster.liar import STREAM, Asked, Say, chunk, lying, saying, whole
from tests.support.poll import poll_until
from tests.support.recognisers import Recogniser, gateway
from tests.support.scripted_engine import answer

pytestmark = pytest.mark.process

NOISE = np.random.default_rng(6)
BEAT = chunk(pack(Beat()))
Pair = tuple[Recogniser, Recogniser]
MAX_LATE_S = 2.0
"""Maximum processor time between two turns of the event loop; quadratic parsing takes minutes."""


def job(name: str = "a", *, seconds: int = 1, max_wait_s: float | None = None) -> Job:
    pcm = NOISE.integers(-3000, 3000, 16_000 * seconds, dtype=np.int16)
    return Job(JobId(name), pcm, max_wait_s=max_wait_s)


def telling(**changes: Any) -> Say:
    """Answer at once, with these fields changed to what can't be."""

    async def say(writer: asyncio.StreamWriter, requests: Asked) -> None:
        segment = Segment(0, requests.samples, "lies")
        transcript = Transcript("lies", "en", 1.0, requests.samples, (segment,))
        of_frame: dict[str, Any] = {"id": requests.id, "spent_s": 0.0}
        of_frame |= {name: changes.pop(name) for name in of_frame if name in changes}
        frame = Done(transcript=replace(transcript, **changes), **of_frame)
        writer.write(STREAM + chunk(pack(frame)))

    return say


async def never(writer: asyncio.StreamWriter, requests: Asked) -> None:
    """Take the job and say nothing."""
    await requests.until_hung_up()


async def drip(writer: asyncio.StreamWriter, requests: Asked) -> None:
    """Say a frame that would be good, but a byte at a time and never all of it."""
    writer.write(STREAM)
    for byte in LENGTH.pack(1000) + bytes(1000):
        writer.write(chunk(bytes([byte])))
        await writer.drain()
        await asyncio.sleep(0.1)


async def drip_head(writer: asyncio.StreamWriter, requests: Asked) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Header: x\r\n")
        await writer.drain()
        await asyncio.sleep(0.1)


def flood(part: bytes) -> Say:
    """Send this indefinitely, as fast as the client reads."""

    async def say(writer: asyncio.StreamWriter, requests: Asked) -> None:
        writer.write(STREAM)
        while True:
            writer.write(part)
            await writer.drain()

    return say


SEGMENT = Segment(0, 16_000, "lies")
LIES = {
    "a bare 500": saying(whole(500, b"Internal Server Error", "text/plain")),
    "a 503 that is not ours": saying(whole(503, b'{"detail": "busy"}')),
    "a 404 while nothing is deployed": saying(whole(404, b"Not Found", "text/plain")),
    "another key, as it says": saying(whole(401, pack_error(Unauthorized("no such key")))),
    "that it can't read this": saying(whole(400, pack_error(RemoteProtocolError("what?")))),
    "a page in place of an answer": saying(whole(200, b"<html>", "text/html")),
    "a redirect": saying(whole(302, b"", more="Location: http://127.0.0.1:1/\r\n")),
    "a long page with a 500": saying(whole(500, b"x" * 2**20, "text/html")),
    "nothing": saying(),
    "no HTTP": saying(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "a head without end": saying(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 200_000),
    "an empty answer": saying(STREAM + b"0\r\n\r\n"),
    "an answer that ends after a beat": saying(STREAM + BEAT + b"0\r\n\r\n"),
    "an answer that breaks off": saying(STREAM + BEAT),
    "half a frame": saying(STREAM + chunk(pack(Beat())[:-1]) + b"0\r\n\r\n"),
    "garbage": saying(STREAM + chunk(b"\xff" * 100)),
    "a frame that is none": saying(STREAM + chunk(LENGTH.pack(3) + b"\xc1\xc1\xc1")),
    "a huge frame": flood(chunk(LENGTH.pack(MAX_FRAME_BYTES + 1) + bytes(60_000))),
    "a frame without end": flood(chunk(LENGTH.pack(MAX_FRAME_BYTES) + b"\xa0" * 60_000)),
    "beats without end": flood(BEAT * 100),
    "another job's answer": telling(id="b"),
    "another length": telling(duration_samples=15_999),
    "times outside of the audio": telling(segments=(replace(SEGMENT, end_sample=16_001),)),
    "a language that is more than sure": telling(language_probability=1.5),
    "no attempt": telling(attempts=0),
    "too much text": telling(text="x" * 20_001),
}
SILENCES = {"silence": never, "a frame that drips": drip, "a head that drips": drip_head}


class Clock:
    """Measures for how long the event loop computes without a turn for other tasks.

    Processor time, since on a busy machine any task may be late.
    """

    def __init__(self) -> None:
        self.worst_s = 0.0

    async def run(self) -> None:
        while True:
            began_s = time.thread_time()
            await asyncio.sleep(0.02)
            self.worst_s = max(self.worst_s, time.thread_time() - began_s)


@pytest.mark.parametrize("say", [pytest.param(say, id=name) for name, say in LIES.items()])
async def test_a_lie_costs_a_second_asking_and_nothing_else(
    two: Pair, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BACKOFF_FIRST_S", "BACKOFF_MAX_S"):  # it stays out for all of the test
        monkeypatch.setattr(ejection, name, 3600.0)
    async with lying(say) as liar, gateway(liar.url, two[0].url) as remote:
        clock = Clock()
        running = asyncio.create_task(clock.run())
        attempts = []
        while not liar.jobs:  # which of the two is asked first is left to chance
            requests = job()
            got = await remote.transcribe(requests)
            assert got.text == answer(requests.pcm)
            attempts.append(got.attempts)
        assert attempts[-1] == 2
        assert [w.state for w in remote.stats().workers if w.id == "1"] == ["backing_off"]
        others = [job(f"o{n}") for n in range(5)]
        assert [t.attempts for t in await asyncio.gather(*map(remote.transcribe, others))] == [
            1
        ] * 5
        running.cancel()
        assert clock.worst_s < MAX_LATE_S


@pytest.mark.wall_clock
@pytest.mark.parametrize("say", [pytest.param(say, id=name) for name, say in SILENCES.items()])
async def test_silence_is_left_in_time(two: Pair, say: Say) -> None:
    async with lying(say) as liar, gateway(liar.url, two[0].url) as remote:
        took_s = 0.0
        while not liar.jobs:
            requests, began_at = job(), time.monotonic()
            assert (await remote.transcribe(requests)).text == answer(requests.pcm)
            took_s = time.monotonic() - began_at
        assert took_s >= SILENCE_S
        await poll_until(lambda: liar.hung_up == 1)


@pytest.mark.wall_clock
async def test_a_long_job_has_time_to_get_there() -> None:
    async with lying(never) as liar, gateway(liar.url) as remote:
        began_at = time.monotonic()  # a slow machine takes long to send it
        running = asyncio.create_task(remote.transcribe(job(seconds=30)))
        await poll_until(lambda: liar.jobs == 1)
        await poll_until(lambda: liar.hung_up == 1)
        assert time.monotonic() - began_at > SILENCE_S + 0.8
        running.cancel()


async def test_a_huge_frame_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "SILENCE_S", 600.0)
    async with lying(LIES["a huge frame"]) as liar, gateway(liar.url) as remote:
        with pytest.raises((NoWorkerReady, WorkerError)):
            await asyncio.wait_for(remote.transcribe(job()), 60)
        await poll_until(lambda: liar.hung_up == liar.jobs)
        assert liar.jobs == 2  # once, and a retry because there was no other recogniser


@pytest.mark.parametrize(
    "error",
    [NoWorkerReady("starting", 7), Draining("ending", 7)],
    ids=lambda error: error.code,
)
@pytest.mark.parametrize("is_early", [True, False])
async def test_a_recogniser_that_refuses_work_is_skipped(
    two: Pair, error: Overloaded, is_early: bool
) -> None:
    frame = pack(ErrorFrame(RemoteError(error.code, str(error), error.retry_after_s)))
    early, late = whole(503, pack_error(error)), STREAM + BEAT + chunk(frame)
    async with (
        lying(saying(early if is_early else late)) as liar,
        gateway(liar.url, two[0].url) as remote,
    ):
        while not liar.jobs:
            requests = job()
            got = await remote.transcribe(requests)
            assert (got.text, got.attempts) == (answer(requests.pcm), 1)
        states = [w.state for w in remote.stats().workers]
        assert states[0] == "ready"
        assert states[1] in ("ready", "busy")  # as it was at the latest check
    async with lying(saying(early if is_early else late)) as liar, gateway(liar.url) as remote:
        with pytest.raises(type(error)) as caught:
            await remote.transcribe(job())
        assert (liar.jobs, getattr(caught.value, "retry_after_s", 0)) == (1, 7)


@pytest.mark.parametrize("is_early", [True, False])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (AudioError("no speech in that"), AudioError),
        (WorkerError("broken"), WorkerError),
        (Overloaded("full", 9), Overloaded),
    ],
)
async def test_what_was_judged_is_asked_once(
    error: AudioError | WorkerError | Overloaded, reason: type[Exception], is_early: bool
) -> None:
    frame = pack(
        ErrorFrame(RemoteError(error.code, str(error), getattr(error, "retry_after_s", None)))
    )
    status = error.http_status
    say = saying(whole(status, pack_error(error)) if is_early else STREAM + chunk(frame))
    async with lying(say) as liar, gateway(liar.url) as remote:
        with pytest.raises(reason) as caught:
            await remote.transcribe(job())
        assert type(caught.value) is reason
        assert liar.jobs == 1
        assert remote.stats().ready


async def test_what_comes_after_the_end_is_not_transcribed() -> None:
    async def say(writer: asyncio.StreamWriter, requests: Asked) -> None:
        await telling()(writer, requests)
        writer.write(BEAT * 10)
        await requests.until_hung_up()

    async with lying(say) as liar, gateway(liar.url) as remote:
        assert (await remote.transcribe(job())).text == "lies"
        await poll_until(lambda: liar.hung_up == 1)


async def test_the_way_is_part_of_the_time(two: Pair) -> None:
    async def say(writer: asyncio.StreamWriter, requests: Asked) -> None:
        await asyncio.sleep(0.3)
        await telling(spent_s=0.1, timing=Timing(0, 10, 20, 70))(writer, requests)

    async with lying(say) as liar, gateway(liar.url) as remote:
        timing = (await remote.transcribe(job())).timing
        assert (timing.queue_ms, timing.asr_ms) == (10, 70)
        assert timing.ipc_ms >= 220


@pytest.mark.parametrize(
    "reason",
    [
        pytest.param(whole(200, b"OK"), id="no capacity"),
        pytest.param(whole(500, b"x" * 10_000_000), id="a long page"),
        pytest.param(whole(200, b" " * 10_000_000), id="a long capacity"),
        pytest.param(
            whole(
                200, pack_capacity(capacity_of({"": Stats()})).replace(b"1", b"1" + b"0" * 400, 1)
            ),
            id="a long number",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
            id="a part of one",
            marks=pytest.mark.wall_clock,
        ),
        pytest.param(b"\xff\r\n\r\n", id="no HTTP"),
    ],
)
async def test_a_recogniser_with_invalid_probes_never_gets_jobs(two: Pair, reason: bytes) -> None:
    async with lying(telling(), reason) as liar, gateway(liar.url, two[0].url, ready=1) as remote:
        clock = Clock()
        running = asyncio.create_task(clock.run())
        await poll_until(lambda: liar.looks >= 3)
        jobs = [job(f"j{n}") for n in range(5)]
        got = await asyncio.gather(*map(remote.transcribe, jobs))
        assert [t.text for t in got] == [answer(j.pcm) for j in jobs]
        assert not liar.jobs
        running.cancel()
        assert clock.worst_s < MAX_LATE_S


async def test_what_can_not_work_is_not_asked() -> None:
    starting = capacity_of({"": Stats(ready=False, model="liar")})
    async with lying(telling(), starting) as liar, gateway(liar.url, ready=0) as remote:
        await poll_until(lambda: remote.stats().model == "liar")
        with pytest.raises(NoWorkerReady):
            await remote.transcribe(job())
        assert not remote.stats().ready
        assert not liar.jobs


async def test_the_place_of_an_error_is_logged_without_speech() -> None:
    with structlog.testing.capture_logs() as logs:
        async with lying(saying(whole(500, b"secret words"))) as liar, gateway(liar.url) as remote:
            with pytest.raises(NoWorkerReady):
                await remote.transcribe(job())
    out = [entry for entry in logs if entry["event"] == "recogniser_out"]
    assert (out[0]["log_level"], out[0]["url"]) == ("warning", liar.url)
    assert "500" in out[0]["reason"]
    assert "secret" not in repr(logs)


def test_the_lies_are_what_they_are_called() -> None:
    assert len(BEAT) * 100 < MAX_BEATS_BYTES  # so it takes more than one of them
    assert ANSWER_TYPE.encode() in STREAM
