import time
from dataclasses import replace

import anyio
import pytest
from prometheus_client.parser import text_string_to_metric_families

from auricle.errors import Overloaded
from auricle.server.metrics import LOOP_EVERY_S, Metrics
from auricle.transcriber import Stats, WorkerStats
from tests.fakes.decoder import FakeDecoder
from tests.fakes.service import InProcess, poll_until
from tests.fakes.transcriber import READY, FakeTranscriber

pytestmark = pytest.mark.unit


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


def test_delays_are_told_by_stage(service: InProcess) -> None:
    service.post()
    assert value(service, "auricle_delay_seconds_sum", stage="asr") == pytest.approx(0.02)
    assert value(service, "auricle_delay_seconds_sum", stage="queue") == pytest.approx(0.001)
    assert value(service, "auricle_delay_seconds_count", stage="total") == 1
    assert value(service, "auricle_audio_seconds_total") == pytest.approx(6.068, abs=0.001)


def test_workers_and_jobs_are_told_as_they_are_now(service: InProcess) -> None:
    workers = tuple(
        WorkerStats(f"asr-{index}", None, state, 2, 0, 100, None)
        for index, state in enumerate(("ready", "ready", "backing_off"))
    )
    service.transcriber.current = replace(
        READY, workers=workers, done=7, retried=2, poison=1, waiting_audio_s=12.5
    )
    service.decoder.current = Stats(ready=True)
    found = scrape(service)

    def get(name: str, **labels: str) -> float:
        return found[name, frozenset(labels.items())]

    assert get("auricle_workers", pool="asr", state="ready") == 2
    assert get("auricle_workers", pool="asr", state="backing_off") == 1
    assert get("auricle_workers", pool="decode", state="ready") == 0
    assert get("auricle_worker_restarts_total", pool="asr") == 6
    assert get("auricle_worker_memory_bytes", pool="asr") == 300
    assert get("auricle_jobs_total", outcome="done") == 7
    assert get("auricle_jobs_total", outcome="retried") == 2
    assert get("auricle_jobs_total", outcome="poison") == 1
    assert get("auricle_queue_audio_seconds") == 12.5
    assert get("auricle_ready") == 1
    assert get("auricle_requests_in_progress") == 1  # the scrape itself


def test_two_applications_count_for_themselves(service: InProcess) -> None:
    from auricle.config import Settings
    from auricle.server.app import create_app

    other = create_app(service.transcriber, service.decoder, Settings())
    service.post()
    assert other.state.auricle.metrics.registry is not service.state.metrics.registry


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
