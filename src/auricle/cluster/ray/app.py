"""The Ray Serve application: ingresses that receive jobs, and replicas that run them.

``serve run``, ``serve deploy`` and KubeRay import ``auricle.cluster.ray.app:app``. The deploying
program reads the settings once, from the environment and the application's ``args``.

    gateway → Serve's proxy → Ingress (key, size, head; which replica) → Recogniser (a pool)

An ingress forwards the frames of an answer as they arrive. If a replica is lost, another one gets
the job. If an ingress or the last replica is lost, the answer is truncated, and the gateway sends
the job again.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Mapping, Sequence

import anyio
import ray
import structlog
from ray import serve
from ray.exceptions import RayActorError, RayError
from ray.serve.config import AutoscalingConfig, AutoscalingPolicy, RequestRouterConfig
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import LoggingConfig

from auricle.cluster.ray.arguments import settings_from
from auricle.cluster.ray.balance import REPLICA_TABLE, REPORT_EVERY_S, ReplicaTable
from auricle.cluster.ray.router import PreferredReplicaRouter
from auricle.cluster.recogniser.replica import RecogniserReplica
from auricle.cluster.recogniser.scaling import AudioLoadPolicy, ingresses_per_machine
from auricle.cluster.recogniser.service import RecogniserService
from auricle.cluster.settings import ClusterSettings, GatewaySettings
from auricle.cluster.wire.capacity import Capacity, capacity_of
from auricle.cluster.wire.messages import JobHead, audio_s_of
from auricle.config.settings import Settings
from auricle.engines.base import CostModel
from auricle.system.logs import configure_logging
from auricle.system.machine import shorten_collections
from auricle.values.errors import SetupError, WorkerError
from auricle.values.transcriber import Stats
from auricle.workers.local_models import find_local_models

REPORT_TIMEOUT_S = 1.0
FIRST_REPORTS_S = 2.5
"""Maximum wait of a job for the first reports at a new ingress, which take two rounds."""
SILENCE_S = 1.5
"""Three missing beats: another replica that reports gets the job. Half of the gateway's limit, so
that its other jobs here continue. While Ray's head is down, calls to a lost replica never fail."""
MAX_REQUESTS = 10_000
"""Maximum concurrent requests of an ingress; high, because jobs wait only in the pools, which
schedule by urgency."""
DRAIN_MARGIN_S = 10.0
"""Time from the end of the drain until Serve kills a replica."""
HEALTH_PERIOD_S, HEALTH_TIMEOUT_S = 3.0, 6.0
"""Serve replaces a replica after three checks that failed or timed out."""
UPSCALE_DELAY_S, DOWNSCALE_DELAY_S = 10.0, 300.0
LOOK_BACK_S = 15.0
"""Must be longer than the 10 s between two of Serve's measurements."""

log = structlog.get_logger(__name__)


class Replicas:
    """All replicas of the application, as the backend of an ingress.

    Args:
        recogniser: Serve's handle of the replicas.
        table: State of the replicas.
        id: Identity of the application; the same in every ingress.
    """

    def __init__(self, recogniser: DeploymentHandle, table: ReplicaTable, id: str) -> None:
        self._recogniser = recogniser
        self._table = table
        self._id = id
        self._has_reports = asyncio.Event()

    async def answer(self, body: bytes, head: JobHead) -> AsyncGenerator[bytes, None]:
        """Yield the frames of a replica's answer; closing the generator cancels the job.

        Raises:
            NoWorkerReady: No replica is ready.
        """
        with anyio.move_on_after(FIRST_REPORTS_S):
            await self._has_reports.wait()
        audio_s = audio_s_of(body)
        tried: list[str] = []
        while True:
            order = [name for name in self._table.order(time.monotonic()) if name not in tried]
            tried.append(order[0])
            try:
                async with contextlib.aclosing(self._frames(body, audio_s, order)) as frames:
                    while (frame := await self._next_frame(frames, tried)) is not None:
                        yield frame
                    return
            except (TimeoutError, RayActorError) as exc:
                if not self._table.has_other(tried, time.monotonic()):
                    raise
                log.warning("replica_lost", replica=tried[-1], error=type(exc).__name__)
                self._table.missed(tried[-1])

    async def _next_frame(
        self, frames: AsyncGenerator[bytes, None], tried: Sequence[str]
    ) -> bytes | None:
        """Return the next frame; ``None`` at the end.

        Raises:
            TimeoutError: There was none for ``SILENCE_S``, and another replica can have the job.
        """
        waiting = asyncio.ensure_future(_first(frames))
        try:
            while not (await asyncio.wait([waiting], timeout=SILENCE_S))[0]:
                if self._table.has_other(tried, time.monotonic()):
                    raise TimeoutError
            return waiting.result()
        finally:
            if waiting.cancel():
                with anyio.CancelScope(shield=True):
                    await asyncio.wait([waiting])

    async def _frames(
        self, body: bytes, audio_s: float, order: Sequence[str]
    ) -> AsyncGenerator[bytes, None]:
        """Yield the frames of the first replica that Serve can call."""
        frames = self._recogniser.options(stream=True).transcribe.remote(body, to=tuple(order))
        self._table.sent(order[0], audio_s)
        try:
            async for frame in frames:
                yield frame
        finally:
            self._table.ended(order[0], audio_s)
            frames.cancel()

    async def capacity(self) -> Capacity:
        """Return the sum of the replicas' latest reports."""
        reports = self._table.stats(time.monotonic())
        return capacity_of({f"{name}/": stats for name, stats in reports.items()}, id=self._id)

    async def watch(self) -> None:
        """Poll the replicas' reports until cancelled."""
        while True:
            # Serve's router lists the replicas only after a first call.
            names: Sequence[Sequence[str]] = [(name,) for name in self._table.present] or [()]
            await asyncio.gather(*(self._poll(to) for to in names), asyncio.sleep(REPORT_EVERY_S))
            if self._table.has_reports:
                self._has_reports.set()

    async def _poll(self, to: Sequence[str]) -> None:
        with anyio.move_on_after(REPORT_TIMEOUT_S):
            try:
                stats: Stats = await self._recogniser.report.remote(to=to)
            except (RayError, RayServeException) as exc:  # the table detects missing reports
                log.debug("no_report", replica=to, error=type(exc).__name__)
                return
            for name in to:
                self._table.report(name, stats, time.monotonic())


