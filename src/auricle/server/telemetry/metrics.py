"""Prometheus metrics, in a registry for each application.

Label values come from fixed lists: route templates, error codes, worker states. A value sent by a
client (a path, a key, an id) never becomes a label. Names of keys are in :mod:`.client_metrics`.
"""

import asyncio
import platform
import time
from collections import Counter as Counts
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial

import anyio
from fastapi import APIRouter
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from auricle import __version__ as _VERSION
from auricle.ledger.jobs.job import JobState
from auricle.ledger.jobs.store import Backlog
from auricle.protocol.errors import ErrorResponse
from auricle.server.access.keyring import Keyring
from auricle.server.http.openapi import answer, refusals
from auricle.server.telemetry.client_metrics import ClientMetrics
from auricle.server.telemetry.live_metrics import NODE_BUCKETS_S, LiveMetrics
from auricle.values.transcriber import (
    Decoder,
    ModelState,
    ModelStats,
    Stats,
    Transcriber,
    WorkerState,
)
from auricle.values.types import Timing

SERVER_REFUSALS = (
    *("queue_full", "no_worker_ready", "model_unavailable", "draining"),
    *("deadline_exceeded", "poison_job", "internal"),
)
"""Codes of errors of the server: a valid request got no transcript."""
CLIENT_REFUSALS = (
    *("rate_limited", "unauthorized", "token_expired", "forbidden_origin", "forbidden_host"),
)
"""Codes of errors of clients that an operator can act on, such as wrong keys."""
REFUSALS = SERVER_REFUSALS + CLIENT_REFUSALS
"""Codes of errors that have a series from the start."""

_DELAY_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
LOOP_EVERY_S = 0.1
_OTHER = "other"
NO_POOLS: Mapping[str, Callable[[], Stats]] = {}
_METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"})

disable_created_metrics()  # type: ignore[no-untyped-call]  # unused series


def _never() -> bool:
    return False


