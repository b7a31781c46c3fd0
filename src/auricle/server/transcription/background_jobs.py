"""Background jobs: accepted into the ledger, transcribed later, kept until they expire.

A job is accepted once its audio and then its row are durable. From then on it survives the death of
the server. Its id is the idempotency key: the same id with the same audio and options is the same
job. Finished chunks are stored, so that a job continues where it was interrupted.
"""

import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, NotRequired, TypedDict

import anyio
import msgspec
import structlog
from anyio import from_thread, to_thread

from auricle.errors import (
    AuricleError,
    Draining,
    JobConflict,
    LeaseLost,
    LedgerFull,
    LedgerUnavailable,
    NotFound,
)
from auricle.files.transcribe import FileProgress, FileTranscript
from auricle.ledger import job as jobs
from auricle.ledger.job import Job, JobSpec, JobState, Outcome, digest_of
from auricle.ledger.outbox import Delivery, DeliveryState
from auricle.ledger.quota import Usage
from auricle.ledger.runner import RunningJob
from auricle.protocol.native.errors import ErrorBody
from auricle.protocol.native.utterance import transcript_body
from auricle.server.context import ServerState
from auricle.server.http.errors import code_of, error_body, log_unexpected
from auricle.server.http.request_log import RequestLog
from auricle.server.transcription.kept_result import keeping
from auricle.server.transcription.run import note_answer, transcribe_spooled
from auricle.server.uploads.params import TranscriptionParams
from auricle.server.uploads.upload import Upload
from auricle.server.uploads.uploading_jobs import UploadingJob
from auricle.types import ClientId, Source, Transcript
from auricle.types import Job as Recognition

EARLY_CHECK_S = 1.0
"""Longest wait for the database before an upload; others' searches may take longer."""

_log = structlog.get_logger("auricle.server")


class WebhookBody(TypedDict):
    """The delivery of a job's end; times are Unix seconds."""

    state: Literal["waiting", "pending", "delivered", "refused", "failed"]
    attempts: int
    last_status: int | None
    next_attempt: float | None


class JobBody(TypedDict):
    """The response body of ``GET /jobs/{id}``; ``webhook`` only if the job has a callback."""

    job_id: str
    trace_id: str
    state: JobState
    progress: float
    starts_in_s: int | None
    text: str
    result: Annotated[
        msgspec.Raw | None, msgspec.Meta(extra_json_schema={"type": ["object", "null"]})
    ]
    error: ErrorBody | None
    webhook: NotRequired[WebhookBody]


def job_body(job: Job, starts_in_s: int | None = None) -> JobBody:
    """Return the response body of a stored job, without its webhook."""
    return {
        "job_id": job.spec.job_id,
        "trace_id": job.spec.trace_id,
        "state": job.state,
        "progress": round(job.progress, 4),
        "starts_in_s": starts_in_s,
        "text": job.text,
        "result": None if job.result is None else msgspec.Raw(job.result),
        "error": None if job.error is None else msgspec.json.decode(job.error, type=ErrorBody),
    }


def webhook_body(delivery: Delivery | None) -> WebhookBody:
    """Return the state of a delivery; ``None``: the job has not ended."""
    if delivery is None:
        return {"state": "waiting", "attempts": 0, "last_status": None, "next_attempt": None}
    is_pending = delivery.state is DeliveryState.PENDING
    return {
        "state": delivery.state.value,
        "attempts": delivery.attempts,
        "last_status": delivery.status,
        "next_attempt": delivery.next_at if is_pending else None,
    }


def uploading_body(job: UploadingJob) -> JobBody:
    """Return the response body of a job whose upload is in progress."""
    return {
        "job_id": job.job_id,
        "trace_id": job.trace_id,
        "state": JobState.CANCELLED if job.is_cancelled else JobState.QUEUED,
        "progress": 0.0,
        "starts_in_s": None,
        "text": "",
        "result": None,
        "error": None,
    }


# For callers: accept, find, list, delete.


