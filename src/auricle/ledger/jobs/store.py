"""The ledger's transactions: each reads rows, applies the rules, and writes the rows back.

Every transaction is safe to repeat, as its outcome is unknown when a connection breaks in the
commit. ``now`` is Unix time in seconds.
"""

import enum
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields, replace
from typing import Any

from auricle.ledger.databases.database import (
    Database,
    Row,
    Transaction,
    TransactionStep,
    Value,
    no_step,
)
from auricle.ledger.events import ABANDON_S, delete_events, queue
from auricle.ledger.jobs import job as jobs
from auricle.ledger.jobs import lease as leases
from auricle.ledger.jobs.events import job_ended, subject_of
from auricle.ledger.jobs.job import Job, JobSpec, JobState, Outcome
from auricle.ledger.jobs.lease import LEASE_S, MAX_DELAY_S, MAX_SKEW_S, Claim
from auricle.ledger.jobs.quota import Quota, Share, Usage, check_quota, owners_in_turn
from auricle.values.errors import LeaseLost
from auricle.values.types import ClientId

MAX_EXPIRED_LEASES = 16
"""Expired leases examined in one transaction, besides those of the caller itself."""
MAX_SWEPT = 1000
"""Rows deleted in one transaction."""

_SPEC = [field.name for field in fields(JobSpec)]
_STATUS = [field.name for field in fields(Job) if field.name not in ("number", "spec")]
_FIXED = ("accepted_at",)
_CHANGING = [name for name in _STATUS if name not in _FIXED]

