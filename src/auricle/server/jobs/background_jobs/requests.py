"""What callers do with background jobs: accept, find, list and delete them."""

import hashlib
import secrets
import time
from collections.abc import Collection
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import anyio
from anyio import to_thread

from auricle.ledger.jobs import job as job_rules
from auricle.ledger.jobs.job import Job, JobSpec, JobState, digest_of
from auricle.ledger.jobs.quota import Usage
from auricle.server.job_answers import AnswerFormat
from auricle.server.jobs.background_jobs.jobs import BackgroundJobs
from auricle.server.jobs.background_jobs.view import JobsPage, JobView, StoredJob
from auricle.server.uploads.params import TranscriptionParams, encode_params
from auricle.server.uploads.upload import Upload
from auricle.values.errors import JobConflict, LedgerFull, NotFound
from auricle.values.types import ClientId
from auricle.values.wording import NO_WORDING

EARLY_CHECK_S = 1.0
"""Longest wait for the database before an upload; others' searches may take longer."""


async def check_job_quota(
    jobs: BackgroundJobs, client: ClientId, job_id: str, size_bytes: int
) -> None:
    """Refuse a job before its upload if the client's quota is full.

    While the database is busy, the job is not refused: its acceptance checks the quota again.

    Args:
        jobs: The jobs.
        client: The key that sends the job.
        job_id: The job's id; a job that exists is not refused.
        size_bytes: Size of the body; 0 if unknown.

    Raises:
        LedgerFull: The client's quota is full.
        LedgerUnavailable: The database does not answer.
    """
    storage, quota = jobs.storage, jobs.quota

    def check() -> None:
        if not storage.early_checks.acquire(blocking=False):
            return
        try:
            storage.ledger.check_quota(client, job_id, size_bytes, quota)
        finally:
            storage.early_checks.release()

    with anyio.move_on_after(EARLY_CHECK_S):
        # A thread that is abandoned is no longer counted by its limiter.
        await to_thread.run_sync(check, limiter=storage.database_threads, abandon_on_cancel=True)


async def accept_job(
    jobs: BackgroundJobs,
    client: ClientId,
    params: TranscriptionParams,
    answer: AnswerFormat,
    upload: Upload,
    resources: AsyncExitStack,
) -> StoredJob:
    """Store the audio durably, then the job, and return it, or the same job accepted earlier.

    Args:
        jobs: The jobs.
        client: The key that sent the job.
        params: The request's parameters, with the detected format.
        answer: The format of the job's answers.
        upload: The audio.
        resources: Removes the uploaded file.

    Raises:
        JobConflict: The client has a job with this id and other audio or options.
        LedgerFull: The disk or the client's quota is full.
        LedgerUnavailable: The job can't be stored now.
    """
    spool = jobs.storage.spool
    source = await upload.source(params, params.audio_format, spool, resources)
    return await to_thread.run_sync(
        _accept,
        jobs,
        client,
        params,
        answer,
        Path(source.path),
        upload.size_bytes,
        limiter=jobs.storage.accept_threads,
    )


def _accept(
    jobs: BackgroundJobs,
    client: ClientId,
    params: TranscriptionParams,
    answer: AnswerFormat,
    path: Path,
    size_bytes: int,
) -> StoredJob:
    storage = jobs.storage
    with path.open("rb") as file:
        audio_sha256 = hashlib.file_digest(file, "sha256").digest()
    name = storage.audio.put(path)
    spec = JobSpec(
        owner=client,
        job_id=params.job_id,
        uid=secrets.token_hex(16),
        trace_id=params.trace_id,
        digest=digest_of(_identity(params, answer), audio_sha256),
        request=encode_params(params),
        api=answer.api,
        answer=answer.options,
        audio=name,
        audio_bytes=size_bytes,
        callback_url=None if params.callback is None else params.callback.url,
        keep_audio_s=jobs.keep_audio_s(params.keep_audio_s),
        file_name=params.file_name,
    )
    try:
        job, is_new = storage.ledger.accept(spec, jobs.quota, time.time())
    except (JobConflict, LedgerFull):  # after other errors the row may exist: a sweep decides
        jobs.runner.delete_audio(name)
        raise
    if is_new:
        return _new_view(jobs, job)
    jobs.runner.delete_audio(name)
    return _view(jobs, job)


def _identity(params: TranscriptionParams, answer: AnswerFormat) -> bytes:
    """Return the options of a job, without what may differ between two attempts of a caller."""
    params = replace(params, job_id="", trace_id="", file_name="", wording=NO_WORDING)
    return b"\n".join((encode_params(params), answer.api.encode(), answer.options))


