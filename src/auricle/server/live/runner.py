"""Runs one live session: its jobs, its timer, and whoever listens to it.

The session itself does no I/O and knows no clock; this gives it both. All calls come from the event
loop and none of them waits, so the session is never entered twice.
"""

import math
import time
from typing import Protocol

import anyio
from anyio.abc import TaskGroup, TaskStatus

from auricle.errors import AuricleError, TakenOver, WorkerError
from auricle.events import Closed, Final, SessionEvent
from auricle.groups import first_error
from auricle.protocol.dialect import SessionCommand
from auricle.server.http.errors import log_unexpected
from auricle.server.net.loop_budget import SHARE
from auricle.server.telemetry.live_metrics import LiveMetrics
from auricle.session.live import LiveSession
from auricle.session.output import Cancel, Submit
from auricle.transcriber import Transcriber
from auricle.types import ClientId, Job, JobId, Transcript

MIN_SLEEP_S = 0.005
"""Timers are no finer than this, so that no timer can keep the event loop busy."""


class Listener(Protocol):
    """A connection, as its session sees it; nothing here waits."""

    def deliver(self, event: SessionEvent) -> None:
        """Take an event."""
        ...

    def dismiss(self, error: AuricleError) -> None:
        """Stop listening, and say why."""
        ...


class LiveRunner:
    """Owns a session; see the module.

    Args:
        session: Nobody else changes it.
        client: Whose it is.
        transcriber: Does its jobs.
        metrics: Counts.
    """

    def __init__(
        self,
        session: LiveSession,
        *,
        client: ClientId,
        transcriber: Transcriber,
        metrics: LiveMetrics,
    ) -> None:
        self.session = session
        self.client = client
        self.detached_at: float | None = time.monotonic()
        self.was_attached = False
        self._transcriber = transcriber
        self._metrics = metrics
        self._listener: Listener | None = None
        self._jobs: dict[JobId, anyio.CancelScope] = {}
        self._group: TaskGroup | None = None
        self._last_final = 0
        self._is_counted = False
        self._sleeps_until = math.inf
        self._alarm = anyio.Event()
        self._over = anyio.Event()
        self._settled = anyio.Event()
        self._wanted = anyio.Event()

    # Its life.

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Work until :meth:`end`; a bug ends this session and no other."""
        try:
            async with anyio.create_task_group() as group:
                self._group = group
                group.start_soon(self._keep_time)
                task_status.started()
                await self._over.wait()
                group.cancel_scope.cancel()
        except Exception as error:
            self.fail(error)
        finally:
            self._group = None
            self.end()

    def end(self, error: AuricleError | None = None) -> None:
        """Give the session up, with whatever it still had to say; its listener is told why."""
        for event in (self._over, self._settled, self._wanted):
            event.set()
        listener, self._listener = self._listener, None
        if listener is not None and error is not None:
            listener.dismiss(error)

    def fail(self, error: Exception) -> None:
        """Give the session up because of a bug: nobody knows what state it is in."""
        cause = first_error(error) if isinstance(error, BaseExceptionGroup) else error
        log_unexpected(cause, session=self.session.id)
        self.end(AuricleError("the session failed"))

    @property
    def is_over(self) -> bool:
        """Whether it was given up."""
        return self._over.is_set()

    async def until_settled(self) -> None:
        """Wait until every utterance that has ended has its final."""
        while self.session.owes_finals and not self.is_over:
            self._settled = anyio.Event()
            await self._settled.wait()

    # What the connection tells it.

    def attach(self, listener: Listener, last_result: int | None = None) -> None:
        """Let a connection listen; one that did before is dismissed.

        Args:
            listener: The connection.
            last_result: The last final that its client has, if it comes back.
        """
        former, self._listener = self._listener, listener
        self.detached_at, self.was_attached = None, True
        if former is not None:
            former.dismiss(TakenOver("Another connection goes on with this session."))
        self.session.attach(time.monotonic(), last_result)
        self._carry_out()

    def detach(self, listener: Listener) -> None:
        """Let go of a connection, if it is still the one that listens."""
        if self._listener is not listener:
            return
        self._listener = None
        self.detached_at = time.monotonic()
        self.session.detach(self.detached_at)
        self._carry_out()

    def receive_data(self, data: bytes) -> None:
        """Give the session a binary message, or a piece of one.

        Raises:
            AuricleError: The peer's fault, as the session tells it.
        """
        try:
            self.session.receive_data(data, time.monotonic())
        finally:
            self._carry_out()

    def receive_command(self, command: SessionCommand) -> None:
        """Give the session a text message.

        Raises:
            AuricleError: The peer's fault, as the session tells it.
        """
        try:
            self.session.receive_command(command, time.monotonic())
        finally:
            self._carry_out()

    def conclude(self) -> None:
        """End the open utterance: nothing more comes over this connection."""
        self.session.conclude(time.monotonic())
        self._carry_out()

    async def until_wanted(self) -> None:
        """Wait until the session takes data again, or is over."""
        while not self.session.wants_data and not self.is_over:
            self._wanted = anyio.Event()
            await self._wanted.wait()

    def remark(self) -> None:
        """Send the listener the session's marks again."""
        self.session.remark()
        self._carry_out()

    def set_load(self, load: float) -> None:
        """Tell the session how busy the recognisers are."""
        self.session.set_load(load)
        self._carry_out()

    # How it is done.

    def _carry_out(self) -> None:
        while (output := self.session.next_output()) is not None:
            match output:
                case Submit():
                    self._submit(output.job)
                case Cancel():
                    if (scope := self._jobs.get(output.job_id)) is not None:
                        scope.cancel()
                case _:
                    self._tell(output)
        if self.session.wants_data:
            self._wanted.set()
        if self.session.wake_at < self._sleeps_until:
            self._alarm.set()

    def _tell(self, event: SessionEvent) -> None:
        if isinstance(event, Final) and event.id > self._last_final:
            self._last_final = event.id
            self._metrics.count_final(event)
        elif isinstance(event, Closed) and not self._is_counted:
            self._is_counted = True
            self._metrics.count_closed(event)
        if self._listener is not None:
            self._listener.deliver(event)

    def _submit(self, job: Job) -> None:
        if self._group is None or self.is_over:
            return
        scope = anyio.CancelScope()
        self._jobs[job.id] = scope
        self._group.start_soon(self._transcribe, job, scope)

    async def _transcribe(self, job: Job, scope: anyio.CancelScope) -> None:
        result: Transcript | AuricleError = WorkerError("the transcriber failed")
        try:
            with scope:
                result = await self._transcriber.transcribe(job)
        except AuricleError as error:
            result = error
        except Exception as error:
            log_unexpected(error, session=self.session.id, job_id=job.id)
        finally:
            del self._jobs[job.id]
        if not scope.cancelled_caught:
            self.session.job_done(job.id, result, time.monotonic())
            self._carry_out()
        if not self.session.owes_finals:
            self._settled.set()

    async def _keep_time(self) -> None:
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
        except AuricleError as error:  # the peer's fault, in what it had sent before
            if self._listener is not None:
                self._listener.dismiss(error)
        finally:
            self._carry_out()
