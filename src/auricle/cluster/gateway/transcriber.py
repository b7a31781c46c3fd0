"""RemoteTranscriber: a Transcriber on recognisers elsewhere, reached over HTTP.

The recognisers judge: each hosts a pool that retries what its workers die of, convicts poison,
orders by urgency and is fair between clients, whichever gateway they come through. Here is only
what a pool can't do for itself: choose a recogniser, notice that one is gone, and ask again.

**What is asked again.** Whatever a recogniser has said is final. What nobody has judged, because
the network or the machine was lost, is asked once more, elsewhere if there is an elsewhere; then
the caller is told to come back. A live final (one with standing room and no deadline) is asked
until it is answered, each time only once a recogniser has shown that it lives: it is a pure
function of its audio and options, so it does not matter which asking is answered, nor whether two
are worked on. Its session has promised the word. A recogniser's refusal for load is handed to the
caller, unless room was kept for the job: then it waits, as it would in a pool's queue.
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
from auricle.cluster.gateway.node import KEEP_ALIVE_S, MAX_KEPT_CONNECTIONS, Lost, Node
from auricle.cluster.gateway.view import NodeView, count, fleet_capacity, stats_of
from auricle.config import EngineSettings, QueueSettings
from auricle.errors import (
    AuricleError,
    DeadlineExceeded,
    Draining,
    NoWorkerReady,
    Overloaded,
    PoisonJob,
    SetupError,
    Superseded,
    WorkerError,
)
from auricle.transcriber import Stats
from auricle.types import ClientId, Job, Transcript
from auricle.workers.asr.backlog import Ticket
from auricle.workers.asr.scheduler import Counters
from auricle.workers.process.poison import CrashBudget, PoisonTracker

MOST_LOSSES = 2
"""So often a job may be lost that is no live final: the first time it is asked again."""
RETRY_PATIENCE_S = 15.0
"""How long such a job, once lost, waits for a recogniser to come back: about what a new one takes
to load its model. Whatever was accepted had better be answered."""
MAX_PAUSE_S = 5.0
"""A recogniser that is full is asked again after so long at the most: it may have got room."""
RETRY_AFTER_S = 2

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Call:
    """One call of :meth:`RemoteTranscriber.transcribe`; whoever ends it says why."""

    ticket: Ticket
    scope: anyio.CancelScope
    is_reserved: bool
    is_promised: bool
    error: AuricleError | None = None

    def left_s(self) -> float | None:
        """Return what is left of the deadline, which has not passed; ``None``: there is none."""
        max_wait_s = self.ticket.job.max_wait_s
        if max_wait_s is None:
            return None
        return max(0.001, self.ticket.submitted_at + max_wait_s - time.monotonic())

    def end(self, error: AuricleError) -> None:
        """Let the call raise this."""
        if self.error is None:
            self.error = error
            self.scope.cancel()


class RemoteTranscriber:
    """See the module, and :class:`auricle.transcriber.Transcriber`.

    Call :meth:`start` once, from the event loop that uses it, and :meth:`aclose` at the end.

    Args:
        engine: Where the recognisers are, and how many gateways share them.
        queue: Bounds of what this gateway has in flight, and how long poison is remembered.
        crash_budget: Each client's, shared with the decode workers; ``None``: one for this alone.

    Raises:
        SetupError: An address can't be one.
    """

    def __init__(
        self,
        engine: EngineSettings,
        queue: QueueSettings,
        crash_budget: CrashBudget | None = None,
    ) -> None:
        key = engine.engine_key
        headers = {} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"}
        self._http = httpx.AsyncClient(
            headers=headers,
            timeout=None,  # each wait has its own limit, see Node
            limits=httpx.Limits(
                max_connections=None,  # what is in flight is bounded by the books
                max_keepalive_connections=MAX_KEPT_CONNECTIONS,
                keepalive_expiry=KEEP_ALIVE_S,
            ),
            verify=ssl.create_default_context(),  # takes SSL_CERT_FILE, but no proxy, from outside
            trust_env=False,
        )
        self._nodes = [
            Node(str(number), url, self._http) for number, url in enumerate(engine.engine_urls, 1)
        ]
        self._admission = GatewayAdmission(queue, engine.gateways)
        self._crash_budget = crash_budget or CrashBudget(
            queue.max_crashes_per_key, queue.crash_window_s
        )
        self._poison = PoisonTracker(queue.poison_attempts, queue.poison_ttl_s, self._crash_budget)
        self._counters = Counters()
        self._calls: dict[Ticket, _Call] = {}
        self._news = asyncio.Event()
        self._watchers: list[asyncio.Task[None]] = []
        self._is_draining = self._is_closed = False
        self._is_idle = asyncio.Event()

    async def start(self) -> None:
        """Begin to look at the recognisers; returns at once."""
        for node in self._nodes:
            watcher = asyncio.create_task(self._watch(node), name=f"recogniser {node.name}")
            watcher.add_done_callback(self._watcher_ended)
            self._watchers.append(watcher)

    async def wait_ready(self, timeout_s: float) -> None:
        """Wait until a recogniser can work.

        Raises:
            SetupError: None could in time, or all of them ask for another key.
        """
        with anyio.move_on_after(timeout_s):
            while not self._usable():
                if all(node.refuses_key for node in self._nodes):
                    raise SetupError(
                        "The recognisers ask for another key: set AURICLE_ENGINE_KEY to theirs."
                    )
                await self._next_news()
        if not self._usable():
            raise SetupError(f"no recogniser was ready after {timeout_s:.0f} s")

    async def aclose(self, drain_s: float = 0.0) -> None:
        """Refuse new work, finish what is accepted within ``drain_s``, hang up."""
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
            if isinstance(exc, PoisonJob):  # no other recogniser shall learn it in the same way
                self._counters.poison += 1
                self._poison.quarantine(job.client, job.pcm, time.monotonic())
            count(self._counters, exc)
            raise
        self._counters.done += 1
        return transcript

    def reserve(
        self,
        client: ClientId,
        audio_s: float,
        *,
        max_wait_s: float | None = None,
        standing: bool = False,
        resumed: bool = False,
    ) -> str:
        """See :class:`auricle.transcriber.Transcriber`.

        Decided from what the recognisers told last, and from what this gateway has let in since.
        """
        try:
            self._refuse_when_down()
            self._crash_budget.refuse_exhausted(client, time.monotonic())
            self._admission.observe(fleet_capacity(self._seen()))
            name, shed = self._admission.reserve(
                client, audio_s, max_wait_s=max_wait_s, standing=standing, resumed=resumed
            )
        except AuricleError as exc:
            count(self._counters, exc)
            raise
        for ticket in shed:
            self._end(ticket, Superseded("more urgent work took its place"))
        return name

    def release(self, reservation: str) -> None:
        """See :class:`auricle.transcriber.Transcriber`."""
        self._admission.release(reservation)

    def stats(self) -> Stats:
        """See :class:`auricle.transcriber.Transcriber`; as each recogniser told last."""
        return stats_of(
            self._seen(),
            self._counters,
            reserved_audio_s=self._admission.reserved_audio_s,
            is_open=not self._is_draining,
        )

    # A job.

    async def _run(self, job: Job, now: float) -> Transcript:
        """Let a job in, and ask for it within its deadline."""
        if job.reservation is None or self._is_closed:
            self._refuse_when_down()
            self._crash_budget.refuse_exhausted(job.client, now)
        if (older := self._admission.older_partial(job)) is not None:
            self._end(older, Superseded("a newer partial took its place"))
        is_promised = job.max_wait_s is None and self._admission.has_standing_room(job)
        ticket, is_reserved = self._admission.open(job, now)
        call = _Call(ticket, anyio.CancelScope(), is_reserved, is_promised)
        self._calls[ticket] = call
        try:
            with anyio.move_on_after(job.max_wait_s), call.scope:
                return await self._ask(call)
            raise call.error or DeadlineExceeded("the answer was not there in time", RETRY_AFTER_S)
        finally:
            self._admission.close(ticket)
            del self._calls[ticket]
            if not self._calls:
                self._is_idle.set()

    async def _ask(self, call: _Call) -> Transcript:
        """Ask until there is an answer, as often as the job is worth it: see the module."""
        job = call.ticket.job if call.is_reserved else replace(call.ticket.job, reservation=None)
        losses, avoided = 0, list[Node]()
        while True:
            node = await self._choose(call, avoided, has_begun=losses > 0)
            call.ticket.attempts += 1
            try:
                transcript = await node.ask(
                    job, attempt=call.ticket.attempts, max_wait_s=call.left_s()
                )
            except Lost as exc:
                node.lost(exc)
                self._tell_news()
                losses += 1
                if losses >= MOST_LOSSES and not call.is_promised:
                    raise NoWorkerReady("the recognisers were lost", RETRY_AFTER_S) from exc
                self._counters.retried += 1
                avoided = [node]
            except (NoWorkerReady, Draining):  # it says so of itself, not of the job
                node.ejection.job_refused()
                if not call.is_reserved and (node in avoided or not self._usable()):
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
        """Return the recogniser with the least of our audio for each worker; wait for one.

        Raises:
            NoWorkerReady: There is none, and the job is not worth more waiting.
        """
        patience_s = math.inf if call.is_reserved else RETRY_PATIENCE_S if has_begun else 0.0
        with anyio.move_on_after(patience_s):
            while not (usable := self._usable()):
                await self._next_news()
            fresh = [node for node in usable if node not in avoided]
            return min(fresh or usable, key=lambda node: (node.load, random.random()))
        raise NoWorkerReady("no recogniser is ready; try again", RETRY_AFTER_S)

    def _end(self, ticket: Ticket, error: AuricleError) -> None:
        if (call := self._calls.get(ticket)) is not None:
            self._admission.close(ticket)  # the next of three must not find the first again
            call.end(error)

    # Who is let in.

    def _refuse_when_down(self) -> None:
        if self._is_draining:
            raise Draining("the server is shutting down", 5)
        if not self._usable():
            raise NoWorkerReady("no recogniser is ready; try again", RETRY_AFTER_S)

    # The recognisers.

    def _usable(self) -> list[Node]:
        return [node for node in self._nodes if node.ejection.is_usable]

    def _seen(self) -> list[NodeView]:
        return [NodeView(node.name, node.ejection) for node in self._nodes]

    async def _watch(self, node: Node) -> None:
        """Look at a recogniser whenever that is due, for ever."""
        while True:
            if (wait_s := node.ejection.next_look_at - time.monotonic()) > 0:
                await anyio.sleep(wait_s)
                continue  # a job that was lost may have put it off
            await node.look()
            self._tell_news()

    def _tell_news(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _next_news(self) -> None:
        await self._news.wait()

    def _watcher_ended(self, watcher: asyncio.Task[None]) -> None:
        """A bug ended it: nobody must be left waiting for what it looked at."""
        if watcher.cancelled() or (error := watcher.exception()) is None:
            return
        self._is_draining = self._is_closed = True
        for call in self._calls.values():
            call.end(WorkerError("the recognisers are no longer looked at"))
        log.critical("remote_transcriber_ended", error=type(error).__name__, exc_info=error)
