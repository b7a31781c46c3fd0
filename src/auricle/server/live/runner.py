"""Runs one live session: its jobs, its timer and its listener.

The session itself has no I/O and no clock; the runner provides both. All calls are made on the
event loop and none of them waits, so the session is never entered concurrently.
"""

import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import anyio
import structlog
from anyio.abc import TaskGroup, TaskStatus
from msgspec import UNSET

from auricle.server.live.followers import SessionFollower
from auricle.server.net.loop_budget import SHARE
from auricle.server.telemetry.live_metrics import LiveMetrics
from auricle.session.live import LiveSession
from auricle.session.output import Cancel, JobResult, Prepare, Revised, SessionJob, Submit
from auricle.system.groups import first_error
from auricle.system.logs import log_unexpected
from auricle.values.commands import Configure, SessionCommand
from auricle.values.errors import AuricleError, TakenOver, WorkerError
from auricle.values.events import Closed, Final, SessionEvent
from auricle.values.optional_workers import OptionalWorkers
from auricle.values.transcriber import Transcriber
from auricle.values.types import ClientId, EmbedJob, Job, JobId, Transcript, TurnJob

MIN_SLEEP_S = 0.005
"""Shortest timer, in seconds, so that no timer can keep the event loop busy."""
FINISH_S = 60.0
"""Longest time for the last finals of a session whose client is gone, in seconds."""

_log = structlog.get_logger("auricle.server")


class Listener(Protocol):
    """A session's interface to its connection; no method waits."""

    def deliver(self, event: SessionEvent) -> None:
        """Queue an event for the client."""
        ...

    def dismiss(self, error: AuricleError) -> None:
        """Close the connection and report the error to its client."""
        ...


