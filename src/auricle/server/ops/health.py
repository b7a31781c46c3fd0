"""Probes: ``/livez`` (the event loop runs), ``/readyz`` (a worker is ready), ``/health``."""

from dataclasses import asdict
from importlib.metadata import version
from typing import Any, TypedDict

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from auricle.ledger.jobs.job import JobState
from auricle.protocol.errors import ErrorResponse
from auricle.server.http.errors import error_response
from auricle.server.http.openapi import answer, refusals
from auricle.server.http.responses import json_response
from auricle.server.jobs.background_jobs.jobs import BackgroundJobs
from auricle.server.lifecycle import RETRY_S, Lifecycle
from auricle.server.live.registry import LiveSessions
from auricle.server.service import Service
from auricle.server.storage import Storage
from auricle.server.telemetry.host import HostUsage
from auricle.server.telemetry.metrics import Metrics
from auricle.values.errors import Draining, NoWorkerReady
from auricle.values.optional_workers import OPTIONAL_KINDS, OptionalWorkers
from auricle.values.transcriber import ModelStats, Stats, WorkerExit, WorkerStats

_VERSION = version("auricle")

_REFUSALS = refusals(ErrorResponse)


class _Alive(TypedDict):
    alive: bool


class _Ready(TypedDict):
    ready: bool


def routes(service: Service) -> APIRouter:
    """Return the routes of a server."""
    router = APIRouter(default_response_class=Response)
    keyring = service.access.keyring

    @router.head("/livez", include_in_schema=False)
    @router.get(
        "/livez",
        summary="Liveness",
        responses={200: answer("The server is alive.", _Alive), **_REFUSALS},
    )
    async def get_livez() -> Response:
        """Return 200 while the event loop runs."""
        return json_response(_Alive(alive=True))

    @router.head("/readyz", include_in_schema=False)
    @router.get(
        "/readyz",
        summary="Readiness",
        responses={200: answer("The server is ready.", _Ready), **_REFUSALS},
    )
    async def get_readyz() -> Response:
        """Return 200 only while a ready worker has lately finished a job or passed a self-test."""
        if service.lifecycle.is_draining:
            return error_response(Draining())
        if not service.recognition.transcriber.stats().is_working:
            return error_response(NoWorkerReady("No worker is ready, or all are overdue.", RETRY_S))
        return json_response(_Ready(ready=True))

    @router.head("/health", include_in_schema=False)
    @router.get(
        "/health",
        summary="Health",
        responses={200: answer("The current state.", dict[str, Any]), **_REFUSALS},
    )
    async def get_health(request: Request) -> Response:
        """Return the state of workers, queue and jobs; stacks and clients for the operator only."""
        return json_response(health_body(service, keyring.is_operator(request.headers)))

    return router


def health_body(server: Service, is_operator: bool) -> dict[str, object]:
    """Return the body of ``/health``."""
    asr, decode = server.recognition.transcriber.stats(), server.recognition.decoder.stats()
    return {
        "status": _status(asr, decode, server.lifecycle, server.storage),
        "draining": server.lifecycle.is_draining,
        "version": _VERSION,
        "model": asr.model,
        "models": [_model(model, is_operator) for model in asr.models],
        "workers": [_worker(worker, is_operator) for worker in asr.workers],
        "decode_workers": [_worker(worker, is_operator) for worker in decode.workers],
        **_optional_pools(server.workers, is_operator),
        "queue": {
            "jobs": asr.queue.waiting_jobs,
            "audio_s": round(asr.queue.waiting_audio_s, 3),
            "reserved_audio_s": round(asr.queue.reserved_audio_s, 3),
            "max_audio_s": round(asr.queue.max_audio_s, 3),
        },
        "jobs": asdict(asr.jobs),
        "background_jobs": _background_jobs(server.jobs, server.metrics),
        "files": {
            "working": server.uploads.file_slots.taken + len(server.jobs.runner),
            "max": server.uploads.file_slots.total + server.jobs.runner.max_running,
            "storable": not server.storage.spool.is_failing,
        },
        "database": {"working": not server.storage.database.is_failing},
        "sessions": {
            "connected": server.live.connected,
            "waiting": server.live.waiting,
            "max": server.live.settings.max_sessions,
        },
        "live": _live(server.live),
        "host": _host(server.host.last),
        "clients": _clients(server.metrics)
        if is_operator or not server.access.keyring.has_keys
        else None,
    }