async def check_job_quota(
    server: ServerState, client: ClientId, job_id: str, size_bytes: int
) -> None:
    """Refuse a job before its upload if the client's quota is full.

    While the database is busy, the job is not refused: its acceptance checks the quota again.

    Args:
        server: The server's state.
        client: The key that sends the job.
        job_id: The job's id; a job that exists is not refused.
        size_bytes: Size of the body; 0 if unknown.

    Raises:
        LedgerFull: The client's quota is full.
        LedgerUnavailable: The database does not answer.
    """
    running = server.running
    with anyio.move_on_after(EARLY_CHECK_S):
        await to_thread.run_sync(
            running.ledger.check_quota,
            client,
            job_id,
            size_bytes,
            server.job_quota,
            limiter=running.database_threads,
            abandon_on_cancel=True,
        )


async def accept_job(
    server: ServerState,
    client: ClientId,
    params: TranscriptionParams,
    upload: Upload,
    resources: AsyncExitStack,
) -> JobBody:
    """Store the audio durably, then the job, and return it, or the same job accepted earlier.

    Args:
        server: The server's state.
        client: The key that sent the job.
        params: The request's parameters, with the detected format.
        upload: The audio.
        resources: Removes the uploaded file.

    Raises:
        JobConflict: The client has a job with this id and other audio or options.
        LedgerFull: The disk or the client's quota is full.
        LedgerUnavailable: The job can't be stored now.
    """
    spool = server.running.spool
    source = await upload.source(params, params.audio_format, spool, resources)
    return await to_thread.run_sync(
        _accept,
        server,
        client,
        params,
        Path(source.path),
        upload.size_bytes,
        limiter=server.running.accept_threads,
    )


def _accept(
    server: ServerState, client: ClientId, params: TranscriptionParams, path: Path, size_bytes: int
) -> JobBody:
    running = server.running
    with path.open("rb") as file:
        audio_sha256 = hashlib.file_digest(file, "sha256").digest()
    name = running.audio.put(path)
    spec = JobSpec(
        owner=client,
        job_id=params.job_id,
        uid=secrets.token_hex(16),
        trace_id=params.trace_id,
        digest=digest_of(encode_params(replace(params, job_id="", trace_id="")), audio_sha256),
        request=encode_params(params),
        audio=name,
        audio_bytes=size_bytes,
        callback_url=None if params.callback is None else params.callback.url,
        keep_audio_s=server.keep_audio_s(params.keep_audio_s),
    )
    try:
        job, is_new = running.ledger.accept(spec, server.job_quota, time.time())
    except (JobConflict, LedgerFull):  # after other errors the row may exist: a sweep decides
        running.runner.delete_audio(name)
        raise
    if is_new:
        return _new_body(server, job)
    running.runner.delete_audio(name)
    return _body(server, job)


def _new_body(server: ServerState, job: Job) -> JobBody:
    """Return the response body of a job that was just accepted, without reading the database."""
    before = server.start_estimate.backlog.queued_of.get(job.spec.owner, Usage())
    body = job_body(server.running.runner.current(job), _starts_in_s(server, job, before))
    if job.spec.callback_url is not None:
        body["webhook"] = webhook_body(None)
    return body


def _body(server: ServerState, job: Job) -> JobBody:
    """Return the response body of a stored job with its webhook; blocks."""
    running = server.running
    before = running.ledger.queued_before(job) if job.state is JobState.QUEUED else Usage()
    body = job_body(running.runner.current(job), _starts_in_s(server, job, before))
    if job.spec.callback_url is not None:
        body["webhook"] = webhook_body(next(iter(running.ledger.deliveries(job.number)), None))
    return body


def encode_params(params: TranscriptionParams) -> bytes:
    """Return parameters as JSON, for a row of the ledger."""
    return msgspec.json.encode(params)


def decode_params(request: bytes) -> TranscriptionParams:
    """Return the parameters in a row of the ledger; fields of later versions are ignored."""
    return msgspec.json.decode(request, type=TranscriptionParams)


async def find_job(server: ServerState, client: ClientId, job_id: str) -> JobBody:
    """Return the state of a job.

    Raises:
        NotFound: The client has no job with this id, or it has expired.
        LedgerUnavailable: The database does not answer.
    """
    body = await server.running.in_database_thread(lambda: _find(server, client, job_id))
    if body is not None:
        return body
    if (uploading := server.uploading.find(client, job_id)) is not None:
        return uploading_body(uploading)
    raise NotFound("Unknown job_id. Jobs are deleted a while after their end.")


