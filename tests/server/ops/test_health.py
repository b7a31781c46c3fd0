import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import LogCapture

from auricle.ledger.jobs.job import JobState
from auricle.values.optional_workers import OptionalWorkers
from auricle.values.transcriber import (
    Counters,
    DecodingStream,
    ModelState,
    ModelStats,
    Stats,
    WorkerExit,
    WorkerState,
    WorkerStats,
)
from auricle.values.types import (
    ClientId,
    EmbedJob,
    FrameCodec,
    Job,
    SpeakerEmbeddings,
    Transcript,
    TurnJob,
)
from auricle.workers.kinds.speakers.local import LocalSpeakers
from tests.support.service import CLIP, WAV, InProcess, in_process, keys
from tests.support.transcriber import READY

pytestmark = pytest.mark.server

CRASH = WorkerExit(1_700_000_000.0, "SIGSEGV", None, "exited", ("engine.py:10 in decode",))
EXIT = WorkerExit(1_700_000_000.0, None, 3, "start")


def worker(name: str, state: str = "ready", last_exit: WorkerExit | None = None) -> WorkerStats:
    return WorkerStats(name, 4711, WorkerState(state), 2, 17, 270_449_000, last_exit)


def stats(*workers: WorkerStats, ready: bool = True) -> Stats:
    return replace(READY, workers=workers, ready=ready)


def test_a_server_without_any_worker_is_alive_and_not_ready(service: InProcess) -> None:
    service.transcriber.current = stats(worker("asr-0", "starting"), ready=False)
    assert service.client.get("/livez").status_code == 200
    answer = service.client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "no_worker_ready"
    assert int(answer.headers["retry-after"]) > 0


def test_a_server_with_a_worker_is_ready(service: InProcess) -> None:
    assert service.client.get("/readyz").json() == {"ready": True}
    assert service.client.head("/readyz").status_code == 200


def test_a_server_that_shuts_down_is_alive_and_not_ready(service: InProcess) -> None:
    service.state.lifecycle.drain()
    assert service.client.get("/livez").status_code == 200
    answer = service.client.get("/readyz")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "draining")
    health = service.client.get("/health").json()
    assert (health["status"], health["draining"]) == ("down", True)


def test_health_reports_workers_queue_and_jobs(service: InProcess) -> None:
    asr = stats(worker("asr-0", last_exit=CRASH))
    service.transcriber.current = replace(
        asr,
        queue=replace(asr.queue, waiting_jobs=3, waiting_audio_s=12.3456, reserved_audio_s=22.5),
        jobs=Counters(done=5, retried=1, poison=2),
    )
    service.decoder.current = stats(worker("decode-0", last_exit=EXIT))
    answer = service.client.get("/health")
    assert answer.status_code == 200
    body = answer.json()
    assert body["workers"] == [
        {
            "id": "asr-0",
            "pid": 4711,
            "state": "ready",
            "overdue": False,
            "restarts": 2,
            "jobs_done": 17,
            "rss_mb": 270.4,
            "last_exit": {"signal": "SIGSEGV", "reason": "exited", "at": 1_700_000_000.0},
        }
    ]
    assert body["decode_workers"][0]["last_exit"] == {
        "code": 3,
        "reason": "start",
        "at": 1_700_000_000.0,
    }
    assert body["queue"] == {
        "jobs": 3,
        "audio_s": 12.346,
        "reserved_audio_s": 22.5,
        "max_audio_s": 300.0,
    }
    assert body["jobs"] == {"done": 5, "failed": 0, "retried": 1, "refused": 0, "poison": 2}
    assert body["files"] == {"working": 0, "max": 32, "storable": True}
    assert (body["status"], body["model"], body["draining"]) == ("ok", "fake", False)
    assert body["sessions"] == {"connected": 0, "waiting": 0, "max": 1000}
    assert body["live"] == {
        "speakers": 0.0,
        "capacity": 1000,
        "learned": False,
        "fixed": True,
        "late": False,
        "waiting_clients": 0,
    }
    assert body["version"]


@pytest.mark.parametrize(
    ("asr", "decode", "status"),
    [
        (stats(worker("a"), worker("b", "busy")), Stats(ready=True), "ok"),
        (stats(worker("a"), worker("b", "backing_off")), Stats(ready=True), "degraded"),
        (stats(worker("a")), Stats(ready=False), "degraded"),
        (stats(worker("a", "starting"), ready=False), Stats(ready=True), "down"),
    ],
)
def test_the_status_is_ok_degraded_or_down(
    service: InProcess, asr: Stats, decode: Stats, status: str
) -> None:
    service.transcriber.current, service.decoder.current = asr, decode
    answer = service.client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, status)