def _background_jobs(jobs: BackgroundJobs, metrics: Metrics) -> dict[str, object]:
    """Return the unfinished jobs in the database, and those that this server has ended."""
    backlog, ended = jobs.start_estimate.backlog, metrics.job_runs
    return {
        "queued": backlog.queued,
        "running": backlog.running,
        "done": ended[JobState.DONE],
        "failed": ended[JobState.FAILED],
        "cancelled": ended[JobState.CANCELLED],
    }


def _live(live: LiveSessions) -> dict[str, object]:
    """Return how many people are transcribed live, and how many the machine holds."""
    load = live.admission.load()
    return {
        "speakers": round(load.speakers, 1),
        "capacity": round(load.capacity, 1),
        "learned": load.is_learned,
        "fixed": load.is_fixed,
        "late": load.is_late,
        "waiting_clients": load.waiting,
    }


def _host(host: HostUsage | None) -> dict[str, object] | None:
    """Return the use of the host; ``None`` before it was read."""
    if host is None:
        return None
    return {
        "cores": host.cores,
        "cpu_percent": round(host.cpu_percent, 1),
        "memory_mb": round(host.memory_bytes / 1e6),
        "memory_used_mb": round(host.memory_used_bytes / 1e6),
    }


def _clients(metrics: Metrics) -> list[dict[str, object]]:
    return [
        {
            "client": usage.client,
            "requests": usage.requests,
            "audio_s": round(usage.audio_s, 1),
            "sessions": usage.sessions,
        }
        for usage in metrics.clients.usage()
    ]


def _optional_pools(
    workers: OptionalWorkers, with_stacks: bool
) -> dict[str, dict[str, object] | None]:
    """Return the state of the optional workers by their kind; ``None``: the server has none."""
    pools = workers.statistics()
    return {
        kind: _optional_pool(pools[kind](), with_stacks) if kind in pools else None
        for kind in OPTIONAL_KINDS
    }


def _optional_pool(stats: Stats, with_stacks: bool) -> dict[str, object]:
    return {
        "model": stats.model,
        "ready": stats.ready,
        "workers": [_worker(worker, with_stacks) for worker in stats.workers],
        "waiting_jobs": stats.queue.waiting_jobs,
        "jobs": asdict(stats.jobs),
    }


def _status(asr: Stats, decode: Stats, lifecycle: Lifecycle, storage: Storage) -> str:
    if lifecycle.is_draining or not asr.ready:
        return "down"
    workers = (*asr.workers, *decode.workers)
    is_well = asr.is_working and decode.ready and all(worker.state.is_up for worker in workers)
    is_well = is_well and not any(model.error for model in asr.models)
    is_well = is_well and not storage.spool.is_failing and not storage.database.is_failing
    return "ok" if is_well else "degraded"


def _model(model: ModelStats, is_operator: bool) -> dict[str, object]:
    """Return the state of a model; why it can't be loaded may contain paths."""
    body: dict[str, object] = {
        "name": model.name,
        "state": model.state,
        "workers": model.workers,
        "ready_workers": model.ready_workers,
        "waiting_jobs": model.queue.waiting_jobs,
        "waiting_audio_s": round(model.queue.waiting_audio_s, 3),
        "jobs": asdict(model.jobs),
    }
    return body | {"error": model.error} if is_operator and model.error else body


def _worker(worker: WorkerStats, with_stacks: bool) -> dict[str, object]:
    last = worker.last_exit
    return {
        "id": worker.id,
        **({"model": worker.model} if worker.model else {}),
        "pid": worker.pid,
        "state": worker.state,
        "overdue": worker.overdue,
        "restarts": worker.restarts,
        "jobs_done": worker.jobs_done,
        "rss_mb": round(worker.rss_bytes / 1e6, 1),
        "last_exit": None if last is None else exit_body(last, with_stacks),
    }


def exit_body(last: WorkerExit, with_stacks: bool) -> dict[str, object]:
    """Return the JSON fields of a worker's exit."""
    how = {"signal": last.signal} if last.signal is not None else {"code": last.code}
    stack = {"stack": list(last.stack)} if with_stacks else {}
    return {**how, "reason": last.reason, "at": last.at, **stack}
