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

**Models.** A job goes to a recogniser that has its model, by the latest reports. Each model has its
own admission, with the workers and the queues that the recognisers have for it. A model that no
recogniser has loaded is loaded by one, while callers get ``ModelUnavailable``.
"""

import asyncio
import itertools
import math
import random
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import anyio
import httpx2 as httpx
import numpy as np
import structlog

from auricle.cluster.gateway.admission import GatewayAdmission
from auricle.cluster.gateway.node import KEEP_ALIVE_S, MAX_KEPT_CONNECTIONS, Node, RecogniserLost
from auricle.cluster.gateway.view import NodeView, count, fleet_models, model_capacity, stats_of
from auricle.cluster.settings import GatewaySettings
from auricle.cluster.wire.capacity import Capacity
from auricle.config.sections.queue import QueueSettings
from auricle.engines.base import CostModel
from auricle.engines.models import not_served
from auricle.values.errors import (
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
from auricle.values.transcriber import Counters, ModelStats, Stats
from auricle.values.types import SAMPLE_RATE_HZ, Job, JobId, Options, ReservationRequest, Transcript
from auricle.workers.kinds.asr.backlog import Ticket, is_early
from auricle.workers.poison import CrashBudget, PoisonTracker

MAX_LOSSES = 2
"""Losses after which a job fails, unless it is a live final; after the first it is sent again."""
RETRY_PATIENCE_S = 15.0
"""Maximum wait of such a job, once lost, for a recogniser: about the time that a new one needs to
load its model. Accepted jobs must be answered."""
MAX_PAUSE_S = 5.0
"""Maximum pause before a reserved job is sent again to a full recogniser."""
EARLY_PATIENCE_S, EARLY_PATIENCE_PER_AUDIO_S = 0.5, 0.06
"""How long a final waits for its speculative job, from the start of that; an idle worker takes half
of this time. After that, it probably waits at its recogniser, and the final is sent with priority.
"""
RETRY_AFTER_S = 2
WAKE_LIMIT_S = 10.0
"""Maximum time to ask a recogniser to load a model; it answers before the model is loaded."""
WAKE_SAMPLES = SAMPLE_RATE_HZ // 10

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Call:
    """One call of :meth:`RemoteTranscriber.transcribe`."""

    ticket: Ticket
    model: str
    scope: anyio.CancelScope
    is_reserved: bool
    is_promised: bool
    answer: asyncio.Future[Transcript]
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
    """Send jobs to recognisers; see the module and :class:`auricle.values.transcriber.Transcriber`.

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
        engine: GatewaySettings,
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
        self._new_admission = partial(GatewayAdmission, queue, engine.gateways, costs)
        self._admissions: dict[str, GatewayAdmission] = {}
        self._reservations: dict[str, tuple[GatewayAdmission, str]] = {}
        self._ids = itertools.count(1)
        self._waking: dict[str, asyncio.Task[None]] = {}
        self._reports: list[tuple[Capacity | None, bool]] = []
        self._models: tuple[ModelStats, ...] = ()
        self._crash_budget = crash_budget or CrashBudget.of(queue)
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
            call.end(Draining())
        for task in (*self._watchers, *self._waking.values()):
            task.cancel()
        if tasks := [*self._watchers, *self._waking.values()]:
            await asyncio.wait(tasks)
            self._watchers = []
        while self._calls:
            self._is_idle.clear()
            await self._is_idle.wait()
        await self._http.aclose()

    async def transcribe(self, job: Job) -> Transcript:
        """See :class:`auricle.values.transcriber.Transcriber`."""
        now = time.monotonic()
        try:
            self._poison.refuse_poison(job.pcm, now)
        except PoisonJob:
            self._counters.refused += 1
            raise
        try:
            model = self._resolve(job.options.model)
            transcript = await self._run(job, model, now)
        except AuricleError as exc:
            if isinstance(exc, PoisonJob):  # do not send it to another recogniser
                self._counters.poison += 1
                self._poison.quarantine(job.client, job.pcm, time.monotonic())
            count(self._counters, exc)
            raise
        self._counters.done += 1
        return transcript

    def reserve(self, request: ReservationRequest) -> str:
        """See :class:`auricle.values.transcriber.Transcriber`.

        The decision uses the latest reports of the recognisers, and the jobs that this gateway has
        admitted since.
        """
        try:
            model = self._resolve(request.model)
            self._refuse_when_down(model)
            self._refuse_unloaded(model)
            self._crash_budget.refuse_exhausted(request.client, time.monotonic())
            admission = self._admission(model)
            admission.update(model_capacity(self._views(), model))
            name, shed = admission.reserve(request)
        except AuricleError as exc:
            count(self._counters, exc)
            raise
        for ticket in shed:
            self._end(ticket, Superseded("displaced by more urgent work"))
        id = f"g{next(self._ids)}"
        self._reservations[id] = admission, name
        return id

    def release(self, reservation: str) -> None:
        """See :class:`auricle.values.transcriber.Transcriber`."""
        if (found := self._reservations.pop(reservation, None)) is not None:
            admission, name = found
            admission.release(name)

    def models(self) -> tuple[ModelStats, ...]:
        """Return the models of all recognisers, the default first; none before the first report."""
        reports = [(node.ejection.capacity, node.ejection.is_out) for node in self._nodes]
        if len(reports) != len(self._reports) or any(
            new[0] is not old[0] or new[1] != old[1]
            for new, old in zip(reports, self._reports, strict=True)
        ):  # each job asks, and reports come twice a second
            self._reports, self._models = reports, fleet_models(self._views())
        return self._models

    def stats(self) -> Stats:
        """See :class:`.Transcriber`; uses the recognisers' latest reports."""
        return stats_of(
            self._views(),
            self._counters,
            reserved_audio_s=sum(each.reserved_audio_s for each in self._admissions.values()),
            is_open=not self._is_draining,
        )

    # Jobs.

    async def _run(self, job: Job, model: str, now: float) -> Transcript:
        """Admit a job, and transcribe it within its deadline."""
        admission = self._admission(model)
        reserved_in, name = self._reservations.get(job.reservation or "", (None, None))
        job = replace(
            job,
            reservation=name if reserved_in is admission else None,
            options=replace(job.options, model=model),
        )
        if job.reservation is None or self._is_closed:
            self._refuse_when_down(model)
            self._crash_budget.refuse_exhausted(job.client, now)
        if (older := admission.older_partial(job)) is not None:
            self._end(older, Superseded("replaced by a newer partial"))
        if (early := await self._early_answer(job)) is not None:
            return early
        is_promised = job.max_wait_s is None and admission.has_standing_reservation(job)
        ticket, is_reserved = admission.open(job, now)
        answer: asyncio.Future[Transcript] = asyncio.get_running_loop().create_future()
        call = _Call(ticket, model, anyio.CancelScope(), is_reserved, is_promised, answer)
        self._calls[ticket] = call
        try:
            with anyio.move_on_after(job.max_wait_s), call.scope:
                answer.set_result(await self._send(call))
                return answer.result()
            raise call.error or DeadlineExceeded(retry_after_s=RETRY_AFTER_S)
        finally:
            answer.cancel()
            admission.close(ticket)
            del self._calls[ticket]
            if not self._calls:
                self._is_idle.set()

    async def _early_answer(self, job: Job) -> Transcript | None:
        """Return the result of a final's speculative job, if that was sent and is done in time."""
        calls = (call for call in self._calls.values() if is_early(call.ticket.job, job))
        if (call := next(calls, None)) is None:
            return None
        passed_s = time.monotonic() - call.ticket.submitted_at
        patience_s = EARLY_PATIENCE_S + EARLY_PATIENCE_PER_AUDIO_S * job.audio_s - passed_s
        await asyncio.wait([call.answer], timeout=max(0.0, patience_s))
        is_answered = call.answer.done() and not call.answer.cancelled()
        return call.answer.result() if is_answered else None

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
                    raise NoWorkerReady(
                        "The recognisers were lost; try again.", RETRY_AFTER_S
                    ) from exc
                self._counters.retried += 1
                avoided = [node]
            except ModelUnavailable as exc:  # concerns the model there
                if node in avoided:
                    if not call.is_reserved:
                        raise
                    await anyio.sleep(min(exc.retry_after_s, MAX_PAUSE_S) * random.uniform(0.5, 1))
                avoided = [*avoided, node]
            except (NoWorkerReady, Draining):  # concerns the recogniser, not the job
                node.ejection.job_refused()
                if not call.is_reserved and (node in avoided or not self._usable(call.model)):
                    raise
                avoided = [*avoided, node]
            except Overloaded as exc:
                if not call.is_reserved:
                    raise
                await anyio.sleep(min(exc.retry_after_s, MAX_PAUSE_S) * random.uniform(0.5, 1))
            else:
                node.ejection.job_answered()
                self._counters.retried += transcript.attempts - 1
                return replace(transcript, attempts=transcript.attempts + losses)

    async def _choose(self, call: _Call, avoided: Sequence[Node], *, has_begun: bool) -> Node:
        """Return the recogniser with the least of this gateway's audio per worker; wait for one.

        Recognisers that have loaded the job's model come first.

        Raises:
            NoWorkerReady: No recogniser became usable within the job's patience.
        """
        patience_s = math.inf if call.is_reserved else RETRY_PATIENCE_S if has_begun else 0.0
        with anyio.move_on_after(patience_s):
            while not (usable := self._usable(call.model)):
                await self._next_change()
            fresh = [node for node in usable if node not in avoided]
            return min(fresh or usable, key=partial(_rank, call.model))
        raise NoWorkerReady("No recogniser is ready; try again.", RETRY_AFTER_S)

    def _end(self, ticket: Ticket, error: AuricleError) -> None:
        if (call := self._calls.get(ticket)) is not None:
            # Closed now, so that a third partial does not find this one again.
            self._admission(call.model).close(ticket)
            call.end(error)

    # Admission.

    def _admission(self, model: str) -> GatewayAdmission:
        if model not in self._admissions:
            self._admissions[model] = self._new_admission()
        return self._admissions[model]

    def _resolve(self, model: str) -> str:
        """Return the name of a requested model, which recognisers know; empty: the default.

        Raises:
            ModelNotFound: No recogniser has it.
            ModelUnavailable: No recogniser's models are known now.
        """
        names = [each.name for each in self.models()]
        if not model:
            return names[0] if names else ""
        if model in names:
            return model
        if names:
            raise not_served(names)
        raise ModelUnavailable("No recogniser is known yet; try again.", RETRY_AFTER_S)

    def _refuse_when_down(self, model: str) -> None:
        if self._is_draining:
            raise Draining()
        if not self._usable():
            raise NoWorkerReady("No recogniser is ready; try again.", RETRY_AFTER_S)
        if not self._usable(model):
            raise ModelUnavailable(
                f"No recogniser with the model {model} is ready; try again.", RETRY_AFTER_S
            )

    def _refuse_unloaded(self, model: str) -> None:
        """Refuse a reservation for a model that no recogniser has loaded, and have it loaded."""
        usable = self._usable(model)
        if any(node.view.is_model_ready(model) for node in usable):
            return
        if model not in self._waking:
            node = min(usable, key=partial(_rank, model))
            self._waking[model] = asyncio.create_task(self._wake(node, model), name=f"load {model}")
        raise ModelUnavailable(f"The model {model} is being loaded; try again.", RETRY_AFTER_S)

    async def _wake(self, node: Node, model: str) -> None:
        """Send a short job of silence, at which the recogniser loads the model."""
        job = Job(JobId(f"load-{next(self._ids)}"), _SILENCE, Options(model=model))
        try:
            with anyio.move_on_after(WAKE_LIMIT_S):
                await node.transcribe(job, WAKE_LIMIT_S)
        except (RecogniserLost, AuricleError) as exc:
            log.debug("model_requested", model=model, answer=type(exc).__name__)
        finally:
            del self._waking[model]

    # The recognisers.

    def _usable(self, model: str | None = None) -> list[Node]:
        """Return the recognisers that can be used, for a model or for any."""
        return [
            node
            for node in self._nodes
            if node.ejection.is_usable and (model is None or node.view.serves(model))
        ]

    def _views(self) -> list[NodeView]:
        return [node.view for node in self._nodes]

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


_SILENCE = np.zeros(WAKE_SAMPLES, np.int16)


def _rank(model: str, node: Node) -> tuple[bool, float, float]:
    """Return the rank of a recogniser for a job of a model; the lowest is the best."""
    return not node.view.is_model_ready(model), node.load(model), random.random()
