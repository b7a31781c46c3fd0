"""The work on a background job that this server has leased."""

import hashlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import msgspec
import structlog
from anyio import from_thread, to_thread

from auricle.engines.models import ServedModel, model_name
from auricle.files.progress_estimate import ProgressEstimate
from auricle.files.transcribe import FileProgress, OnProgress
from auricle.ledger.jobs.job import JobSpec, JobState, Outcome
from auricle.ledger.jobs.runner import RunningJob
from auricle.server.http.errors import code_of, error_body
from auricle.server.http.request_log import RequestLog
from auricle.server.job_answers import JobAnswers, answers_of
from auricle.server.jobs.run import Accounting, transcribe_spooled
from auricle.server.lifecycle import Lifecycle
from auricle.server.recognition import Recognition
from auricle.server.result_keepers import ResultKeeper, keeping
from auricle.server.storage import Storage
from auricle.server.telemetry.start_estimate import StartEstimate
from auricle.server.uploads.params import decode_params
from auricle.server.webhooks import Webhooks
from auricle.system.groups import first_error
from auricle.system.logs import log_unexpected
from auricle.values.errors import (
    AuricleError,
    Draining,
    LeaseLost,
    LedgerUnavailable,
    ModelUnavailable,
)
from auricle.values.types import SAMPLE_RATE_HZ, Transcript
from auricle.values.types import Job as RecognitionJob

PROGRESS_S = 2.0
"""Interval of estimating a job's progress; streams of events send the text so far with each."""

_log = structlog.get_logger("auricle.server")


@dataclass(frozen=True, slots=True)
class JobWork:
    """What a job is done with.

    Attributes:
        recognition: Transcribes its audio.
        storage: Has its audio.
        answers: How the APIs answer jobs, by the names of the APIs.
        lifecycle: Whether the server drains.
        accounting: Counts and charges its audio.
        start_estimate: Learns how long jobs run.
        result_keepers: Who keeps its result.
        webhooks: Report its progress.
        keep_results_s: Retention of results, in seconds.
    """

    recognition: Recognition
    storage: Storage
    answers: Mapping[str, JobAnswers]
    lifecycle: Lifecycle
    accounting: Accounting
    start_estimate: StartEstimate
    result_keepers: Sequence[ResultKeeper]
    webhooks: Webhooks
    keep_results_s: float


async def work_on(work: JobWork, running: RunningJob) -> Outcome:
    """Transcribe a leased job and return how it ended.

    Raises:
        LeaseLost: Another gateway works on the job, or it was deleted.
        LedgerUnavailable: The audio can't be read now.
        Draining: The only recogniser shuts down.
        ModelUnavailable: The job's model is not loaded.
    """
    began_at = time.monotonic()
    spec = running.job.spec
    log = RequestLog(spec.job_id, spec.trace_id, spec.owner)
    state = JobState.QUEUED  # the server stops, or another gateway continues
    try:
        outcome = await _transcribe(work, running, log, began_at)
        state = outcome.state
        return outcome
    finally:
        if running.scope.cancel_called and not running.is_lost:
            state = JobState.CANCELLED
        work.accounting.metrics.count_job_run(state)
        duration_ms = round((time.monotonic() - began_at) * 1000, 1)
        _log.info("job", state=state.value, duration_ms=duration_ms, **log.line())


