"""A schedule of jobs that are names, for tests of what all pools share."""

from collections import deque
from dataclasses import dataclass
from typing import Any

from auricle.values.errors import Overloaded, WorkerError
from auricle.values.transcriber import QueueStats
from auricle.workers.process.assignment import Assignment, Death
from auricle.workers.schedule import Down, Schedule
from auricle.workers.wire.messages import CloseStream


@dataclass(eq=False)
class Ticket:
    name: str


class ScriptedSchedule(Schedule[str, str]):
    """First in, first out; the job ``full`` is refused, and ``at once`` needs no worker."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: deque[Ticket] = deque()
        self.running: dict[str, Ticket] = {}
        self.cancelled: list[str] = []
        self.polled = 0

    def queue(self) -> QueueStats:
        return QueueStats(len(self.waiting), len(self.running))

    def submit(self, job: str, now: float) -> Ticket:
        if job == "full":
            raise Overloaded("It is full.", 1)
        ticket = Ticket(job)
        if job == "at once":
            self.outcomes.append((ticket, "done at once"))
        else:
            self.waiting.append(ticket)
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        self.cancelled.append(ticket.name)
        if ticket in self.waiting:
            self.waiting.remove(ticket)

    def next_work(self, worker: str, now: float) -> Assignment | None:
        if not self.waiting:
            return None
        ticket = self.running[worker] = self.waiting.popleft()
        return Assignment(CloseStream(ticket.name), 10_000, budget_s=60.0)

    def done(self, worker: str, result: Any, now: float) -> None:
        if result == "wrong":
            raise WorkerError("impossible")
        ticket = self.running.pop(worker)
        self.counters.done += 1
        self.outcomes.append((ticket, result))

    def suspect(self, worker: str) -> Ticket | None:
        return self.running.get(worker)

    def worker_died(self, worker: str, death: Death, now: float) -> None:
        if (ticket := self.running.pop(worker, None)) is not None:
            self.counters.poison += 1
            self.outcomes.append((ticket, WorkerError(f"{death.reason} {death.place}")))

    def fail_all(self, down: Down) -> None:
        for ticket in (*self.waiting, *self.running.values()):
            self.outcomes.append((ticket, WorkerError(down.value)))
        self.waiting.clear()

    def poll(self, now: float) -> float:
        self.polled += 1
        return now + 7.0