class Metrics:
    """The server's counters, and the worker pools' statistics at each scrape.

    Args:
        transcriber: Its workers are the pool ``asr``.
        decoder: Its workers are the pool ``decode``.
        others: The statistics of other pools by their names.
        is_draining: Returns whether the server drains.
        is_spool_failing: Returns whether uploads can't be stored on disk.
        is_database_failing: Returns whether jobs and transcripts can't be stored.
    """

    def __init__(
        self,
        transcriber: Transcriber,
        decoder: Decoder,
        others: Mapping[str, Callable[[], Stats]] = NO_POOLS,
        *,
        is_draining: Callable[[], bool] = _never,
        is_spool_failing: Callable[[], bool] = _never,
        is_database_failing: Callable[[], bool] = _never,
    ) -> None:
        self.registry = CollectorRegistry()
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)
        self.errors: Counts[str] = Counts()
        """Number of responses with each error code."""
        self.job_runs: Counts[str] = Counts()
        """Number of runs of background jobs here by the job's state after it."""
        self.registry.register(_WorkerMetrics(transcriber, decoder, others))
        self._requests = counter(
            "auricle_http_requests",
            "HTTP requests by method, route and status.",
            ("method", "route", "status"),
        )
        self._refusals = counter(
            "auricle_errors", "Responses with an error, by error code.", ("code",)
        )
        for code in REFUSALS:  # rate() misses the first error of a series that starts with it
            self._refusals.labels(code)
        self._delays = histogram(
            "auricle_delay_seconds",
            "Time for a transcript by stage: in the queue (queue), recognition (asr), all (total).",
            ("stage",),
            buckets=_DELAY_BUCKETS_S,
        )
        self._audio = counter("auricle_audio_seconds", "Audio that was transcribed.")
        self.clients = ClientMetrics()
        self.live = LiveMetrics(self.registry, self.clients)
        self._jobs = gauge("auricle_jobs", "Unfinished background jobs, by state.", ("state",))
        self._oldest_job = gauge(
            "auricle_jobs_oldest_seconds", "Age of the oldest unfinished background job."
        )
        self._job_runs = counter(
            "auricle_job_runs",
            "Runs of background jobs here, by the job's state after it.",
            ("state",),
        )
        self.leases_lost = counter(
            "auricle_job_leases_lost", "Background jobs that another gateway took over from here."
        )
        for state in JobState:
            if state is not JobState.RUNNING:
                self._job_runs.labels(state.value)
        gauge("auricle_draining", "1 while the server drains and refuses new work.").set_function(
            is_draining
        )
        gauge("auricle_spool_failing", "1 while uploads cannot be stored on disk.").set_function(
            is_spool_failing
        )
        gauge(
            "auricle_database_failing",
            "1 while the database of jobs and transcripts does not answer, or is damaged.",
        ).set_function(is_database_failing)
        self.loop_delay = histogram(
            "auricle_event_loop_delay_seconds",
            "Delay of the event loop, measured ten times a second.",
            buckets=NODE_BUCKETS_S,
        )
        ProcessCollector(registry=self.registry)
        tasks = gauge("auricle_asyncio_tasks", "Tasks of the event loop.")
        tasks.set_function(lambda: len(asyncio.all_tasks()))
        self.in_progress = gauge("auricle_requests_in_progress", "HTTP requests in progress.")

    def report_backlog(self, backlog: Backlog, now: float) -> None:
        """Report the unfinished background jobs; ``now`` is Unix time in seconds."""
        self._jobs.labels(JobState.QUEUED.value).set(backlog.queued)
        self._jobs.labels(JobState.RUNNING.value).set(backlog.running)
        oldest_at = backlog.oldest_accepted_at
        self._oldest_job.set(0.0 if oldest_at is None else max(0.0, now - oldest_at))

    def count_job_run(self, state: JobState) -> None:
        """Count a run of a background job by the job's state after it."""
        self.job_runs[state.value] += 1
        self._job_runs.labels(state.value).inc()

    async def watch_loop(self) -> None:
        """Measure the event loop's delay until cancelled; up to 1 ms is normal when idle."""
        while True:
            due_at = time.monotonic() + LOOP_EVERY_S
            await anyio.sleep(LOOP_EVERY_S)
            self.loop_delay.observe(max(0.0, time.monotonic() - due_at))

    def count_request(self, method: str, route: str, status: int, code: str | None) -> None:
        """Count one response; ``route`` is a template, never a path."""
        label = method if method in _METHODS else _OTHER
        self._requests.labels(label, route, str(status)).inc()
        if code is not None:
            self._refusals.labels(code).inc()
            self.errors[code] += 1

    def count_answer(self, timing: Timing, total_s: float, audio_s: float) -> None:
        """Count one transcript, its delays and its seconds of audio."""
        self._delays.labels("queue").observe(timing.queue_ms / 1000)
        self._delays.labels("asr").observe(timing.asr_ms / 1000)
        self._delays.labels("total").observe(total_s)
        self._audio.inc(audio_s)


