import platform
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from prometheus_client.parser import text_string_to_metric_families

from auricle import __version__
from auricle.ledger.jobs.store import Backlog
from auricle.server.telemetry.client_metrics import MAX_CLIENTS, OTHER, ClientMetrics
from auricle.server.telemetry.metrics import LOOP_EVERY_S, REFUSALS, Metrics
from auricle.values.errors import Overloaded
from auricle.values.transcriber import (
    Counters,
    ModelState,
    ModelStats,
    Stats,
    WorkerState,
    WorkerStats,
)
from auricle.values.types import ClientId
from tests.support.decoder import FakeDecoder
from tests.support.service import InProcess, in_process, keys, poll_until, speech_json
from tests.support.transcriber import READY, FakeTranscriber

pytestmark = pytest.mark.server


def scrape(service: InProcess) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = service.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(service: InProcess, name: str, **labels: str) -> float:
    return scrape(service).get((name, frozenset(labels.items())), 0.0)


def samples(service: InProcess, name: str) -> list[tuple[str, dict[str, str]]]:
    return [(families, dict(labels)) for families, labels in scrape(service) if families == name]


def test_requests_are_counted_by_route_and_status(service: InProcess) -> None:
    service.post()
    service.post(task="sing")
    labels = {"method": "POST", "route": "/utterance"}
    assert value(service, "auricle_http_requests_total", **labels, status="200") == 1
    assert value(service, "auricle_http_requests_total", **labels, status="400") == 1
    assert value(service, "auricle_errors_total", code="bad_request") == 1


def test_refusals_are_counted_by_code(service: InProcess) -> None:
    service.transcriber.refuse = Overloaded("full", 1)
    service.post()
    assert value(service, "auricle_errors_total", code="queue_full") == 1


def test_paths_and_ids_and_methods_of_clients_never_become_labels(service: InProcess) -> None:
    service.client.get("/secret-path-1")
    service.client.get("/jobs/secret-job-2")
    service.client.request("SECRETMETHOD", "/livez")
    text = service.client.get("/metrics").text
    assert "secret" not in text.lower()
    get = {"method": "GET", "status": "404"}
    assert value(service, "auricle_http_requests_total", route="unmatched", **get) == 1
    assert value(service, "auricle_http_requests_total", route="/jobs/{job_id}", **get) == 1


def test_delays_are_reported_by_stage(service: InProcess) -> None:
    service.post()
    assert value(service, "auricle_delay_seconds_sum", stage="asr") == pytest.approx(0.02)
    assert value(service, "auricle_delay_seconds_sum", stage="queue") == pytest.approx(0.001)
    assert value(service, "auricle_delay_seconds_count", stage="total") == 1
    assert value(service, "auricle_audio_seconds_total") == pytest.approx(6.068, abs=0.001)


def test_workers_and_jobs_are_reported_as_they_are_now(service: InProcess) -> None:
    workers = tuple(
        WorkerStats(f"asr-{index}", None, WorkerState(state), 2, 0, 100, None)
        for index, state in enumerate(("ready", "ready", "backing_off"))
    )
    service.transcriber.current = replace(
        READY,
        workers=workers,
        queue=replace(READY.queue, waiting_audio_s=12.5),
        jobs=replace(READY.jobs, done=7, retried=2, poison=1),
    )
    service.decoder.current = Stats(ready=True)
    families = scrape(service)

    def get(name: str, **labels: str) -> float:
        return families[name, frozenset(labels.items())]

    assert get("auricle_workers", pool="asr", state="ready") == 2
    assert get("auricle_workers", pool="asr", state="backing_off") == 1
    assert get("auricle_workers", pool="decode", state="ready") == 0
    assert get("auricle_worker_restarts_total", pool="asr") == 6
    assert get("auricle_worker_memory_bytes", pool="asr") == 300
    assert get("auricle_worker_jobs_total", outcome="done") == 7
    assert get("auricle_worker_jobs_total", outcome="retried") == 2
    assert get("auricle_worker_jobs_total", outcome="poison") == 1
    assert get("auricle_queue_audio_seconds") == 12.5
    assert get("auricle_ready") == 1
    assert get("auricle_requests_in_progress") == 1  # the scrape itself


def test_another_pool_is_reported_with_its_workers_and_jobs() -> None:
    dead = WorkerStats("partial-1", None, WorkerState("backing_off"), 3, 0, 100, None)
    pool = Stats(workers=(dead,), jobs=Counters(done=5, failed=1))
    metrics = Metrics(FakeTranscriber(), FakeDecoder(), {"partials": lambda: pool})
    get = metrics.registry.get_sample_value
    assert get("auricle_workers", {"pool": "partials", "state": "backing_off"}) == 1
    assert get("auricle_worker_restarts_total", {"pool": "partials"}) == 3
    assert get("auricle_optional_jobs_total", {"pool": "partials", "outcome": "done"}) == 5
    assert get("auricle_worker_jobs_total", {"outcome": "done"}) == 0


def test_each_model_is_reported_with_its_state_and_jobs(service: InProcess) -> None:
    service.transcriber.current = replace(
        READY,
        models=(
            ModelStats("main", ModelState.READY, 2, 2, jobs=Counters(done=7)),
            ModelStats("other", ModelState.FAILED),
        ),
    )
    assert value(service, "auricle_model_state", model="main", state="ready") == 1
    assert value(service, "auricle_model_state", model="other", state="ready") == 0
    assert value(service, "auricle_model_state", model="other", state="failed") == 1
    assert value(service, "auricle_model_ready_workers", model="main") == 2
    assert value(service, "auricle_model_jobs_total", model="main", outcome="done") == 7


