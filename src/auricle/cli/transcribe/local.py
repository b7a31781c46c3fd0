"""Transcribes files with local worker processes."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio

from auricle.cli.support.console import errors
from auricle.cli.support.progress import OnProgress
from auricle.cli.transcribe.recogniser import RecogniserRequest
from auricle.config.settings import Settings
from auricle.engines.models import ModelTable
from auricle.engines.placement import prepare
from auricle.files.fair_semaphore import FairSemaphore
from auricle.files.registry import method_of
from auricle.files.transcribe import (
    FileProgress,
    FileRequest,
    FileTranscript,
    chunk_semaphore,
)
from auricle.values.errors import RequestError
from auricle.values.speakers import NO_SPEAKERS, SpeakerRequest
from auricle.values.transcriber import Decoder, Progress
from auricle.values.types import ANONYMOUS, SAMPLE_RATE_HZ, ClientId, Source
from auricle.workers.kinds.asr.pool import WorkerPool
from auricle.workers.kinds.decode.pool import DecodePool
from auricle.workers.local_models import find_local_models
from auricle.workers.poison import CrashBudget
from auricle.workers.registry import find_kinds, open_workers
from auricle.workers.spec import PoolContext


class LocalRecogniser:
    """Workers that run as long as the command; use it as a context manager.

    Args:
        settings: All settings.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._closing = contextlib.AsyncExitStack()
        self._chunk_slots: FairSemaphore
        self._decoder: DecodePool
        self._transcriber: WorkerPool
        self._speakers = NO_SPEAKERS

    async def __aenter__(self) -> Self:
        """Download the model if needed, start the workers, and wait until one is ready.

        Raises:
            SetupError: The model is unknown or can't be loaded.
        """
        settings = find_local_models(self._settings).of_one_model(self._settings)
        place = await anyio.to_thread.run_sync(prepare, settings)
        workers = place.worker.workers
        batches = place.engine.batches.within(place.worker.batch_jobs)
        self._chunk_slots = chunk_semaphore(workers, batches.max_jobs)
        self._decoder = DecodePool(
            settings.worker, settings.decode, max_chunk_samples=place.engine.max_audio_samples
        )
        queue = settings.queue.model_copy(
            update={"file_workers": workers}
        )  # there are no live sessions
        self._transcriber = WorkerPool(place, queue)
        async with contextlib.AsyncExitStack() as stack:
            for speakers in (await _open_speakers(settings, workers)).values():
                stack.push_async_callback(speakers.aclose)
                await speakers.start()  # its workers start when they are needed
                self._speakers = speakers
            for pool in (self._decoder, self._transcriber):
                stack.push_async_callback(pool.aclose)
            await self._decoder.start()
            await self._transcriber.start()
            with errors.status("Starting the workers…"):  # shown on terminals only
                await self._transcriber.wait_ready(settings.worker.start_budget_s)
            self._closing = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._closing.aclose()

    async def recognise(
        self, request: RecogniserRequest, on_progress: OnProgress
    ) -> FileTranscript:
        """Return a file's transcript.

        Raises:
            AuricleError: The file can't be read or recognised.
        """
        decoder = _WatchedDecoder(self._decoder)

        def report(progress: FileProgress) -> None:
            on_progress(progress.fraction, progress.fraction * decoder.total_s)

        speakers = None
        if request.speakers is not None:
            speakers = SpeakerRequest(self._speakers, request.speakers)
        transcribe = method_of(is_multichannel=request.is_multichannel)
        return await transcribe(
            self._transcriber,
            decoder,
            FileRequest(
                _source(request.path),
                id=uuid.uuid4().hex,
                options=request.options,
                speakers=speakers,
            ),
            chunk_slots=self._chunk_slots,
            on_progress=report,
        )


def _source(path: Path) -> Source:
    """Return the file as a source.

    Raises:
        RequestError: The file can't be read.
    """
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as exc:
        raise RequestError(f"can't be read: {exc.strerror or exc}") from exc
    return Source(str(path.absolute()))


async def _open_speakers(settings: Settings, final_workers: int) -> Mapping[str, Any]:
    """Return the workers of speakers, not started, if there are some.

    Raises:
        SetupError: The file of the setting is not a speaker model.
    """
    context = PoolContext(
        settings,
        ModelTable.of(settings.model),
        final_workers,
        False,
        CrashBudget.of(settings.queue),
        warn=lambda event, sentence: errors.print(sentence),
    )
    kinds = {kind: spec for kind, spec in find_kinds().items() if kind == "speakers"}
    return await open_workers(kinds, context)


class _WatchedDecoder:
    """A decoder that estimates the file's total length from its progress."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self.total_s = 0.0
        self.stats = decoder.stats
        self.aclose = decoder.aclose

    async def decode(
        self, source: Source, *, client: ClientId = ANONYMOUS
    ) -> AsyncIterator[Progress]:
        async for progress in self._decoder.decode(source, client=client):
            if progress.fraction > 0:
                self.total_s = progress.duration_samples / SAMPLE_RATE_HZ / progress.fraction
            yield progress