async def _transcribe(
    work: JobWork, running: RunningJob, log: RequestLog, began_at: float
) -> Outcome:
    spec, keep_s = running.job.spec, work.keep_results_s
    try:
        answers = answers_of(work.answers, spec.api)
        params = decode_params(spec.request)
        model = work.recognition.models.find(params.options.model)
        callback = params.callback
        if callback is not None:
            running.also_renewed = work.webhooks.progress_of(running.job, callback)
        async with _local_audio(work, spec) as path, _reporting(work, running) as on_progress:
            result = await transcribe_spooled(
                work.recognition,
                params,
                params.source(path, params.audio_format),
                client=spec.owner,
                on_progress=on_progress,
                finished=StoredChunks(running, _weights(work.recognition, model)),
            )
    except Draining:
        if work.lifecycle.is_draining:  # this server stops, and the runner queues the job again
            await anyio.sleep_forever()
        raise
    except (LeaseLost, LedgerUnavailable, ModelUnavailable):
        raise
    except Exception as error:
        log.code = code_of(error)
        if not isinstance(error, AuricleError):
            log_unexpected(error, **log.ids())
        encoded = msgspec.json.encode(error_body(error))
        return Outcome(JobState.FAILED, keep_s, error=encoded, text=running.text)
    transcript = result.transcript
    encoded = await to_thread.run_sync(answers.result, spec, params, model.name, result)
    run_s = time.monotonic() - began_at
    work.accounting.note(log, result, run_s)
    work.start_estimate.note_run(spec.audio_bytes, run_s)
    running.step = keeping(work.result_keepers, spec, transcript, callback, time.time())
    duration_ms = round(transcript.duration_samples * 1000 / SAMPLE_RATE_HZ)
    return Outcome(
        JobState.DONE,
        keep_s,
        result=encoded,
        text=transcript.text,
        duration_ms=duration_ms,
    )


@asynccontextmanager
async def _reporting(work: JobWork, running: RunningJob) -> AsyncIterator[OnProgress]:
    """Keep a job's progress up to date, also between results; yield what notes them."""
    stats = work.recognition.transcriber.stats()
    workers = max(1, len(stats.workers))
    estimate = ProgressEstimate(
        work.recognition.batch_jobs * workers, stats.seconds_per_audio_s / workers, running.progress
    )

    def note(progress: FileProgress) -> None:
        running.text = progress.text
        estimate.record(progress, time.monotonic())
        running.progress = estimate.at(time.monotonic())

    async def estimate_steadily() -> None:
        while True:
            await anyio.sleep(PROGRESS_S)
            running.progress = estimate.at(time.monotonic())

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(estimate_steadily)
            yield note
            group.cancel_scope.cancel()
    except BaseExceptionGroup as errors:  # an anyio group wraps even a single failure
        raise first_error(errors) from errors


@asynccontextmanager
async def _local_audio(work: JobWork, spec: JobSpec) -> AsyncIterator[str]:
    """Fetch the audio of a job, and yield the path of a local file.

    Raises:
        AudioMissing: It is not in the store, or was changed there.
        LedgerUnavailable: It can't be read now.
    """
    audio, threads = work.storage.audio, work.storage.fetch_threads
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


def _weights(recognition: Recognition, model: ServedModel) -> str:
    """Return what identifies a model's weights, so that other weights of its name are others."""
    if model is recognition.models.default:
        return recognition.transcriber.stats().model
    return f"{model.engine.name} {model_name(model.settings, model.engine)}"


class StoredChunks:
    """Finished chunks of a job; see :class:`.FinishedChunks`.

    A chunk's key is the hash of all that its text depends on: model, options and audio.
    """

    def __init__(self, running: RunningJob, model: str) -> None:
        self._running = running
        self._model = model

    def find(self, job: RecognitionJob) -> Transcript | None:
        """Return the transcript that an earlier attempt stored, or ``None``."""
        payload = self._running.chunks.get(self._key(job))
        if payload is None:
            return None
        try:
            return msgspec.json.decode(payload, type=Transcript)
        except msgspec.ValidationError:  # another version stored it
            return None

    async def store(self, job: RecognitionJob, transcript: Transcript) -> None:
        """Store a transcript.

        Raises:
            LeaseLost: Another gateway works on the job, or it was deleted.
        """
        await self._running.store_chunk(self._key(job), msgspec.json.encode(transcript))

    def _key(self, job: RecognitionJob) -> str:
        digest = hashlib.sha256(f"{self._model}\n{job.options!r}\n".encode())
        digest.update(job.pcm.tobytes())
        return digest.hexdigest()