_JOB_COLUMNS = ", ".join(["number", *_SPEC, *_STATUS])
_SELECT_JOB = f"SELECT {_JOB_COLUMNS} FROM jobs"
# Every statement with these words uses the index of unfinished jobs.
_UNFINISHED = "state IN ('queued', 'running')"
_READY = "(ready_at <= ? OR ready_at > ?)"
_NUL = "\0"
"""A character that not every database can store in a text."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """Unfinished jobs of all owners."""

    queued: int
    running: int
    oldest_accepted_at: float | None
    """When the oldest of the jobs was accepted."""
    running_bytes: float = 0.0
    """Audio that is left of running jobs."""
    queued_of: Mapping[str, Usage] = field(default_factory=dict)
    """Queued jobs of each owner."""


class Ledger:
    """Jobs in a database.

    Args:
        database: Runs the transactions.
        gateway: Unique id of this process; another for each start.
        poisoned: How a job ends that killed its gateway again and again.
        ended_request: Returns what is kept of a job's request after its end.
    """

    def __init__(
        self,
        database: Database,
        gateway: str,
        poisoned: Outcome,
        ended_request: Callable[[bytes], bytes] = bytes,
    ) -> None:
        self._database = database
        self._gateway = gateway
        self._poisoned = poisoned
        self._ended_request = ended_request

    # Callers: accept, look up, cancel, delete.

    def accept(self, spec: JobSpec, quota: Quota, now: float) -> tuple[Job, bool]:
        """Store a job, or return the one that the same submission created earlier.

        Its audio must be stored durably before.

        Returns:
            The job, and whether it is new. The caller deletes its copy of the audio if it isn't.

        Raises:
            JobConflict: The owner has another job with this id.
            LedgerFull: The owner's quota or the disk is full.
        """

        def work(transaction: Transaction) -> tuple[Job, bool]:
            existing = _find(transaction, spec.owner, spec.job_id, transaction.for_update)
            if existing is None:
                check_quota(_usage(transaction, spec.owner), spec.audio_bytes, quota)
                if (job := _insert(transaction, spec, now)) is not None:
                    transaction.announce_work()
                    return job, True
                existing = _find(transaction, spec.owner, spec.job_id, transaction.for_update)
            assert existing is not None, "an insert that conflicts waits for the other's commit"
            jobs.check_same(spec, existing)
            return existing, existing.spec.uid == spec.uid

        return self._database.write("accept", work)

    def check_quota(self, owner: ClientId, job_id: str, audio_bytes: int, quota: Quota) -> None:
        """Check that a job would be accepted now, before its audio is uploaded.

        Args:
            owner: The owner.
            job_id: The job's id; a job that exists needs no quota.
            audio_bytes: Size of its audio, as far as it is known.
            quota: The owner's quota.

        Raises:
            LedgerFull: The owner's quota is full.
        """

        def work(transaction: Transaction) -> None:
            if _find(transaction, owner, job_id) is None:
                check_quota(_usage(transaction, owner), audio_bytes, quota)

        self._database.read(work)

    def accepted(self, uid: str) -> Job | None:
        """Return a job by the id of its acceptance; ``None`` if it was deleted."""
        rows = self._database.read(lambda t: t.execute(f"{_SELECT_JOB} WHERE uid = ?", uid))
        return _job(rows[0]) if rows else None

    def find(self, owner: ClientId, job_id: str) -> Job | None:
        """Return a job, or ``None``: jobs of other owners don't exist for a caller."""
        return self._database.read(lambda transaction: _find(transaction, owner, job_id))

    def page(
        self,
        owner: ClientId,
        states: Collection[JobState] = tuple(JobState),
        *,
        before: int | None = None,
        limit: int = 100,
    ) -> list[Job]:
        """Return an owner's jobs, the newest first, without requests, texts and results.

        Args:
            owner: The owner.
            states: States to include.
            before: Only jobs with lower numbers, to continue after a page.
            limit: Maximum number of jobs.
        """
        columns = _JOB_COLUMNS.replace(" text,", " '',").replace(" result,", " NULL,")
        columns = columns.replace(" request,", " ?,")
        statement = (
            f"SELECT {columns} FROM jobs WHERE owner = ? AND state IN ({_marks(states)})"
            f"{'' if before is None else ' AND number < ?'} ORDER BY number DESC LIMIT ?"
        )
        values = [
            b"",
            owner,
            *(state.value for state in states),
            *([] if before is None else [before]),
            limit,
        ]
        return self._database.read(lambda t: [_job(row) for row in t.execute(statement, *values)])

    def cancel(self, owner: ClientId, job_id: str, keep_s: float, now: float) -> Job | None:
        """Cancel a job if it is unfinished, and return it; ``None`` if there is no such job."""

        def work(transaction: Transaction) -> Job | None:
            job = _find(transaction, owner, job_id, transaction.for_update)
            if job is None:
                return None
            cancelled = jobs.cancel(job, keep_s, now)
            if cancelled is not job:
                return self._end(transaction, cancelled, now)
            return cancelled

        return self._database.write("cancel", work)

    def delete(self, owner: ClientId, job_id: str) -> Job | None:
        """Delete a job in any state, with its chunks and events, and return it."""

        def work(transaction: Transaction) -> Job | None:
            if _NUL in job_id:
                return None
            rows = transaction.execute(
                f"DELETE FROM jobs WHERE owner = ? AND job_id = ? RETURNING {_JOB_COLUMNS}",
                owner,
                job_id,
            )
            if not rows:
                return None
            job = _job(rows[0])
            delete_events(transaction, [subject_of(job.spec.uid)])
            return job

        return self._database.write("delete", work)

    def forget(self, owner: ClientId) -> int:
        """Delete some ended jobs of an owner, and return their number.

        Jobs with kept audio stay until it was deleted, see :meth:`expire_audio`.
        """

        def work(transaction: Transaction) -> int:
            rows = transaction.execute(
                "DELETE FROM jobs WHERE number IN (SELECT number FROM jobs WHERE owner = ? "
                "AND finished_at IS NOT NULL AND audio_until IS NULL LIMIT ?) RETURNING uid",
                owner,
                MAX_SWEPT,
            )
            delete_events(transaction, [subject_of(uid) for (uid,) in rows])
            return len(rows)

        return self._database.write("forget", work)

    # Gateways: lease, work, finish.

    def lease(
        self, now: float, working_on: Collection[int] = (), full_owners: Collection[str] = ()
    ) -> Job | None:
        """Lease the next job, or return ``None`` if no job is ready.

        Jobs of dead gateways are queued again first. Owners take turns.

        Args:
            now: Unix time.
            working_on: Numbers of the jobs that this process works on; it keeps them even if their
                leases have expired.
            full_owners: Owners to leave out, because enough of their jobs are running.
        """

        def work(transaction: Transaction) -> Job | None:
            self._requeue_expired(transaction, now, working_on)
            for owner in owners_in_turn(_shares(transaction, now)):
                if owner in full_owners:
                    continue
                rows = transaction.execute(
                    f"{_SELECT_JOB} WHERE owner = ? AND state = 'queued' AND {_READY} "
                    f"ORDER BY number LIMIT 1{transaction.skip_locked}",
                    owner,
                    now,
                    now + MAX_DELAY_S,
                )
                if rows:
                    job = leases.lease(_job(rows[0]), self._gateway, now)
                    _update(transaction, job)
                    return job
            return None

        return self._database.write("lease", work)

    def requeue_all(self, now: float) -> int:
        """Queue all running jobs again, and return their number.

        Only for a database of one server, when it starts: no other process can hold a lease.
        """

        def work(transaction: Transaction) -> int:
            rows = transaction.execute(f"{_SELECT_JOB} WHERE state = 'running'")
            for row in rows:
                self._lose(transaction, _job(row), now)
            return len(rows)

        return self._database.write("requeue", work)

    def renew(
        self, claim: Claim, now: float, progress: float, text: str, step: TransactionStep = no_step
    ) -> None:
        """Renew a lease and store the progress that callers see.

        Args:
            claim: The lease.
            now: Unix time in seconds.
            progress: Fraction of the audio, from 0 to 1.
            text: Text so far.
            step: Stores what belongs to the progress, in the same transaction.

        Raises:
            LeaseLost: The claim is no longer valid.
        """

        def work(transaction: Transaction) -> None:
            job = leases.renew(_claimed(transaction, claim), claim, now, progress, text)
            _update(transaction, job)
            step(transaction)

        self._database.write("renew", work)

    def add_chunk(self, claim: Claim, chunk_key: str, payload: bytes, now: float) -> None:
        """Store a finished chunk, which renews the lease.

        Args:
            claim: The lease.
            chunk_key: Identifies the chunk and its options in the job.
            payload: The encoded result; opaque to the ledger.
            now: Unix time.

        Raises:
            LeaseLost: The claim is no longer valid.
        """

        def work(transaction: Transaction) -> None:
            job = leases.progressed(_claimed(transaction, claim), claim, now)
            transaction.execute(
                "INSERT INTO chunks (job_number, chunk_key, payload) VALUES (?, ?, ?) "
                "ON CONFLICT (job_number, chunk_key) DO NOTHING",
                claim.number,
                chunk_key,
                payload,
            )
            _update(transaction, job)

        self._database.write("chunk", work)

    def chunks(self, number: int) -> dict[str, bytes]:
        """Return a job's finished chunks by their keys."""
        statement = "SELECT chunk_key, payload FROM chunks WHERE job_number = ?"
        return self._database.read(lambda transaction: dict(transaction.execute(statement, number)))

    def release(self, claim: Claim, now: float, delay_s: float = 0.0) -> None:
        """Queue a job again that this process can't work on; repeating it has no effect.

        Args:
            claim: The lease.
            now: Unix time.
            delay_s: Time until the job may be leased again, in seconds.
        """

        def work(transaction: Transaction) -> None:
            try:
                job = leases.release(_claimed(transaction, claim), claim, now, delay_s)
            except LeaseLost:
                return
            _update(transaction, job)
            transaction.announce_work()

        self._database.write("release", work)

    def finish(
        self, claim: Claim, outcome: Outcome, now: float, step: TransactionStep = no_step
    ) -> Job:
        """End a job; its chunks are deleted, and its event is queued in the same transaction.

        Args:
            claim: The lease.
            outcome: How the job ended.
            now: Unix time in seconds.
            step: Stores what belongs to the outcome, in the same transaction.

        Raises:
            LeaseLost: The claim is no longer valid.
        """

        def work(transaction: Transaction) -> Job:
            job = _claimed(transaction, claim)
            finished = leases.finish(job, claim, outcome, now)
            if finished is not job:
                finished = self._end(transaction, finished, now)
                step(transaction)
            return finished

        return self._database.write("finish", work)

    # Upkeep.

    def expire(self, now: float) -> int:
        """Delete expired jobs whose events have been sent or are very old; return their number.

        Jobs with kept audio stay until it was deleted. At most ``MAX_SWEPT`` are deleted, so that
        other transactions don't wait for long.
        """

        def work(transaction: Transaction) -> int:
            rows = transaction.execute(
                "DELETE FROM jobs WHERE number IN (SELECT number FROM jobs WHERE expires_at <= ? "
                "AND audio_until IS NULL AND NOT EXISTS "
                "(SELECT 1 FROM deliveries WHERE subject = ? || jobs.uid "
                "AND deliveries.state = 'pending' AND deliveries.created_at > ?) "
                "ORDER BY expires_at LIMIT ?) RETURNING uid",
                now,
                subject_of(""),
                now - ABANDON_S,
                MAX_SWEPT,
            )
            delete_events(transaction, [subject_of(uid) for (uid,) in rows])
            return len(rows)

        return self._database.write("expire", work)

    def expired_audio(self, now: float) -> dict[int, str]:
        """Return kept audio whose time is over: its names by the numbers of the jobs.

        The caller deletes it and then calls :meth:`forget_audio`. Audio that can't be deleted for
        the moment is returned again.
        """
        statement = (
            "SELECT number, audio FROM jobs WHERE audio_until <= ? ORDER BY audio_until LIMIT ?"
        )
        return self._database.read(lambda t: dict(t.execute(statement, now, MAX_SWEPT)))

    def expire_audio(self, owner: ClientId) -> bool:
        """End the time of all kept audio of an owner; return whether there is some."""
        statement = "UPDATE jobs SET audio_until = 0 WHERE owner = ? AND audio_until > 0"
        return self._database.write(
            "expire audio", lambda t: bool(t.execute(f"{statement} RETURNING number", owner))
        )

    def forget_audio(self, numbers: Collection[int]) -> None:
        """Note that the kept audio of jobs was deleted."""
        statement = (
            "UPDATE jobs SET has_audio = 0, audio_until = NULL "
            f"WHERE audio_until IS NOT NULL AND number IN ({_marks(numbers)})"
        )
        self._database.write("forget audio", lambda t: t.execute(statement, *numbers))

    def needed_audio(self, names: Sequence[str]) -> set[str]:
        """Return those of the names whose audio jobs need or keep."""
        statement = f"SELECT audio FROM jobs WHERE has_audio = 1 AND audio IN ({_marks(names)})"
        return self._database.read(
            lambda transaction: {name for (name,) in transaction.execute(statement, *names)}
        )

    def backlog(self) -> Backlog:
        """Return the unfinished jobs of all owners."""
        return self._database.read(_backlog)

    def queued_before(self, job: Job) -> Usage:
        """Return the queued jobs of a job's owner that were accepted earlier."""
        statement = (
            "SELECT COUNT(*), COALESCE(SUM(audio_bytes), 0) FROM jobs "
            f"WHERE owner = ? AND {_UNFINISHED} AND state = 'queued' AND number < ?"
        )
        owner, number = job.spec.owner, job.number
        ((count, size),) = self._database.read(lambda t: t.execute(statement, owner, number))
        return Usage(int(count), int(size))

    def wait_for_work(self, timeout_s: float) -> bool:
        """Wait for a hint that a job can be leased; see :class:`.Database`."""
        return self._database.wait_for_work(timeout_s)

    def _requeue_expired(
        self, transaction: Transaction, now: float, working_on: Collection[int]
    ) -> None:
        rows = transaction.execute(
            f"{_SELECT_JOB} WHERE state = 'running' AND (lease_until <= ? OR lease_until > ?) "
            f"ORDER BY lease_until LIMIT ?{transaction.skip_locked}",
            now,
            now + LEASE_S + MAX_SKEW_S,
            MAX_EXPIRED_LEASES + len(working_on),
        )
        for job in map(_job, rows):
            if leases.is_leasable(job, now, working_on):
                self._lose(transaction, job, now)

    def _end(self, transaction: Transaction, job: Job, now: float) -> Job:
        """Store a job that has ended, and queue the event for its callback."""
        job = replace(job, spec=replace(job.spec, request=self._ended_request(job.spec.request)))
        _update(transaction, job)
        statement = "UPDATE jobs SET request = ? WHERE number = ?"
        transaction.execute(statement, job.spec.request, job.number)
        transaction.execute("DELETE FROM chunks WHERE job_number = ?", job.number)
        if job.spec.callback_url is not None:
            delete_events(transaction, [subject_of(job.spec.uid)])  # progress is out of date
            queue(transaction, job_ended(job), job.spec.callback_url, now)
        return job

    def _lose(self, transaction: Transaction, job: Job, now: float) -> None:
        job = leases.lose(job, self._poisoned, now)
        if job.state.is_final:
            self._end(transaction, job, now)
        else:
            _update(transaction, job)