def _find(server: ServerState, client: ClientId, job_id: str) -> JobBody | None:
    job = server.running.ledger.find(client, job_id)
    return None if job is None else _body(server, job)


def _starts_in_s(server: ServerState, job: Job, before: Usage) -> int | None:
    """Return the estimated time until a job starts, in seconds; ``None`` if unknown.

    Args:
        server: The server's state.
        job: The job.
        before: The queued jobs of its owner that were accepted earlier.
    """
    if job.state is not JobState.QUEUED:
        return None
    slots = server.running.runner.max_running
    return server.start_estimate.starts_in_s(job.spec.owner, before, slots)


class JobSummary(TypedDict):
    """A job in the list of ``GET /jobs``."""

    job_id: str
    trace_id: str
    state: JobState
    progress: float
    accepted_at: float
    finished_at: float | None
    audio_bytes: int


class JobsBody(TypedDict):
    """The response body of ``GET /jobs``."""

    jobs: list[JobSummary]
    next: int | None


async def list_jobs(
    server: ServerState,
    client: ClientId,
    states: Collection[JobState],
    before: int | None,
    limit: int,
) -> JobsBody:
    """Return a page of the client's jobs, the newest first.

    Raises:
        LedgerUnavailable: The database does not answer.
    """
    running = server.running
    page = await running.in_database_thread(
        lambda: running.ledger.page(client, states, before=before, limit=limit)
    )
    summaries: list[JobSummary] = [
        {
            "job_id": job.spec.job_id,
            "trace_id": job.spec.trace_id,
            "state": job.state,
            "progress": round(job.progress, 4),
            "accepted_at": job.accepted_at,
            "finished_at": job.finished_at,
            "audio_bytes": job.spec.audio_bytes,
        }
        for job in map(running.runner.current, page)
    ]
    return {"jobs": summaries, "next": page[-1].number if len(page) == limit else None}


async def delete_job(server: ServerState, client: ClientId, job_id: str) -> JobBody:
    """Delete a job in any state, stop its work, and return its last state.

    An unfinished job with a callback is cancelled instead, so that its receiver is notified.

    Raises:
        NotFound: The client has no job with this id.
        LedgerUnavailable: The database does not answer.
    """
    running = server.running
    uploading = server.uploading.cancel(client, job_id)
    removed = await running.in_database_thread(lambda: _remove(server, client, job_id))
    if removed is None:
        if uploading is None:
            raise NotFound("Unknown job_id. Jobs are deleted a while after their end.")
        return uploading_body(uploading)
    job, is_cancelled = removed
    if job.state.is_final and not is_cancelled:
        if job.has_audio:
            await _delete_audio(server, job)
        return job_body(job)
    job = running.runner.current(job)
    running.runner.stop(job.number)
    await _delete_audio(server, job)
    if is_cancelled:
        server.wake_webhooks()
        return await running.in_database_thread(lambda: _body(server, job))
    return job_body(jobs.cancel(job, 0.0, time.time()))


def _remove(server: ServerState, client: ClientId, job_id: str) -> tuple[Job, bool] | None:
    """Delete or cancel a job; return it, and whether it was cancelled. Blocks."""
    ledger = server.running.ledger
    job = ledger.find(client, job_id)
    if job is not None and job.spec.callback_url is not None and not job.state.is_final:
        job = ledger.cancel(client, job_id, server.settings.keep_results_s, time.time())
        return None if job is None else (job, job.state is JobState.CANCELLED)
    job = ledger.delete(client, job_id)
    return None if job is None else (job, False)


async def _delete_audio(server: ServerState, job: Job) -> None:
    running = server.running
    await to_thread.run_sync(
        running.runner.delete_audio, job.spec.audio, limiter=running.accept_threads
    )


# For the runner: the work on one job.


async def work_on(server: ServerState, running: RunningJob) -> Outcome:
    """Transcribe a leased job and return how it ended.

    Raises:
        LeaseLost: Another gateway works on the job, or it was deleted.
        LedgerUnavailable: The audio can't be read now.
        Draining: The only recogniser shuts down.
    """
    began_at = time.monotonic()
    spec = running.job.spec
    log = RequestLog(spec.job_id, spec.trace_id, spec.owner)
    state = JobState.QUEUED  # the server stops, or another gateway continues
    try:
        outcome = await _transcribe(server, running, log, began_at)
        state = outcome.state
        return outcome
    finally:
        if running.scope.cancel_called and not running.is_lost:
            state = JobState.CANCELLED
        server.metrics.jobs_ended.labels(state.value).inc()
        duration_ms = round((time.monotonic() - began_at) * 1000, 1)
        _log.info("job", state=state.value, duration_ms=duration_ms, **log.line())