def _new_view(jobs: BackgroundJobs, job: Job) -> StoredJob:
    """Return a job that was just accepted, without reading the database."""
    before = jobs.start_estimate.backlog.queued_of.get(job.spec.owner, Usage())
    return StoredJob(
        jobs.runner.current(job),
        _starts_in_s(jobs, job, before),
        webhook=jobs.webhooks.body_of(job),
    )


def _view(jobs: BackgroundJobs, job: Job) -> StoredJob:
    """Return a stored job with its webhook; blocks."""
    storage = jobs.storage
    before = storage.ledger.queued_before(job) if job.state is JobState.QUEUED else Usage()
    return StoredJob(
        jobs.runner.current(job),
        _starts_in_s(jobs, job, before),
        keeps_results=jobs.keeps_results,
        webhook=jobs.webhooks.body_of(job),
    )


async def find_job(jobs: BackgroundJobs, client: ClientId, job_id: str) -> JobView:
    """Return the state of a job.

    Raises:
        NotFound: The client has no job with this id, or it has expired.
        LedgerUnavailable: The database does not answer.
    """
    stored = await jobs.storage.in_database_thread(lambda: _find(jobs, client, job_id))
    if stored is not None:
        return stored
    if (uploading := jobs.uploading.find(client, job_id)) is not None:
        return uploading
    raise NotFound("Unknown job_id. Jobs are deleted a while after their end.")


def _find(jobs: BackgroundJobs, client: ClientId, job_id: str) -> StoredJob | None:
    job = jobs.storage.ledger.find(client, job_id)
    return None if job is None else _view(jobs, job)


def _starts_in_s(jobs: BackgroundJobs, job: Job, before: Usage) -> int | None:
    """Return the estimated time until a job starts, in seconds; ``None`` if unknown.

    Args:
        jobs: The jobs.
        job: The job.
        before: The queued jobs of its owner that were accepted earlier.
    """
    if job.state is not JobState.QUEUED:
        return None
    slots = jobs.runner.max_running
    return jobs.start_estimate.starts_in_s(job.spec.owner, before, slots)


async def list_jobs(
    jobs: BackgroundJobs,
    client: ClientId,
    states: Collection[JobState],
    before: int | None,
    limit: int,
) -> JobsPage:
    """Return a page of the client's jobs, the newest first.

    Raises:
        LedgerUnavailable: The database does not answer.
    """
    storage = jobs.storage
    page = await storage.in_database_thread(
        lambda: storage.ledger.page(client, states, before=before, limit=limit)
    )
    current = tuple(map(jobs.runner.current, page))
    return JobsPage(current, page[-1].number if len(page) == limit else None)


async def delete_job(jobs: BackgroundJobs, client: ClientId, job_id: str) -> JobView:
    """Delete a job in any state, stop its work, and return its last state.

    An unfinished job with a callback is cancelled instead, so that its receiver is notified.

    Raises:
        NotFound: The client has no job with this id.
        LedgerUnavailable: The database does not answer.
    """
    storage = jobs.storage
    uploading = jobs.uploading.cancel(client, job_id)
    removed = await storage.in_database_thread(lambda: _remove(jobs, client, job_id))
    if removed is None:
        if uploading is None:
            raise NotFound("Unknown job_id. Jobs are deleted a while after their end.")
        return uploading
    job, is_cancelled = removed
    if job.state.is_final and not is_cancelled:
        if job.has_audio:
            await _delete_audio(jobs, job)
        return StoredJob(job, keeps_results=jobs.keeps_results)
    job = jobs.runner.current(job)
    jobs.runner.stop(job.number)
    await _delete_audio(jobs, job)
    if is_cancelled:
        jobs.webhooks.wake()
        return await storage.in_database_thread(lambda: _view(jobs, job))
    return StoredJob(job_rules.cancel(job, 0.0, time.time()))


def _remove(jobs: BackgroundJobs, client: ClientId, job_id: str) -> tuple[Job, bool] | None:
    """Delete or cancel a job; return it, and whether it was cancelled. Blocks."""
    ledger = jobs.storage.ledger
    job = ledger.find(client, job_id)
    if job is not None and job.spec.callback_url is not None and not job.state.is_final:
        job = ledger.cancel(client, job_id, jobs.keep_results_s, time.time())
        return None if job is None else (job, job.state is JobState.CANCELLED)
    job = ledger.delete(client, job_id)
    return None if job is None else (job, False)


async def _delete_audio(jobs: BackgroundJobs, job: Job) -> None:
    storage = jobs.storage
    await to_thread.run_sync(
        jobs.runner.delete_audio, job.spec.audio, limiter=storage.accept_threads
    )