def test_two_applications_count_for_themselves(service: InProcess, tmp_path: Path) -> None:
    with in_process(tmp_path / "other") as other:
        service.post()
        assert value(other, "auricle_http_requests_total", method="POST", route="/utterance") == 0
        assert other.state.metrics.registry is not service.state.metrics.registry


async def test_how_late_the_event_loop_is_can_be_read() -> None:
    metrics = Metrics(FakeTranscriber(), FakeDecoder())

    def count() -> float:
        name = "auricle_event_loop_delay_seconds"
        late = metrics.registry.get_sample_value(f"{name}_sum")
        assert late is not None
        return late

    async with anyio.create_task_group() as group:
        group.start_soon(metrics.watch_loop)
        await anyio.wait_all_tasks_blocked()
        time.sleep(LOOP_EVERY_S + 0.2)  # noqa: ASYNC251  # what the metric is there for
        await poll_until(lambda: count() > 0)
        assert count() >= 0.2
        group.cancel_scope.cancel()


def test_the_build_and_the_model_are_there(service: InProcess) -> None:
    labels = {"version": __version__, "python": platform.python_version(), "model": "fake"}
    assert value(service, "auricle_build_info", **labels) == 1


def test_the_backlog_of_jobs_is_there() -> None:
    metrics = Metrics(FakeTranscriber(), FakeDecoder())
    metrics.report_backlog(Backlog(queued=3, running=2, oldest_accepted_at=100.0), now=160.0)
    get = metrics.registry.get_sample_value
    assert get("auricle_jobs", {"state": "queued"}) == 3
    assert get("auricle_jobs", {"state": "running"}) == 2
    assert get("auricle_jobs_oldest_seconds") == 60
    metrics.report_backlog(Backlog(queued=0, running=0, oldest_accepted_at=None), now=170.0)
    assert get("auricle_jobs_oldest_seconds") == 0


def test_runs_of_jobs_have_a_series_before_the_first_one() -> None:
    metrics = Metrics(FakeTranscriber(), FakeDecoder())
    for state in ("done", "failed", "cancelled", "queued"):
        assert metrics.registry.get_sample_value("auricle_job_runs_total", {"state": state}) == 0


def test_whether_it_is_draining_is_there(service: InProcess) -> None:
    assert value(service, "auricle_draining") == 0
    service.state.drain()
    assert value(service, "auricle_draining") == 1


def test_workers_that_take_too_long_are_counted(service: InProcess) -> None:
    overdue = WorkerStats("asr-1", None, WorkerState.BUSY, 0, 0, 0, None, overdue=True)
    service.transcriber.current = replace(READY, workers=(overdue, replace(overdue, overdue=False)))
    assert value(service, "auricle_workers_overdue", pool="asr") == 1
    assert value(service, "auricle_workers_overdue", pool="decode") == 0


def test_there_are_no_series_of_when_a_counter_was_made(service: InProcess) -> None:
    service.post()
    assert "_created" not in service.client.get("/metrics").text


def test_an_operators_errors_have_a_series_before_the_first_one(service: InProcess) -> None:
    codes = {labels["code"] for _, labels in samples(service, "auricle_errors_total")}
    assert codes == set(REFUSALS)


def test_what_each_key_uses_is_for_the_operator_only(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"api_keys": keys("anna:a", "bert:b"), "operator_key": keys("o")[0]}
    with in_process(tmp_path, **settings) as service:
        for key, status in (("a", 200), ("b", 400), ("stranger", 401)):
            body = speech_json(task="transcribe" if key == "a" else "sing")
            sent = {"authorization": f"Bearer {key}"}
            answered = service.client.post("/utterance", json=body, headers=sent)
            assert answered.status_code == status
        for key in ("a", "stranger"):
            shown = service.client.get("/metrics", headers={"authorization": f"Bearer {key}"})
            assert "anna" not in shown.text
        text = service.client.get("/metrics", headers={"authorization": "Bearer o"}).text
    assert 'auricle_client_requests_total{client="anna"} 1.0' in text
    assert 'auricle_client_requests_total{client="bert"} 1.0' in text
    assert 'auricle_client_audio_seconds_total{client="anna"} 6.0' in text
    assert 'auricle_client_audio_seconds_total{client="bert"}' not in text
    assert "stranger" not in text


def test_a_server_without_keys_shows_use_by_client(service: InProcess) -> None:
    service.post()
    assert value(service, "auricle_client_requests_total", client="anonymous") == 1


def test_live_sessions_and_speech_are_counted_for_their_key() -> None:
    clients = ClientMetrics()
    anna = ClientId("anna")

    def sessions() -> float | None:
        return clients.registry.get_sample_value("auricle_client_live_sessions", {"client": anna})

    clients.session_started(anna)
    clients.session_started(anna)
    assert sessions() == 2
    clients.session_ended(anna)
    assert sessions() == 1


def test_many_keys_make_a_bounded_number_of_series() -> None:
    clients = ClientMetrics()
    for number in range(MAX_CLIENTS + 50):
        clients.count_request(ClientId(f"key-{number}"))
    count = partial(clients.registry.get_sample_value, "auricle_client_requests_total")
    assert count({"client": f"key-{MAX_CLIENTS - 1}"}) == 1
    assert count({"client": f"key-{MAX_CLIENTS}"}) is None
    assert count({"client": OTHER}) == 50
    clients.count_request(ClientId("key-0"))
    assert count({"client": "key-0"}) == 2
