"""Background jobs, which run after their request was answered."""

import contextlib
import time

import msgspec
import structlog
from anyio import to_thread

from auricle.errors import AuricleError, ServerStopped
from auricle.files.transcribe import FileProgress
from auricle.protocol.native.utterance import transcript_body
from auricle.server.context import RETRY_S, ServerState
from auricle.server.http.errors import code_of, error_body, log_unexpected
from auricle.server.http.request_log import RequestLog
from auricle.server.transcription.run import note_answer, transcribe_spooled
from auricle.server.uploads.job_store import JobRecord, JobState
from auricle.server.uploads.params import TranscriptionParams
from auricle.types import ClientId, Source

_log = structlog.get_logger("auricle.server")


def register_job(
    server: ServerState,
    client: ClientId,
    params: TranscriptionParams,
    resources: contextlib.AsyncExitStack,
) -> JobRecord:
    """Return the record of a new job, which its caller can cancel from now on.

    Closing ``resources`` removes the record, unless the job has started.

    Raises:
        BadRequest: This key has an unfinished job with this id.
        Overloaded: The store is full of unfinished jobs.
    """
    record = JobRecord(params.job_id, params.trace_id, client)
    server.jobs.add(record, time.monotonic())
    resources.callback(server.jobs.remove_queued, record)
    return record


def start_job(
    server: ServerState,
    record: JobRecord,
    params: TranscriptionParams,
    source: Source,
    resources: contextlib.AsyncExitStack,
) -> None:
    """Start a registered job, which takes over ``resources`` and closes it when it ends."""
    server.running.background.start_soon(_run, server, record, params, source, resources.pop_all())


async def _run(
    server: ServerState,
    record: JobRecord,
    params: TranscriptionParams,
    source: Source,
    resources: contextlib.AsyncExitStack,
) -> None:
    began_at = time.monotonic()
    log = RequestLog(record.job_id, record.trace_id, record.client)
    try:
        async with resources:
            with record.scope:
                await _work(server, record, params, source, log, began_at)
    finally:  # log every accepted job, however it ended
        server.jobs.finish(record, JobState.CANCELLED, time.monotonic())  # no effect if it ended
        if record.error is not None:
            log.code = record.error["code"]
        duration_ms = round((time.monotonic() - began_at) * 1000, 1)
        _log.info("job", state=record.state.value, duration_ms=duration_ms, **log.line())


def lose_jobs(server: ServerState, now: float) -> int:
    """Fail all unfinished jobs because the server stops; return their number.

    Each is logged and counted, and its record has the error ``server_stopped``.
    """
    lost = server.jobs.unfinished()
    for record in lost:
        error = ServerStopped("The server stopped before this job was finished.", RETRY_S)
        record.error = error_body(error)
        server.jobs.finish(record, JobState.FAILED, now)
        record.scope.cancel()
        server.metrics.jobs_lost.inc()
        _log.error("job_lost", **record.ids(), progress=round(record.progress, 4))
    return len(lost)


async def _work(
    server: ServerState,
    record: JobRecord,
    params: TranscriptionParams,
    source: Source,
    log: RequestLog,
    began_at: float,
) -> None:
    def note_progress(progress: FileProgress) -> None:
        record.progress, record.text = progress.fraction, progress.text

    if record.state.is_final:  # cancelled or lost during its upload
        return
    record.state = JobState.RUNNING
    try:
        result = await transcribe_spooled(
            server, params, source, client=record.client, on_progress=note_progress
        )
    except Exception as error:
        log.code = code_of(error)
        if not isinstance(error, AuricleError):
            log_unexpected(error, **log.ids())
        record.error = error_body(error)
        server.jobs.finish(record, JobState.FAILED, time.monotonic())
        return
    transcript = result.transcript
    body = transcript_body(record.job_id, record.trace_id, transcript, result.gaps, params.warnings)
    encoded = await to_thread.run_sync(msgspec.json.encode, body)  # large for hours of audio
    record.progress, record.text, record.result = 1.0, transcript.text, encoded
    server.jobs.finish(record, JobState.DONE, time.monotonic())
    note_answer(server, log, transcript, time.monotonic() - began_at)