def _find(transaction: Transaction, owner: str, job_id: str, lock: str = "") -> Job | None:
    if _NUL in job_id:
        return None
    rows = transaction.execute(f"{_SELECT_JOB} WHERE owner = ? AND job_id = ?{lock}", owner, job_id)
    return _job(rows[0]) if rows else None


def _claimed(transaction: Transaction, claim: Claim) -> Job | None:
    rows = transaction.execute(
        f"{_SELECT_JOB} WHERE number = ?{transaction.for_update}", claim.number
    )
    return _job(rows[0]) if rows else None


def _usage(transaction: Transaction, owner: str) -> Usage:
    ((count, audio_bytes),) = transaction.execute(
        "SELECT COUNT(*), COALESCE(SUM(audio_bytes), 0) FROM jobs "
        f"WHERE owner = ? AND {_UNFINISHED}",
        owner,
    )
    ((all_jobs,),) = transaction.execute("SELECT COUNT(*) FROM jobs WHERE owner = ?", owner)
    ((kept_bytes,),) = transaction.execute(
        "SELECT COALESCE(SUM(audio_bytes), 0) FROM jobs "
        "WHERE owner = ? AND audio_until IS NOT NULL",
        owner,
    )
    return Usage(int(count), int(audio_bytes) + int(kept_bytes), int(all_jobs) - int(count))


