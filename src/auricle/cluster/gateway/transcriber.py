"""RemoteTranscriber: a Transcriber on remote recognisers, over HTTP.

Each recogniser hosts a worker pool, which retries jobs after crashes, quarantines poison,
schedules by urgency and shares fairly between the clients of all gateways. This module does the
rest: it chooses a recogniser, detects lost ones, and sends jobs again.

**Retries.** A result or an error from a recogniser is final. A job without one, because the network
or the machine was lost, is sent once more, to another recogniser if there is one; then it fails
with a retry time. A live final (one with a standing reservation and no deadline) is sent until it
is answered, each time only when a recogniser is reachable again, because its session guarantees a
result. Duplicates are harmless: a transcript is a pure function of audio and options. A rejection
for load is passed to the caller, unless the job has a reservation; then the job waits, as in a
pool's queue.
"""

import asyncio
import math
import random
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import anyio
import httpx2 as httpx
import structlog

from auricle.cluster.gateway.admission import GatewayAdmission
from auricle.cluster.gateway.node import KEEP_ALIVE_S, MAX_KEPT_CONNECTIONS, Node, RecogniserLost
from auricle.cluster.gateway.view import NodeView, count, fleet_stats, stats_of
from auricle.config.settings import QueueSettings, RemoteEngineSettings
from auricle.engine.base import CostModel
from auricle.errors import (
    AuricleError,
    DeadlineExceeded,
    Draining,
    ModelUnavailable,
    NoWorkerReady,
    Overloaded,
    PoisonJob,
    SetupError,
    Superseded,
    WorkerError,
)
from auricle.transcriber import Counters, Stats
from auricle.types import Job, ReservationRequest, Transcript
from auricle.workers.asr.backlog import Ticket
from auricle.workers.process.poison import CrashBudget, PoisonTracker

MAX_LOSSES = 2
"""Losses after which a job fails, unless it is a live final; after the first it is sent again."""
RETRY_PATIENCE_S = 15.0
"""Maximum wait of such a job, once lost, for a recogniser: about the time that a new one needs to
load its model. Accepted jobs must be answered."""
MAX_PAUSE_S = 5.0
"""Maximum pause before a reserved job is sent again to a full recogniser."""
RETRY_AFTER_S = 2

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Call:
    """One call of :meth:`RemoteTranscriber.transcribe`."""

    ticket: Ticket
    scope: anyio.CancelScope
    is_reserved: bool
    is_promised: bool
    error: AuricleError | None = None

    def left_s(self) -> float | None:
        """Return the seconds until the deadline, always positive; ``None`` without a deadline."""
        max_wait_s = self.ticket.job.max_wait_s
        if max_wait_s is None:
            return None
        return max(0.001, self.ticket.submitted_at + max_wait_s - time.monotonic())

    def end(self, error: AuricleError) -> None:
        """Cancel the call with this error; only the first error counts."""
        if self.error is None:
            self.error = error
            self.scope.cancel()