async def _first(frames: AsyncGenerator[bytes, None]) -> bytes | None:
    return await anext(frames, None)


class Ingress:
    """An ingress, run by Serve.

    Args:
        recogniser: Serve's handle of the replicas.
        settings: All settings.
    """

    def __init__(self, recogniser: DeploymentHandle, settings: Settings) -> None:
        configure_logging(settings.server.log_level)
        context = ray.get_runtime_context()
        application = serve.get_replica_context().app_name
        REPLICA_TABLE.here = context.get_node_id()
        REPLICA_TABLE.costs = _costs(settings)
        self._replicas = Replicas(
            recogniser, REPLICA_TABLE, f"{context.get_session_name()}/{application}"
        )
        self._key = settings.section(GatewaySettings).engine_key
        self._watch = asyncio.ensure_future(self._replicas.watch())
        shorten_collections()

    def __serve_build_asgi_app__(self) -> RecogniserService:
        """Return the ASGI application; called once by Serve."""
        return RecogniserService(
            self._replicas, None if self._key is None else self._key.get_secret_value()
        )

    async def check_health(self) -> None:
        """Return if the ingress is healthy.

        Raises:
            WorkerError: The ingress no longer polls the replicas.
        """
        if self._watch.done():
            raise WorkerError("polling of the replicas has ended")


class Replica(RecogniserReplica):
    """A recogniser that Serve can shut down."""

    async def __del__(self) -> None:
        """Close the pool; called once by Serve, after the last job."""
        await self.aclose()


def app(args: Mapping[str, object]) -> serve.Application:
    """Build the application.

    Args:
        args: Settings by field name, such as ``replicas``; they override the environment. Secrets
            are not allowed, because Serve's API shows arguments.

    Raises:
        SetupError: An argument is invalid or unknown.
    """
    return application(settings_from(args))


def application(settings: Settings) -> serve.Application:
    """Build the application from settings."""
    cluster = settings.section(ClusterSettings)
    to_end_s = settings.server.drain_s + DRAIN_MARGIN_S
    gpus = cluster.replica_gpus or (1 if settings.model.device == "cuda" else 0)
    max_replicas = max(cluster.replicas, cluster.max_replicas)
    number: dict[str, object] = {"num_replicas": cluster.replicas}
    if max_replicas > cluster.replicas:
        policy = AutoscalingPolicy(
            policy_function=AudioLoadPolicy, policy_kwargs={"audio_s": cluster.replica_audio_s}
        )
        number = {
            "autoscaling_config": AutoscalingConfig(
                min_replicas=cluster.replicas,
                max_replicas=max_replicas,
                upscale_delay_s=UPSCALE_DELAY_S,
                downscale_delay_s=DOWNSCALE_DELAY_S,
                look_back_period_s=LOOK_BACK_S,
                policy=policy,
            )
        }
    quiet = LoggingConfig(enable_access_log=False)  # it would log every report and poll
    replicas = serve.deployment(Replica).options(
        name="Recogniser",
        logging_config=quiet,
        # All jobs that a pool can admit from gateways (twice its queue), and report requests.
        max_ongoing_requests=4 * settings.queue.queue_jobs + 100,
        ray_actor_options={"num_cpus": cluster.replica_cpus, "num_gpus": gpus},
        health_check_period_s=HEALTH_PERIOD_S,
        health_check_timeout_s=HEALTH_TIMEOUT_S,
        graceful_shutdown_timeout_s=to_end_s,
        request_router_config=RequestRouterConfig(
            request_router_class=PreferredReplicaRouter, initial_backoff_s=0.005, max_backoff_s=0.02
        ),
        **number,
    )
    ingresses = serve.deployment(serve.ingress()(Ingress)).options(
        name="Ingress",
        logging_config=quiet,
        num_replicas=cluster.ray_ingress_replicas,
        max_replicas_per_node=ingresses_per_machine(cluster.ray_ingress_replicas, _machines()),
        max_ongoing_requests=MAX_REQUESTS,
        ray_actor_options={"num_cpus": 0},
        health_check_period_s=HEALTH_PERIOD_S,
        health_check_timeout_s=HEALTH_TIMEOUT_S,
        graceful_shutdown_timeout_s=to_end_s,
    )
    return ingresses.bind(replicas.bind(settings), settings)


def _costs(settings: Settings) -> CostModel:
    """Return the costs of the default model; the machine of an ingress may have no model files."""
    try:
        return find_local_models(settings).table(settings).default.engine.costs
    except SetupError:
        return CostModel()


def _machines() -> int:
    """Return the number of machines in the cluster; 1 if there is no cluster yet."""
    if not ray.is_initialized():
        return 1
    return sum(bool(node["Alive"]) for node in ray.nodes()) or 1
