"""``auricle cluster up`` on real Ray: what a gateway sees while parts of it fail."""

import asyncio
import importlib.util
import itertools
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx2
import numpy as np
import psutil
import pytest

from auricle.cluster.gateway.transcriber import RemoteTranscriber
from auricle.cluster.wire.messages import CAPACITY_PATH
from auricle.config.sections.model import ModelSettings
from auricle.values.errors import Overloaded
from auricle.values.types import ANONYMOUS, Job, JobId, Options, ReservationRequest, Transcript
from bench.lib.service import free_port
from tests.support.clips import CLIPS, words
from tests.support.command import Command, command, environment, until
from tests.support.poll import poll_until
from tests.support.recognisers import gateway, until_ready
from tests.support.scripted_engine import answer

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None, reason="Ray isn't installed: make test-cluster"
    ),
]

KEY = "the-key-between-them"
MAX_HELD = 8
"""Without balancing, this number of jobs ends at one of two replicas once in 128 times."""
QUEUE_S = 100.0
"""What a replica lets wait."""


@dataclass(frozen=True)
class Cluster:
    """One that runs."""

    command: Command
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def called(self, name: str) -> list[psutil.Process]:
        """Return the processes of a deployment."""
        title = f"ray::ServeReplica:auricle:{name}"
        return [child for child in self.command.children() if _title(child).startswith(title)]


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@contextmanager
def starting(folder: Path, **settings: object) -> Iterator[Cluster]:
    """Run ``auricle cluster up``."""
    port = free_port()
    of_ray = tempfile.mkdtemp(prefix="r", dir="/tmp")  # sockets lie in it: a long path won't do
    given: dict[str, object] = {"workers": 1, "batch_jobs": 1, "job_timeout_min_s": 60}
    given |= {"engine_key": KEY, "queue_audio_s": QUEUE_S}
    given["sandbox_folders"] = os.environ["AURICLE_SANDBOX_FOLDERS"]
    environ = environment(folder, **(given | settings)) | {
        "RAY_TMPDIR": of_ray,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }
    try:
        with command("cluster", "up", "--port", str(port), environ=environ) as running:
            yield Cluster(running, port)
    finally:
        shutil.rmtree(of_ray, ignore_errors=True)


@contextmanager
def cluster_up(folder: Path, **settings: object) -> Iterator[Cluster]:
    """Run it, and wait until it says that it is up."""
    with starting(folder, **settings) as running:
        running.command.line_with("AURICLE_ENGINE_URLS")
        yield running


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_up(tmp_path_factory.mktemp("up")) as running:
        yield running


NUMBERS = itertools.count()


def job(script: str | None = None, seconds: float = 0.5, room: str | None = None) -> Job:
    """Return a job with unique audio, which no other test can have made suspect."""
    number = next(NUMBERS)
    noise = np.random.default_rng(number).integers(-9999, 9999, round(16_000 * seconds))
    return Job(JobId(f"j{number}"), noise.astype(np.int16), options=Options(initial_prompt=script))


async def on_both(
    remote: RemoteTranscriber, gate: Path, room: str | None = None
) -> list[asyncio.Future[Transcript]]:
    """Keep the worker of each replica busy until the gate is gone; return the jobs.

    All but two of them wait: an ingress may not know yet what another one has sent to a replica.
    """
    await asyncio.to_thread(gate.touch)
    held: list[asyncio.Future[Transcript]] = []
    script = f"scripted:hold:{gate}"
    await poll_until(lambda: not under_way(remote), "the end of what was asked before")
    while len(held) < 2 or remote.stats().queue.running_jobs < 2:
        assert len(held) < MAX_HELD, "one replica gets all jobs"
        held.append(asyncio.ensure_future(remote.transcribe(job(script, room=room))))
        await poll_until(partial(has_under_way, remote, len(held)), "a job that is there")
    return held


def under_way(remote: RemoteTranscriber) -> int:
    return remote.stats().queue.running_jobs + remote.stats().queue.waiting_jobs


def has_under_way(remote: RemoteTranscriber, jobs: int) -> bool:
    return under_way(remote) >= jobs


def pids(notes: Path) -> set[str]:
    return {line.split()[0] for line in notes.read_text().splitlines()}