async def _transcribe(
    server: ServerState, running: RunningJob, log: RequestLog, began_at: float
) -> Outcome:
    def note_progress(progress: FileProgress) -> None:
        running.progress, running.text = progress.fraction, progress.text

    spec, keep_s = running.job.spec, server.settings.keep_results_s
    try:
        params = decode_params(spec.request)
        async with _local_audio(server, spec) as path:
            result = await transcribe_spooled(
                server,
                params,
                Source(path, params.audio_format, params.sample_rate_hz, params.opus_packet_bytes),
                client=spec.owner,
                on_progress=note_progress,
                finished=StoredChunks(running, server.transcriber.stats().model),
            )
    except Draining:
        if server.is_draining:  # this server stops, and the runner queues the job again
            await anyio.sleep_forever()
        raise
    except (LeaseLost, LedgerUnavailable):
        raise
    except Exception as error:
        log.code = code_of(error)
        if not isinstance(error, AuricleError):
            log_unexpected(error, **log.ids())
        encoded = msgspec.json.encode(error_body(error))
        return Outcome(JobState.FAILED, keep_s, error=encoded, text=running.text)
    transcript = result.transcript
    encoded = await to_thread.run_sync(_encoded, params, result)  # large for hours of audio
    run_s = time.monotonic() - began_at
    note_answer(server, log, transcript, run_s)
    server.start_estimate.note_run(spec.audio_bytes, run_s)
    if server.running.transcripts is not None:
        running.also = keeping(spec, transcript, time.time())
    return Outcome(JobState.DONE, keep_s, result=encoded, text=transcript.text)


@asynccontextmanager
async def _local_audio(server: ServerState, spec: JobSpec) -> AsyncIterator[str]:
    """Fetch the audio of a job, and yield the path of a local file.

    Raises:
        AudioMissing: It is not in the store, or was changed there.
        LedgerUnavailable: It can't be read now.
    """
    audio, threads = server.running.audio, server.running.fetch_threads
    path = await to_thread.run_sync(
        audio.fetch,
        spec.audio,
        spec.audio_bytes,
        from_thread.check_cancelled,
        abandon_on_cancel=True,  # the thread then ends at its next check, and leaves no copy
        limiter=threads,
    )
    try:
        yield str(path)
    finally:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(audio.release, path)


def _encoded(params: TranscriptionParams, result: FileTranscript) -> bytes:
    """Return the response of the API that accepted the job, as JSON."""
    transcript, gaps = result.transcript, result.gaps
    if params.deepgram is not None:
        return msgspec.json.encode(params.deepgram.body(transcript, gaps))
    return msgspec.json.encode(
        transcript_body(params.job_id, params.trace_id, transcript, gaps, params.warnings)
    )


class StoredChunks:
    """Finished chunks of a job; see :class:`.FinishedChunks`.

    A chunk's key is the hash of all that its text depends on: model, options and audio.
    """

    def __init__(self, running: RunningJob, model: str) -> None:
        self._running = running
        self._model = model

    def find(self, job: Recognition) -> Transcript | None:
        """Return the transcript that an earlier attempt stored, or ``None``."""
        payload = self._running.chunks.get(self._key(job))
        if payload is None:
            return None
        try:
            return msgspec.json.decode(payload, type=Transcript)
        except msgspec.ValidationError:  # another version stored it
            return None

    async def store(self, job: Recognition, transcript: Transcript) -> None:
        """Store a transcript.

        Raises:
            LeaseLost: Another gateway works on the job, or it was deleted.
        """
        await self._running.store_chunk(self._key(job), msgspec.json.encode(transcript))

    def _key(self, job: Recognition) -> str:
        digest = hashlib.sha256(f"{self._model}\n{job.options!r}\n".encode())
        digest.update(job.pcm.tobytes())
        return digest.hexdigest()