def _backlog(transaction: Transaction) -> Backlog:
    ((oldest,),) = transaction.execute(f"SELECT MIN(accepted_at) FROM jobs WHERE {_UNFINISHED}")
    ((running, running_bytes),) = transaction.execute(
        "SELECT COUNT(*), COALESCE(SUM(audio_bytes * (1 - progress)), 0) FROM jobs "
        "WHERE state = 'running'"
    )
    queued_of = {
        owner: Usage(int(count), int(size))
        for owner, count, size in transaction.execute(
            "SELECT owner, COUNT(*), SUM(audio_bytes) FROM jobs "
            f"WHERE {_UNFINISHED} AND state = 'queued' GROUP BY owner"
        )
    }
    queued = sum(usage.jobs for usage in queued_of.values())
    return Backlog(queued, int(running), oldest, float(running_bytes), queued_of)


def _shares(transaction: Transaction, now: float) -> list[Share]:
    rows = transaction.execute(
        f"SELECT owner, SUM(CASE WHEN state = 'queued' AND {_READY} THEN 1 ELSE 0 END), "
        "SUM(CASE WHEN state = 'running' THEN 1 ELSE 0 END), "
        "MIN(CASE WHEN state = 'queued' THEN number END) "
        f"FROM jobs WHERE {_UNFINISHED} GROUP BY owner",
        now,
        now + MAX_DELAY_S,
    )
    return [
        Share(owner, int(queued), int(running), oldest or 0)
        for owner, queued, running, oldest in rows
    ]