class LiveRunner:
    """Owns and runs a session; see the module.

    Args:
        session: The session, changed by this runner only.
        place: Names its place in :class:`.LiveSessions`.
        client: The session's client.
        transcriber: Runs the session's jobs.
        workers: Recognise those partials that they can, embed voices, and judge turns.
        metrics: Metrics of live sessions.
        reserve: Called before a session changes its model, with the name in the request; reserves
            queue room for the model's finals.
        followers: Get all events, each final once, whether or not a client is connected.
        may_speak: Called when the session first begins to speak; raises if it must not.

    Attributes:
        charged_sample: Position up to which the received audio is charged to the client.
    """

    def __init__(
        self,
        session: LiveSession,
        place: str,
        *,
        client: ClientId,
        transcriber: Transcriber,
        workers: OptionalWorkers,
        metrics: LiveMetrics,
        reserve: Callable[[str], None],
        followers: Sequence[SessionFollower],
        may_speak: Callable[[], None],
    ) -> None:
        self.session = session
        self.place = place
        self.charged_sample = session.received_sample
        self.client = client
        self.detached_at: float | None = time.monotonic()
        self.was_attached = False
        self._transcriber = transcriber
        self._metrics = metrics
        self._reserve = reserve
        self._partials = workers.partials
        self._run: Mapping[type[SessionJob], Callable[[Any], Awaitable[JobResult]]] = {
            Job: self._transcribe,
            EmbedJob: workers.speakers.embed,
            TurnJob: workers.turns.judge,
        }
        self._prepare = {EmbedJob: workers.speakers.prepare, TurnJob: workers.turns.prepare}
        self._followers = followers
        self._may_speak = may_speak
        self._has_spoken = False
        self._listener: Listener | None = None
        self._ended_by: AuricleError | None = None
        self._jobs: dict[JobId, anyio.CancelScope] = {}
        self._group: TaskGroup | None = None
        self.is_finishing = False
        self._last_final = self._last_published = 0
        self._is_counted = False
        self._sleeps_until = math.inf
        self._alarm = anyio.Event()
        self._over = anyio.Event()
        self._settled = anyio.Event()
        self._data_wanted = anyio.Event()

    # Lifecycle.

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Run until :meth:`end`; an unexpected exception ends this session only."""
        try:
            async with anyio.create_task_group() as group:
                self._group = group
                group.start_soon(self._run_timers)
                task_status.started()
                try:
                    await self._over.wait()
                finally:  # a task that starts after the cancellation would not be cancelled
                    self._group = None
                group.cancel_scope.cancel()
        except Exception as error:
            self.fail(error)
        finally:
            self.end()

    def end(self, error: AuricleError | None = None) -> None:
        """End the session and discard pending events; dismiss the listener with ``error``.

        Without a listener, the next one is refused with it.
        """
        for event in (self._over, self._settled, self._data_wanted):
            event.set()
        listener, self._listener = self._listener, None
        if listener is None:
            self._ended_by = self._ended_by or error
        elif error is not None:
            listener.dismiss(error)

    def finish(self) -> None:
        """End the session, whose client is gone for good.

        If its finals are kept, the open utterance ends first and its final is kept, too.
        """
        is_kept = any(each.keeps_finals for each in self._followers)
        if not is_kept or self._group is None or self.session.is_closed:
            self.end()
        elif not self.is_finishing:
            self.is_finishing = True
            self._listener, self.detached_at = None, time.monotonic()
            self._group.start_soon(self._finish)

    async def _finish(self) -> None:
        with anyio.move_on_after(FINISH_S) as limit:
            await self.until_data_wanted()  # process data that was already received
            self.session.detach(time.monotonic())
            self.conclude()
            await self.until_settled()
        if limit.cancelled_caught:
            for follower in self._followers:
                follower.miss_final()
        self.end()

    def release(self, *, is_over: bool) -> None:
        """Release the followers; see :meth:`.SessionFollower.release`."""
        for follower in self._followers:
            follower.release(is_over=is_over)

    def fail(self, error: Exception) -> None:
        """End the session after an unexpected exception, as its state is undefined."""
        cause = first_error(error) if isinstance(error, BaseExceptionGroup) else error
        log_unexpected(cause, session=self.session.id)
        self.end(AuricleError("The session failed."))

    @property
    def running_jobs(self) -> int:
        """Number of jobs without a result."""
        return len(self._jobs)

    @property
    def is_over(self) -> bool:
        """Whether the session has ended."""
        return self._over.is_set()

    async def until_settled(self) -> None:
        """Wait until every utterance that has ended has its final."""
        while self.session.channels.has_pending_finals and not self.is_over:
            self._settled = anyio.Event()
            await self._settled.wait()

    # Called by the connection.

    def attach(self, listener: Listener, last_result: int | None = None) -> None:
        """Attach a connection, and dismiss a previous one.

        Args:
            listener: The connection.
            last_result: The last final that its client has, if it resumes.

        Raises:
            AuricleError: The session has ended with it before.
        """
        if self._ended_by is not None:
            raise self._ended_by
        former, self._listener = self._listener, listener
        self.detached_at, self.was_attached = None, True
        if former is not None:
            former.dismiss(TakenOver("Another connection has resumed this session."))
        self.session.attach(time.monotonic(), last_result)
        self._execute()

    def detach(self, listener: Listener) -> None:
        """Detach a connection, if it is still the attached one."""
        if self._listener is not listener:
            return
        self._listener = None
        self.detached_at = time.monotonic()
        self.session.detach(self.detached_at)
        self._execute()

    def receive_data(self, *messages: bytes) -> None:
        """Pass binary messages that arrived together, or part of one, to the session.

        Raises:
            AuricleError: The client sent invalid data.
        """
        try:
            self.session.receive_data(*messages, now=time.monotonic())
        finally:
            self._execute()

    def receive_command(self, command: SessionCommand) -> None:
        """Pass a command to the session.

        Raises:
            AuricleError: The command is invalid in the session's state, or the model that it
                chooses is unknown or has no room.
        """
        if isinstance(command, Configure) and command.model is not UNSET:
            self._reserve(command.model)
        try:
            self.session.receive_command(command, time.monotonic())
        finally:
            self._execute()

    def conclude(self) -> None:
        """End the open utterance, as no more audio follows on this connection."""
        self.session.conclude(time.monotonic())
        self._execute()

    async def until_kept(self, final: Final) -> None:
        """Wait until a final may be sent: all that keep it have stored it."""
        for follower in self._followers:
            await follower.until_stored(final.utterance)

    async def until_data_wanted(self) -> None:
        """Wait until the session wants data or is over."""
        while not self.session.wants_data and not self.is_over:
            self._data_wanted = anyio.Event()
            await self._data_wanted.wait()

    def send_progress(self) -> None:
        """Send the session's audio progress to the listener again."""
        self.session.remark()
        self._execute()

    def set_load(self, load: float) -> None:
        """Set the load of the workers, from 0 (idle) to 1 (full)."""
        self.session.set_load(load, has_streams=self._partials.is_ready)
        self._execute()

    # Internals.

    def _execute(self) -> None:
        if not self._has_spoken and self.session.channels.busy:
            self._has_spoken = True
            try:
                self._may_speak()
            except AuricleError as error:
                self.end(error)
                return
        while (output := self.session.next_output()) is not None:
            match output:
                case Submit():
                    self._submit(output.job)
                case Prepare():
                    self._prepare[output.kind]()
                case Revised():
                    self._publish(output)
                case Cancel():
                    if (scope := self._jobs.get(output.job_id)) is not None:
                        scope.cancel()
                case _:
                    self._deliver(output)
        self._publish_finals()
        if not self.session.channels.has_pending_finals:
            self._settled.set()
        if self.session.wants_data:
            self._data_wanted.set()
        if self.session.wake_at < self._sleeps_until:
            self._alarm.set()

    def _publish(self, event: SessionEvent | Revised) -> None:
        if isinstance(event, Final):
            if event.id <= self._last_published:  # a replay for a client that resumes
                return
            self._last_published = event.id
        for follower in self._followers:
            follower.publish(event)
            if isinstance(event, Closed):
                follower.finals_until(self.session.received_sample)
                follower.end("closed")

    def _publish_finals(self) -> None:
        """Publish new finals that were no outputs, as there is no client."""
        if self.session.journal.last_id > self._last_published:
            for final in self.session.journal.finals:
                self._publish(final)
            self._last_published = self.session.journal.last_id

    def _deliver(self, event: SessionEvent) -> None:
        if isinstance(event, Final) and event.id > self._last_final:
            self._last_final = event.id
            self._metrics.count_final(event)
        elif isinstance(event, Closed) and not self._is_counted:
            self._is_counted = True
            self._metrics.count_closed(event)
        if self._listener is not None:
            self._listener.deliver(event)
        self._publish(event)  # the speaker's connection comes first

    def _submit(self, job: SessionJob) -> None:
        if self._group is None or self.is_over:
            return
        scope = anyio.CancelScope()
        if isinstance(job, Job):
            self._jobs[job.id] = scope
        self._group.start_soon(self._run_job, job, scope)

    async def _run_job(self, job: SessionJob, scope: anyio.CancelScope) -> None:
        result: JobResult = WorkerError("The workers failed.")
        try:
            with scope:
                result = await self._run[type(job)](job)
        except AuricleError as error:
            result = error
        except Exception as error:
            log_unexpected(error, session=self.session.id, job_id=job.id)
        finally:
            self._jobs.pop(job.id, None)
        if not scope.cancelled_caught:
            self.session.job_done(job.id, result, time.monotonic())
            self._execute()

    async def _transcribe(self, job: Job) -> Transcript:
        is_partial = self._partials.recognises(job)
        return await (self._partials if is_partial else self._transcriber).transcribe(job)

    async def _run_timers(self) -> None:
        while True:
            self._sleeps_until = self.session.wake_at
            sleep_s = max(MIN_SLEEP_S, self._sleeps_until - time.monotonic())
            with anyio.move_on_after(sleep_s):
                await self._alarm.wait()
            if self._alarm.is_set():
                self._alarm = anyio.Event()
            began_at = time.monotonic()
            if began_at >= self.session.wake_at:
                self._poll(began_at)
            if self.session.is_ahead:
                took_s = time.monotonic() - began_at
                await anyio.sleep(took_s * (1 / SHARE - 1))

    def _poll(self, now: float) -> None:
        try:
            self.session.poll(now)
        except AuricleError as error:  # invalid data that the client sent earlier
            if self._listener is not None:
                self._listener.dismiss(error)
        finally:
            self._execute()