class RemoteTranscriber:
    """Send jobs to recognisers; see the module and :class:`auricle.transcriber.Transcriber`.

    Call :meth:`start` once, from the event loop that uses it, and :meth:`aclose` at the end.

    Args:
        engine: URLs of the recognisers, and the number of gateways that share them.
        queue: Bounds of this gateway's jobs in flight, and the duration of a quarantine.
        crash_budget: Crash budget of the clients, shared with the decode workers; ``None`` creates
            one for this object.

    Raises:
        SetupError: A URL is invalid.
    """

    def __init__(
        self,
        engine: RemoteEngineSettings,
        queue: QueueSettings,
        costs: CostModel,
        crash_budget: CrashBudget | None = None,
    ) -> None:
        key = engine.engine_key
        headers = {} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"}
        self._http = httpx.AsyncClient(
            headers=headers,
            timeout=None,  # Node limits each wait
            limits=httpx.Limits(
                max_connections=None,  # GatewayAdmission bounds the jobs in flight
                max_keepalive_connections=MAX_KEPT_CONNECTIONS,
                keepalive_expiry=KEEP_ALIVE_S,
            ),
            verify=ssl.create_default_context(),  # honours SSL_CERT_FILE, but no proxies
            trust_env=False,
        )
        self._nodes = [
            Node(str(number), url, self._http) for number, url in enumerate(engine.engine_urls, 1)
        ]
        self._admission = GatewayAdmission(queue, engine.gateways, costs)
        self._crash_budget = crash_budget or CrashBudget(
            queue.max_crashes_per_key, queue.crash_window_s
        )
        self._poison = PoisonTracker(queue.poison_attempts, queue.poison_ttl_s, self._crash_budget)
        self._counters = Counters()
        self._calls: dict[Ticket, _Call] = {}
        self._change = asyncio.Event()
        self._watchers: list[asyncio.Task[None]] = []
        self._is_draining = self._is_closed = False
        self._is_idle = asyncio.Event()

    async def start(self) -> None:
        """Start the health checks of the recognisers; return immediately."""
        for node in self._nodes:
            watcher = asyncio.create_task(self._watch(node), name=f"recogniser {node.name}")
            watcher.add_done_callback(self._watcher_ended)
            self._watchers.append(watcher)

    async def wait_ready(self, timeout_s: float) -> None:
        """Wait until a recogniser is ready.

        Raises:
            SetupError: No recogniser was ready in time, or all of them reject the key.
        """
        with anyio.move_on_after(timeout_s):
            while not self._usable():
                if all(node.refuses_key for node in self._nodes):
                    raise SetupError(
                        "The recognisers reject the key; set AURICLE_ENGINE_KEY to their key."
                    )
                await self._next_change()
        if not self._usable():
            raise SetupError(f"no recogniser was ready after {timeout_s:.0f} s")

    async def aclose(self, drain_s: float = 0.0) -> None:
        """Reject new jobs, finish accepted ones within ``drain_s``, then close all connections."""
        self._is_draining = True
        if self._calls:
            self._is_idle.clear()
            with anyio.move_on_after(drain_s):
                await self._is_idle.wait()
        self._is_closed = True
        for call in list(self._calls.values()):
            call.end(Draining("the server is shutting down", 5))
        for watcher in self._watchers:
            watcher.cancel()
        if self._watchers:
            await asyncio.wait(self._watchers)
            self._watchers = []
        while self._calls:
            self._is_idle.clear()
            await self._is_idle.wait()
        await self._http.aclose()

    async def transcribe(self, job: Job) -> Transcript:
        """See :class:`auricle.transcriber.Transcriber`."""
        now = time.monotonic()
        try:
            self._poison.refuse_poison(job.pcm, now)
        except PoisonJob:
            self._counters.refused += 1
            raise
        try:
            transcript = await self._run(job, now)
        except AuricleError as exc:
            if isinstance(exc, PoisonJob):  # do not send it to another recogniser
                self._counters.poison += 1
                self._poison.quarantine(job.client, job.pcm, time.monotonic())
            count(self._counters, exc)
            raise
        self._counters.done += 1
        return transcript

    def reserve(self, request: ReservationRequest) -> str:
        """See :class:`auricle.transcriber.Transcriber`.

        The decision uses the latest reports of the recognisers, and the jobs that this gateway has
        admitted since.
        """
        try:
            self._refuse_when_down()
            self._crash_budget.refuse_exhausted(request.client, time.monotonic())
            self._admission.update(fleet_stats(self._views()))
            name, shed = self._admission.reserve(request)
        except AuricleError as exc:
            count(self._counters, exc)
            raise
        for ticket in shed:
            self._end(ticket, Superseded("displaced by more urgent work"))
        return name

    def release(self, reservation: str) -> None:
        """See :class:`auricle.transcriber.Transcriber`."""
        self._admission.release(reservation)

    def stats(self) -> Stats:
        """See :class:`auricle.transcriber.Transcriber`; uses the recognisers' latest reports."""
        return stats_of(
            self._views(),
            self._counters,
            reserved_audio_s=self._admission.reserved_audio_s,
            is_open=not self._is_draining,
        )

    # Jobs.

    async def _run(self, job: Job, now: float) -> Transcript:
        """Admit a job, and transcribe it within its deadline."""
        if job.reservation is None or self._is_closed:
            self._refuse_when_down()
            self._crash_budget.refuse_exhausted(job.client, now)
        if (older := self._admission.older_partial(job)) is not None:
            self._end(older, Superseded("replaced by a newer partial"))
        is_promised = job.max_wait_s is None and self._admission.has_standing_reservation(job)
        ticket, is_reserved = self._admission.open(job, now)
        call = _Call(ticket, anyio.CancelScope(), is_reserved, is_promised)
        self._calls[ticket] = call
        try:
            with anyio.move_on_after(job.max_wait_s), call.scope:
                return await self._send(call)
            raise call.error or DeadlineExceeded(
                "the deadline passed before the answer", RETRY_AFTER_S
            )
        finally:
            self._admission.close(ticket)
            del self._calls[ticket]
            if not self._calls:
                self._is_idle.set()

    async def _send(self, call: _Call) -> Transcript:
        """Send the job, again after losses as described in the module, and return its answer."""
        job = call.ticket.job if call.is_reserved else replace(call.ticket.job, reservation=None)
        losses, avoided = 0, list[Node]()
        while True:
            node = await self._choose(call, avoided, has_begun=losses > 0)
            call.ticket.attempts += 1
            try:
                transcript = await node.transcribe(job, call.left_s())
            except RecogniserLost as exc:
                node.record_loss(exc)
                self._notify()
                losses += 1
                if losses >= MAX_LOSSES and not call.is_promised:
                    raise NoWorkerReady("the recognisers were lost", RETRY_AFTER_S) from exc
                self._counters.retried += 1
                avoided = [node]
            except ModelUnavailable as exc:  # concerns the model, not the recogniser
                if not call.is_reserved:
                    raise
                await _pause(exc)
            except (NoWorkerReady, Draining):  # concerns the recogniser, not the job
                node.ejection.job_refused()
                if not call.is_reserved and (node in avoided or not self._usable()):
                    raise
                avoided = [*avoided, node]
            except Overloaded as exc:
                if not call.is_reserved:
                    raise
                await _pause(exc)
            else:
                node.ejection.job_answered()
                self._counters.retried += transcript.attempts - 1
                return replace(transcript, attempts=transcript.attempts + losses)

    async def _choose(self, call: _Call, avoided: Sequence[Node], *, has_begun: bool) -> Node:
        """Return the recogniser with the least of this gateway's audio per worker; wait for one.

        Raises:
            NoWorkerReady: No recogniser became usable within the job's patience.
        """
        patience_s = math.inf if call.is_reserved else RETRY_PATIENCE_S if has_begun else 0.0
        with anyio.move_on_after(patience_s):
            while not (usable := self._usable()):
                await self._next_change()
            fresh = [node for node in usable if node not in avoided]
            return min(fresh or usable, key=lambda node: (node.load, random.random()))
        raise NoWorkerReady("no recogniser is ready; try again", RETRY_AFTER_S)

    def _end(self, ticket: Ticket, error: AuricleError) -> None:
        if (call := self._calls.get(ticket)) is not None:
            self._admission.close(ticket)  # so that a third partial does not find this one again
            call.end(error)

    # Admission.

    def _refuse_when_down(self) -> None:
        if self._is_draining:
            raise Draining("the server is shutting down", 5)
        if not self._usable():
            raise NoWorkerReady("no recogniser is ready; try again", RETRY_AFTER_S)

    # The recognisers.

    def _usable(self) -> list[Node]:
        return [node for node in self._nodes if node.ejection.is_usable]

    def _views(self) -> list[NodeView]:
        return [NodeView(node.name, node.ejection) for node in self._nodes]

    async def _watch(self, node: Node) -> None:
        """Check a recogniser whenever a check is due, until cancelled."""
        while True:
            if (wait_s := node.ejection.next_check_at - time.monotonic()) > 0:
                await anyio.sleep(wait_s)
                continue  # a lost job may have postponed the check
            await node.check()
            self._notify()

    def _notify(self) -> None:
        self._change.set()
        self._change = asyncio.Event()

    async def _next_change(self) -> None:
        await self._change.wait()

    def _watcher_ended(self, watcher: asyncio.Task[None]) -> None:
        """Fail all calls if a bug ended a health check, so that no caller waits forever."""
        if watcher.cancelled() or (error := watcher.exception()) is None:
            return
        self._is_draining = self._is_closed = True
        for call in self._calls.values():
            call.end(WorkerError("the health check of a recogniser has ended"))
        log.critical("remote_transcriber_ended", error=type(error).__name__, exc_info=error)


async def _pause(busy: Overloaded) -> None:
    await anyio.sleep(min(busy.retry_after_s, MAX_PAUSE_S) * random.uniform(0.5, 1))