def test_a_server_that_cannot_store_uploads_is_degraded_and_ready(
    tmp_path: Path, logged: LogCapture
) -> None:
    with in_process(tmp_path / "spool") as service:
        shutil.rmtree(tmp_path / "spool")
        (tmp_path / "spool").write_text("in the way")
        upload: dict[str, Any] = {"content": CLIP.path.read_bytes(), "headers": WAV}
        assert service.client.post("/utterance", **upload).status_code == 503
        health = service.client.get("/health").json()
        assert (health["status"], health["files"]["storable"]) == ("degraded", False)
        assert "auricle_spool_failing 1.0" in service.client.get("/metrics").text
        assert service.client.get("/readyz").status_code == 200
        assert service.post().status_code == 200  # short PCM16 needs no disk
        (tmp_path / "spool").unlink()
        assert service.client.post("/utterance", **upload).status_code == 200
    events = [entry for entry in logged.entries if entry["log_level"] == "error"]
    assert [event["event"] for event in events] == ["uploads_not_stored"]


@pytest.mark.parametrize(
    ("key", "error"), [("root", "There is no directory /models/x."), ("secret", None), ("", None)]
)
def test_health_reports_each_model_and_a_failed_one_makes_it_degraded(
    tmp_path: Path, key: str, error: str | None
) -> None:
    models = (
        ModelStats("main", ModelState.READY, 2, 2, jobs=Counters(done=3)),
        ModelStats("other", ModelState.FAILED, error="There is no directory /models/x."),
    )
    rows = (worker("asr-1"), replace(worker("asr-other-1"), model="other"))
    settings = {"api_keys": keys("secret"), "operator_key": keys("root")[0]}
    with in_process(tmp_path / "spool", **settings) as service:
        service.transcriber.current = replace(stats(*rows), models=models)
        body = service.client.get("/health", headers={"authorization": f"Bearer {key}"}).json()
        assert service.client.get("/readyz").status_code == 200
    main, other = body["models"]
    assert (main["name"], main["state"], main["ready_workers"]) == ("main", "ready", 2)
    assert main["jobs"]["done"] == 3
    assert (other["state"], other["workers"], other.get("error")) == ("failed", 0, error)
    assert [each.get("model") for each in body["workers"]] == [None, "other"]
    assert body["status"] == "degraded"


@pytest.mark.parametrize(
    ("key", "stack"), [("root", ["engine.py:10 in decode"]), ("secret", None), ("", None)]
)
def test_only_the_operator_sees_crash_stacks(
    tmp_path: Path, key: str, stack: list[str] | None
) -> None:
    with in_process(
        tmp_path, api_keys=keys("alice:secret"), operator_key=keys("root")[0]
    ) as service:
        service.transcriber.current = stats(worker("asr-0", last_exit=CRASH))
        headers = {"authorization": f"Bearer {key}"}
        body: Any = service.client.get("/health", headers=headers).json()
        assert body["workers"][0]["last_exit"].get("stack") == stack


@pytest.mark.parametrize(("key", "names"), [("root", ["alice"]), ("secret", None), ("", None)])
def test_only_the_operator_sees_the_usage_of_clients(
    tmp_path: Path, key: str, names: list[str] | None
) -> None:
    with in_process(
        tmp_path, api_keys=keys("alice:secret"), operator_key=keys("root")[0]
    ) as service:
        service.client.get("/v1/sessions", headers={"authorization": "Bearer secret"})
        headers = {"authorization": f"Bearer {key}"}
        clients: Any = service.client.get("/health", headers=headers).json()["clients"]
        assert (None if clients is None else [each["client"] for each in clients]) == names


def test_the_state_includes_background_jobs_the_host_and_on_an_open_server_clients(
    service: InProcess,
) -> None:
    service.state.metrics.count_job_run(JobState.FAILED)
    service.client.get("/v1/sessions")
    body: Any = service.client.get("/health").json()
    ended = {"done": 0, "failed": 1, "cancelled": 0}
    assert body["background_jobs"] == {"queued": 0, "running": 0, **ended}
    assert body["host"]["memory_mb"] > body["host"]["memory_used_mb"] > 0
    assert [each["requests"] for each in body["clients"]] == [1]