def _insert(transaction: Transaction, spec: JobSpec, now: float) -> Job | None:
    """Insert a job; return ``None`` if another transaction has inserted this id meanwhile."""
    job = Job(0, spec, accepted_at=now, ready_at=now)
    values = [*astuple(spec), *_values(job, _STATUS)]
    rows = transaction.execute(
        f"INSERT INTO jobs ({', '.join([*_SPEC, *_STATUS])}) VALUES ({_marks(values)}) "
        "ON CONFLICT (owner, job_id) DO NOTHING RETURNING number",
        *values,
    )
    return replace(job, number=rows[0][0]) if rows else None


def _update(transaction: Transaction, job: Job) -> None:
    transaction.execute(
        f"UPDATE jobs SET {', '.join(f'{name} = ?' for name in _CHANGING)} WHERE number = ?",
        *_values(job, _CHANGING),
        job.number,
    )


def _values(row: Job, names: Sequence[str]) -> list[Value]:
    """Return fields as plain values: not all drivers know enums, and SQLite has no booleans."""
    return [_plain(getattr(row, name)) for name in names]


def _plain(value: Any) -> Value:
    if isinstance(value, enum.Enum):
        return str(value.value)
    if isinstance(value, str):
        return value.replace(_NUL, "")
    return int(value) if isinstance(value, bool) else value


def _job(row: Row) -> Job:
    number, *values = row
    status = dict(zip(_STATUS, values[len(_SPEC) :], strict=True))
    status["state"] = JobState(status["state"])
    status["has_audio"] = bool(status["has_audio"])
    return Job(number, JobSpec(*values[: len(_SPEC)]), **status)


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" for _ in values)