async def test_jobs_are_answered_by_the_workers_of_both_replicas(
    cluster: Cluster, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    jobs = [job(f"scripted:note:{notes}\nscripted:sleep:0.2") for _ in range(12)]
    async with gateway(cluster.url, ready=2, key=KEY) as remote:
        heard = await asyncio.gather(*map(remote.transcribe, jobs))
        assert remote.stats().model
    assert [transcript.text for transcript in heard] == [answer(one.pcm) for one in jobs]
    assert len(pids(notes)) == 2


async def test_a_key_is_asked_for(cluster: Cluster) -> None:
    async with httpx2.AsyncClient() as client:
        refused = await client.get(cluster.url + CAPACITY_PATH)
        wrong = await client.get(
            cluster.url + CAPACITY_PATH, headers={"authorization": f"Bearer {KEY}x"}
        )
    for response in (refused, wrong):
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "unauthorized"


async def test_both_ingresses_report_the_same_of_the_same_replicas(cluster: Cluster) -> None:
    headers = {"authorization": f"Bearer {KEY}", "connection": "close"}
    async with gateway(cluster.url, ready=2, key=KEY), httpx2.AsyncClient() as client:
        answers = [
            (await client.get(cluster.url + CAPACITY_PATH, headers=headers)).json()
            for _ in range(20)
        ]
    assert len({told["id"] for told in answers}) == 1
    assert answers[0]["id"].endswith("/auricle")
    assert {(told["replicas"], told["ready"]) for told in answers} == {(2, 2)}
    names = {worker["id"] for told in answers for worker in told["stats"]["workers"]}
    assert len(names) == 2


async def test_a_job_without_a_waiting_caller_is_not_run(cluster: Cluster, tmp_path: Path) -> None:
    gate, notes = tmp_path / "gate", tmp_path / "notes"
    async with gateway(cluster.url, ready=2, key=KEY) as remote:
        held = await on_both(remote, gate)
        left = asyncio.ensure_future(remote.transcribe(job(f"scripted:note:{notes}")))
        await poll_until(lambda: has_under_way(remote, len(held) + 1), "a job that waits")
        left.cancel()
        await poll_until(lambda: under_way(remote) <= len(held), "its end")
        gate.unlink()
        await asyncio.gather(*held)
        await remote.transcribe(job())
    assert not notes.exists()


async def test_what_is_too_much_is_refused_with_a_retry_time(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    with cluster_up(tmp_path, replicas=1, ray_ingress_replicas=1, queue_audio_s=10) as running:
        async with gateway(running.url, ready=1, key=KEY) as remote:
            script = f"scripted:hold:{gate}"
            asked = [asyncio.ensure_future(remote.transcribe(job(script, 2)))]
            await poll_until(lambda: remote.stats().queue.running_jobs == 1, "a job that runs")
            asked += [asyncio.ensure_future(remote.transcribe(job(script, 2))) for _ in range(11)]
            await poll_until(lambda: sum(one.done() for one in asked) >= 6, "refusals")
            gate.unlink()
            ended = await asyncio.gather(*asked, return_exceptions=True)
        refused = [end for end in ended if isinstance(end, Overloaded)]
        assert len(refused) == 6  # five wait and one runs
        assert all(error.retry_after_s >= 1 for error in refused)
        assert sum(isinstance(end, Transcript) for end in ended) == 6
        running.command.process.send_signal(signal.SIGTERM)
        everything = running.command.children()
        assert running.command.wait() == 0, running.command.stderr
        _, alive = psutil.wait_procs(everything, timeout=60)
        assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


async def test_there_are_more_replicas_when_more_audio_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S", "1")
    gate = tmp_path / "gate"
    gate.touch()
    with cluster_up(
        tmp_path,
        replicas=1,
        max_replicas=2,
        replica_audio_s=10,
        ray_ingress_replicas=1,
        replica_cpus=1,
    ) as running:
        async with gateway(running.url, ready=1, key=KEY) as remote:
            asked = [
                asyncio.ensure_future(remote.transcribe(job(f"scripted:hold:{gate}", 2)))
                for _ in range(8)  # sixteen seconds
            ]
            await until_ready(remote, 2)
            gate.unlink()
            await asyncio.gather(*asked)


@asynccontextmanager
async def jobs_at_both(remote: RemoteTranscriber, folder: Path) -> AsyncIterator[None]:
    """Let jobs run and wait at both replicas; then resume, and check that each is answered."""
    gate = folder / "gate"
    room = remote.reserve(ReservationRequest(ANONYMOUS, 30, standing=True))  # as a live session has
    held = await on_both(remote, gate, room)
    waiting = [job(room=room) for _ in range(4)]
    asked = [asyncio.ensure_future(remote.transcribe(one)) for one in waiting]
    await poll_until(lambda: under_way(remote) >= len(held) + 4, "four jobs that wait")
    yield
    gate.unlink()
    heard = await asyncio.gather(*asked)
    assert [transcript.text for transcript in heard] == [answer(one.pcm) for one in waiting]
    await asyncio.gather(*held)


async def test_a_replica_that_is_killed_costs_its_jobs_a_moment(
    cluster: Cluster, tmp_path: Path
) -> None:
    async with gateway(cluster.url, ready=2, key=KEY) as remote:
        async with jobs_at_both(remote, tmp_path):
            before = {replica.pid for replica in cluster.called("Recogniser")}
            cluster.called("Recogniser")[0].kill()
        assert remote.stats().jobs.retried == 0  # its ingress gave them to the other one
        until(lambda: len(cluster.called("Recogniser")) == 2, cluster.command)
        assert {replica.pid for replica in cluster.called("Recogniser")} != before
        await until_ready(remote, 2)


@pytest.mark.slow  # it has a limit of time
async def test_a_replica_that_hangs_gets_no_jobs_until_it_recovers(cluster: Cluster) -> None:
    async with gateway(cluster.url, ready=2, key=KEY) as remote:
        hung = cluster.called("Recogniser")[0]
        hung.suspend()
        await poll_until(
            lambda: remote.stats().queue.max_audio_s == QUEUE_S, "a capacity without it"
        )
        async with asyncio.timeout(2.5):  # less than it takes to see that a job met it
            await asyncio.gather(*(remote.transcribe(job()) for _ in range(10)))
        hung.resume()  # as itself, or Ray has ended it meanwhile and starts another one
        await until_ready(remote, 2)


async def test_an_ingress_that_is_killed_costs_its_jobs_a_moment(
    cluster: Cluster, tmp_path: Path
) -> None:
    async with gateway(cluster.url, ready=2, key=KEY) as remote:
        async with jobs_at_both(remote, tmp_path):
            cluster.called("Ingress")[0].kill()
        until(lambda: len(cluster.called("Ingress")) == 2, cluster.command)


async def test_jobs_that_meet_a_hung_replica_are_run_by_the_other_one(cluster: Cluster) -> None:
    async with gateway(cluster.url, ready=2, key=KEY) as remote:
        hung = cluster.called("Recogniser")[0]
        hung.suspend()  # its latest report is recent, so that half of the jobs are sent to it
        try:
            transcripts = await asyncio.gather(*(remote.transcribe(job()) for _ in range(10)))
        finally:
            hung.resume()
        assert {transcript.attempts for transcript in transcripts} == {1}
        assert remote.stats().jobs.retried == 0  # the gateway lost none of them
        await until_ready(remote, 2)


@pytest.mark.model
@pytest.mark.slow
async def test_whisper_recognises_speech_there(tmp_path: Path) -> None:
    clip = CLIPS["fellow.wav"]
    real = {"engine": "whisper", "model": "base"}
    with cluster_up(tmp_path, replicas=1, cache_dir=ModelSettings().cache_dir, **real) as running:
        async with gateway(running.url, ready=1, key=KEY) as remote:
            speech = Job(JobId("speech"), clip.pcm, options=Options(language="en"))
            heard = await remote.transcribe(speech)
    assert words(heard.text) == words(clip.text)


def test_recognisers_that_can_not_start_are_explained(tmp_path: Path) -> None:
    with starting(tmp_path, model="scripted:setup-error", replicas=1) as running:
        assert running.command.wait() == 2
    assert "auricle: The recognisers do not start: " in running.command.stderr
    assert "There is no such model" in running.command.stderr
    assert "Traceback" not in running.command.stderr