def test_probes_need_no_key(tmp_path: Path) -> None:
    with in_process(tmp_path, api_keys=keys("alice:secret")) as service:
        for path in ("/livez", "/readyz", "/health", "/metrics", "/openapi.json"):
            assert service.client.get(path).status_code == 200


@pytest.mark.parametrize("states", [("busy",), ("busy", "busy"), ("busy", "starting")])
def test_a_server_whose_workers_are_all_overdue_is_degraded_and_not_ready(
    service: InProcess, states: tuple[str, ...]
) -> None:
    workers = [
        replace(worker(f"asr-{number}", state), overdue=state == "busy")
        for number, state in enumerate(states)
    ]
    service.transcriber.current = stats(*workers)
    assert service.client.get("/readyz").json()["error"]["code"] == "no_worker_ready"
    health = service.client.get("/health").json()
    assert health["status"] == "degraded"
    assert health["workers"][0]["overdue"] is True


def test_one_worker_that_is_not_overdue_does(service: InProcess) -> None:
    late = replace(worker("asr-0", "busy"), overdue=True)
    service.transcriber.current = stats(late, worker("asr-1", "busy"))
    assert service.client.get("/readyz").status_code == 200
    assert service.client.get("/health").json()["status"] == "ok"


class FakeSpeakers:
    """A pool of speakers that no job has started yet."""

    def prepare(self) -> None:
        raise AssertionError

    async def embed(self, job: EmbedJob) -> SpeakerEmbeddings:
        raise AssertionError(job.id)

    def stats(self) -> Stats:
        return replace(stats(), ready=True, model="campplus")


def test_health_reports_the_speaker_workers(service: InProcess, tmp_path: Path) -> None:
    assert service.client.get("/health").json()["speakers"] is None
    workers = OptionalWorkers(speakers=LocalSpeakers(FakeSpeakers()))
    with in_process(tmp_path / "other", workers=workers) as other:
        speakers = other.client.get("/health").json()["speakers"]
    assert (speakers["model"], speakers["ready"], speakers["workers"]) == ("campplus", True, [])


class FakeTurns:
    """A pool of turns that no session has started yet."""

    def prepare(self) -> None:
        raise AssertionError

    async def judge(self, job: TurnJob) -> float:
        raise AssertionError(job.id)

    def stats(self) -> Stats:
        return replace(stats(), ready=True, model="smart-turn")


def test_health_reports_the_turn_workers(service: InProcess, tmp_path: Path) -> None:
    assert service.client.get("/health").json()["turns"] is None
    workers = OptionalWorkers(turns=FakeTurns())
    with in_process(tmp_path / "other", workers=workers) as other:
        turns = other.client.get("/health").json()["turns"]
    assert (turns["model"], turns["ready"], turns["workers"]) == ("smart-turn", True, [])


class FakeFrames:
    """A pool of live streams that no stream has started yet."""

    def open(self, codec: FrameCodec, header: bytes, *, client: ClientId) -> DecodingStream:
        raise AssertionError(codec)

    def stats(self) -> Stats:
        return replace(stats(), ready=True)


def test_health_reports_the_workers_of_live_streams(service: InProcess, tmp_path: Path) -> None:
    assert service.client.get("/health").json()["frames"] is None
    workers = OptionalWorkers(frames=FakeFrames())
    with in_process(tmp_path / "other", workers=workers) as other:
        frames = other.client.get("/health").json()["frames"]
    assert (frames["ready"], frames["workers"]) == (True, [])


class FakePartials:
    """A pool of partials whose only worker has died."""

    is_ready = False
    languages = frozenset({"en"})

    def recognises(self, job: Job) -> bool:
        raise AssertionError(job.id)

    async def transcribe(self, job: Job) -> Transcript:
        raise AssertionError(job.id)

    def stats(self) -> Stats:
        return replace(stats(worker("partial-1", "backing_off", CRASH), ready=False), model="tiny")


def test_health_reports_the_workers_of_partials_which_no_probe_depends_on(
    service: InProcess, tmp_path: Path
) -> None:
    assert service.client.get("/health").json()["partials"] is None
    workers = OptionalWorkers(partials=FakePartials())
    with in_process(tmp_path / "other", workers=workers) as other:
        health = other.client.get("/health").json()
        assert other.client.get("/readyz").status_code == 200
    assert health["status"] == "ok"
    partials = health["partials"]
    assert (partials["model"], partials["ready"], partials["waiting_jobs"]) == ("tiny", False, 0)
    assert [each["id"] for each in partials["workers"]] == ["partial-1"]