class _WorkerMetrics(Collector):
    """The worker pools' statistics at the time of a scrape."""

    def __init__(
        self,
        transcriber: Transcriber,
        decoder: Decoder,
        others: Mapping[str, Callable[[], Stats]],
    ) -> None:
        self._transcriber = transcriber
        self._decoder = decoder
        self._others = others

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of all pools."""
        pools = {"asr": self._transcriber.stats(), "decode": self._decoder.stats()}
        others = {name: stats() for name, stats in self._others.items()}
        yield _build_info(pools["asr"].model)
        yield from _worker_families(pools | others)
        yield _optional_jobs(others)
        yield from _queue_families(pools["asr"])
        yield from _model_families(pools["asr"].models)

    def describe(self) -> list[Metric]:
        """Return no metrics, so that registration does not collect any."""
        return []


def _build_info(model: str) -> Metric:
    labels = {"version": _VERSION, "python": platform.python_version(), "model": model}
    info = GaugeMetricFamily(
        "auricle_build_info", "Version, Python version and model; always 1.", labels=tuple(labels)
    )
    info.add_metric(tuple(labels.values()), 1)
    return info


def _worker_families(pools: dict[str, Stats]) -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "auricle_workers", "Workers by pool and state.", labels=("pool", "state")
    )
    overdue = GaugeMetricFamily(
        "auricle_workers_overdue",
        "Workers whose current job takes much longer than expected.",
        labels=("pool",),
    )
    restarts = CounterMetricFamily(
        "auricle_worker_restarts", "Restarts of workers that exited unexpectedly.", labels=("pool",)
    )
    memory = GaugeMetricFamily(
        "auricle_worker_memory_bytes", "Resident memory of all workers.", labels=("pool",)
    )
    for pool, stats in pools.items():
        for state in WorkerState:
            count = sum(worker.state is state for worker in stats.workers)
            states.add_metric((pool, state), count)
        overdue.add_metric((pool,), sum(worker.overdue for worker in stats.workers))
        restarts.add_metric((pool,), sum(worker.restarts for worker in stats.workers))
        memory.add_metric((pool,), sum(worker.rss_bytes for worker in stats.workers))
    yield from (states, overdue, restarts, memory)


def _optional_jobs(pools: dict[str, Stats]) -> Metric:
    """Return the jobs without which a transcript is complete, such as partials."""
    jobs = CounterMetricFamily(
        "auricle_optional_jobs",
        "Jobs of pools without which a transcript is complete, by outcome.",
        labels=("pool", "outcome"),
    )
    for pool, stats in pools.items():
        for outcome, number in asdict(stats.jobs).items():
            jobs.add_metric((pool, outcome), number)
    return jobs


def _queue_families(stats: Stats) -> Iterator[Metric]:
    jobs = CounterMetricFamily(
        "auricle_worker_jobs", "Jobs of the recognition workers, by outcome.", labels=("outcome",)
    )
    for outcome, number in asdict(stats.jobs).items():
        jobs.add_metric((outcome,), number)
    yield jobs
    figures = {
        "auricle_ready": ("1 while speech can be recognised.", float(stats.is_working)),
        "auricle_waiting_jobs": ("Jobs in the queue.", stats.queue.waiting_jobs),
        "auricle_running_jobs": ("Jobs in workers.", stats.queue.running_jobs),
        "auricle_queue_audio_seconds": (
            "Audio in the queue and in workers.",
            stats.queue.waiting_audio_s,
        ),
        "auricle_queue_max_audio_seconds": ("Maximum audio in the queue.", stats.queue.max_audio_s),
        "auricle_reserved_audio_seconds": (
            "Audio with reserved queue room.",
            stats.queue.reserved_audio_s,
        ),
    }
    for name, (text, value) in figures.items():
        yield GaugeMetricFamily(name, text, value=value)


def _model_families(models: Sequence[ModelStats]) -> Iterator[Metric]:
    """Yield the figures of each model of the server's table; names come from the settings."""
    states = GaugeMetricFamily(
        "auricle_model_state", "1 for the present state of a model.", labels=("model", "state")
    )
    workers = GaugeMetricFamily(
        "auricle_model_ready_workers", "Ready workers of a model.", labels=("model",)
    )
    audio = GaugeMetricFamily(
        "auricle_model_waiting_audio_seconds", "Queued audio of a model.", labels=("model",)
    )
    jobs = CounterMetricFamily(
        "auricle_model_jobs", "Jobs of a model, by outcome.", labels=("model", "outcome")
    )
    for model in models:
        for state in ModelState:
            states.add_metric((model.name, state), float(model.state is state))
        workers.add_metric((model.name,), model.ready_workers)
        audio.add_metric((model.name,), model.queue.waiting_audio_s)
        for outcome, number in asdict(model.jobs).items():
            jobs.add_metric((model.name, outcome), number)
    yield from (states, workers, audio, jobs)


def routes(metrics: Metrics, keyring: Keyring) -> APIRouter:
    """Return the routes of a server."""
    router = APIRouter(default_response_class=Response)

    @router.get(
        "/metrics",
        summary="Prometheus metrics",
        responses={200: answer("All metrics.", str, "text/plain"), **refusals(ErrorResponse)},
    )
    async def get_metrics(request: Request) -> Response:
        """Return all metrics in Prometheus' text format; those per client only to the operator."""
        text = generate_latest(metrics.registry)
        if not keyring.has_keys or keyring.is_operator(request.headers):
            text += generate_latest(metrics.clients.registry)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    return router
