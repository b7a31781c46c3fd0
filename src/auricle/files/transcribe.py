"""Transcribe a whole file: chunks of speech become file jobs, their results one transcript.

Chunks are recognised in parallel, as many as there are slots, and merged in order with their times
shifted to the file's. Reading waits while all slots are in use, so that a file of any length needs
the memory of a few chunks. The only I/O here is that of the reader and the transcriber.

**Short files** are cut like long ones: at pauses of 0.8 s and more (docs/decisions/035). If a
client waits for the result, their chunks are finals. The first 30 s are therefore held until it is
known whether the file is longer.

**Language.** Without a requested language, each chunk's language is detected. In the order of the
chunks, those below ``SURE_PROBABILITY`` are recognised again if their neighbours are in another
language (:class:`auricle.files.assemble.FileLanguages`). A file may thus contain several languages,
and the text does not depend on which chunk is done first.

**Speakers.** If requested, the voices of each chunk are embedded while it is recognised; the
speakers are found at the end (:class:`auricle.values.speakers.FileSpeakers`).

**Overload.** An accepted file never fails because of other requests: a refused chunk waits for the
delay given in the refusal and is submitted again. Only a server that shuts down ends it.

**Loss.** A chunk that cannot be recognised (it crashes the engine, or the engine refuses it) leaves
a reported gap in the transcript. The file fails only if all its chunks fail.
"""

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Protocol, Self

import anyio
from anyio.abc import TaskGroup

from auricle.files.assemble import (
    ChunkSlot,
    FileLanguages,
    FileProgress,
    FileTranscript,
    OnProgress,
    TranscriptAssembler,
)
from auricle.files.fair_semaphore import FairSemaphore
from auricle.system.groups import first_error
from auricle.text.filters.registry import open_filters
from auricle.values.errors import (
    AudioError,
    Draining,
    ModelUnavailable,
    Overloaded,
    PoisonJob,
    RateLimited,
    Superseded,
)
from auricle.values.speakers import FileSpeakers, SpeakerRequest
from auricle.values.text_filters import FilterChoice
from auricle.values.transcriber import Progress, Reader, Transcriber
from auricle.values.types import (
    ANONYMOUS,
    MAX_JOB_SAMPLES,
    Chunk,
    ClientId,
    Job,
    JobId,
    JobKind,
    Options,
    Source,
    Transcript,
)

__all__ = [
    "FileProgress",
    "FileRequest",
    "FileTranscript",
    "FinishedChunks",
    "OnProgress",
    "max_chunks_in_flight",
    "chunk_semaphore",
    "transcribe_file",
]

MAX_SHORT_SAMPLES = MAX_JOB_SAMPLES
"""Maximum length of a short file; a client that waits for one gets finals."""

SPARE_CHUNKS = 12
"""Queued chunks besides those that run, so that a batch finds chunks of similar length."""
MAX_IN_FLIGHT = 64

SHED_PAUSE_S = 1.0
"""Delay before a chunk that was shed is submitted again."""


@dataclass(frozen=True, slots=True)
class FileRequest:
    """Options for one file.

    Attributes:
        source: Where the file is.
        id: ID of the file; chunks have the IDs ``id:0``, ``id:1``… Unique among those in flight.
        options: Options that may change the text.
        client: The client whose share of the queue is used.
        trace_id: Logged together with the ID.
        condition_on_previous_text: Use the text before each chunk as its prompt; chunks then run
            one by one.
        is_urgent: A client waits: the chunks of a short file run as finals, not as file jobs.
        max_wait_s: The deadline of such finals, and of waiting for a busy decoder.
        reservation: Queue room reserved for the first of them.
        reports_refusal: A refusal of the first of them is reported, not retried as a file job.
        speakers: How to find the speakers; ``None``: they are not requested.
        filters: Text filters for the transcript; its progress then has no text.
    """

    source: Source
    id: str
    options: Options = Options()
    client: ClientId = ANONYMOUS
    trace_id: str = ""
    condition_on_previous_text: bool = False
    is_urgent: bool = False
    max_wait_s: float | None = None
    reservation: str | None = None
    reports_refusal: bool = False
    speakers: SpeakerRequest | None = None
    filters: tuple[FilterChoice, ...] = ()


def chunk_semaphore(workers: int, batch_jobs: int) -> FairSemaphore:
    """Return the limit on chunks in flight, to be shared by all files of one service."""
    return FairSemaphore(max_chunks_in_flight(workers, batch_jobs))


def max_chunks_in_flight(workers: int, batch_jobs: int) -> int:
    """Return the number of chunks that keeps the workers busy with full batches.

    Args:
        workers: Number of workers.
        batch_jobs: Number of jobs that a worker decodes together.
    """
    return min(MAX_IN_FLIGHT, batch_jobs * max(1, workers) + SPARE_CHUNKS)


class FinishedChunks(Protocol):
    """Keeps the results of chunks, so that an interrupted file continues where it was.

    A chunk is found again by what its text depends on: the job's audio and options.
    """

    def find(self, job: Job) -> Transcript | None:
        """Return the result of a chunk that was finished earlier, or ``None``."""
        ...

    async def store(self, job: Job, transcript: Transcript) -> None:
        """Store the result of a chunk."""
        ...


async def transcribe_file(
    transcriber: Transcriber,
    decoder: Reader,
    request: FileRequest,
    *,
    chunk_slots: FairSemaphore,
    on_progress: OnProgress | None = None,
    finished: FinishedChunks | None = None,
) -> FileTranscript:
    """Return the text of a whole file; cancelling the call cancels its jobs and the reading.

    Args:
        transcriber: Recognises the chunks.
        decoder: Finds the chunks.
        request: The file and its options.
        chunk_slots: From :func:`chunk_semaphore`.
        on_progress: Called in the event loop whenever there is more text or a chunk is submitted.
        finished: Results of an earlier attempt, and where those of this one are stored.

    Raises:
        AuricleError: Any error of the decoder for this file; ``Draining`` and ``ModelUnavailable``;
            for a short file whose client waits also ``DeadlineExceeded``; and the first chunk's
            error if all failed.
    """
    if request.filters:  # those of a large vocabulary take a second, once
        await anyio.to_thread.run_sync(open_filters, request.filters)
    work = _FileWork(transcriber, request, chunk_slots, on_progress, finished)
    try:
        async with contextlib.aclosing(_Reading(decoder, request)) as reading:
            return await work.run(reading)
    except BaseExceptionGroup as group:  # an anyio group wraps even a single failure
        raise first_error(group) from group


class _Reading:
    """The decoder's iterator, with the time spent waiting for it.

    A decoder that is busy before its first result is retried: without limit if the file was
    accepted, until the deadline if a client waits.
    """

    def __init__(self, decoder: Reader, request: FileRequest) -> None:
        self._decoder = decoder
        self._source, self._client = request.source, request.client
        self._patience_s = request.max_wait_s if request.is_urgent else None
        self._iterator = self._open()
        self._has_begun = self._is_done = False
        self.waited_s = 0.0

    def _open(self) -> AsyncIterator[Progress]:
        return self._decoder.decode(self._source, client=self._client)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Progress:
        if self._is_done:
            raise StopAsyncIteration
        began_at = time.perf_counter()
        progress = await self._next()
        self.waited_s += time.perf_counter() - began_at
        self._has_begun, self._is_done = True, progress.done
        return progress

    async def _next(self) -> Progress:
        asked_at = time.perf_counter()
        while True:
            try:
                return await anext(self._iterator)
            except Overloaded as error:
                again_at_s = time.perf_counter() + error.retry_after_s - asked_at
                is_too_late = self._patience_s is not None and again_at_s > self._patience_s
                if isinstance(error, Draining) or self._has_begun or is_too_late:
                    raise
                await anyio.sleep(error.retry_after_s)
                self._iterator = self._open()

    async def aclose(self) -> None:
        close = getattr(self._iterator, "aclose", None)
        if close is not None:
            await close()


@dataclass(frozen=True, slots=True, eq=False)
class _SlottedChunk:
    """A chunk and its slot; only the slot is kept after the chunk is done: files can be long."""

    slot: ChunkSlot
    chunk: Chunk
    kind: JobKind = JobKind.FILE


class _FileWork:
    """The state of one file while it is transcribed."""

    def __init__(
        self,
        transcriber: Transcriber,
        request: FileRequest,
        chunk_slots: FairSemaphore,
        on_progress: OnProgress | None,
        finished: FinishedChunks | None,
    ) -> None:
        self._transcriber = transcriber
        self._finished = finished
        self._request = request
        self._chunk_slots = chunk_slots
        self._filters = open_filters(request.filters)
        self._speakers: FileSpeakers | None = None
        if (found := request.speakers) is not None:
            max_wait_s = request.max_wait_s if request.is_urgent else None
            self._speakers = found.speakers.label_file(
                request.id, request.client, max_wait_s, found.options, found.known
            )
        self._assembler = TranscriptAssembler(
            _without_text(on_progress) if request.filters else on_progress,
            keep_words=request.options.word_timestamps or request.speakers is not None,
        )
        self._languages = FileLanguages(request.options.language)
        # Chunks whose language is detected: results that wait for those of earlier chunks, and
        # undecided results with the language of their transcript.
        self._transcribed: dict[int, tuple[_SlottedChunk, Transcript | None]] = {}
        self._unsure: dict[int, tuple[_SlottedChunk, str | None]] = {}
        self._next_index = 0
        self._in_slot: set[_SlottedChunk] = set()
        # Chunks that are being recognised to detect their language.
        self._detecting: set[_SlottedChunk] = set()
        self._changed = anyio.Event()
        self._started = 0

    async def run(self, reading: _Reading) -> FileTranscript:
        duration_samples = 0
        # The chunks of a file that may be short; ``None`` once they need not be withheld.
        withheld: list[_SlottedChunk] | None = [] if self._request.is_urgent else None
        try:
            async with anyio.create_task_group() as tasks:
                async for progress in reading:
                    duration_samples = progress.duration_samples
                    if withheld is not None and duration_samples > MAX_SHORT_SAMPLES:
                        self._release_reservation()
                        for item in withheld:
                            await self._start(tasks, item)
                        withheld = None
                    if progress.chunk:
                        item = self._item(progress.chunk, progress.fraction)
                        if withheld is None:
                            await self._start(tasks, item)
                        else:
                            withheld.append(item)
                for item in withheld or ():
                    await self._start(tasks, replace(item, kind=JobKind.FINAL))
            await self._correct(self._languages.close())
        finally:
            for _ in self._in_slot:  # those of tasks that were cancelled before their first step
                self._chunk_slots.leave(self._request.client)
        result = self._assembler.result(duration_samples, reading.waited_s, self._languages)
        if self._speakers is not None:
            assign = self._speakers.assign
            transcript, warnings = await anyio.to_thread.run_sync(assign, result.transcript)
            warnings = (*result.warnings, *warnings)
            result = replace(result, transcript=transcript, warnings=warnings)
        if self._request.filters:  # slow for hours of speech
            filtered = await anyio.to_thread.run_sync(self._filters.transcript, result.transcript)
            result = replace(result, transcript=filtered)
        if self._speakers is None or self._request.options.word_timestamps:
            return result
        return result.without_words()

    def _release_reservation(self) -> None:
        """Release the reservation of a file that turned out to be long."""
        if self._request.reservation is not None:
            self._transcriber.release(self._request.reservation)

    def _item(self, chunk: Chunk, fraction: float) -> _SlottedChunk:
        slot = ChunkSlot.of(self._started, chunk, fraction)
        self._started += 1
        return _SlottedChunk(slot, chunk)

    async def _start(self, tasks: TaskGroup, item: _SlottedChunk) -> None:
        """Start a chunk in parallel, or run it now if the next one depends on its text."""
        while len(self._detecting) + len(self._transcribed) >= MAX_IN_FLIGHT:
            await self._changed.wait()
        if item.kind is JobKind.FILE:
            await self._chunk_slots.enter(self._request.client)
            self._in_slot.add(item)
        if self._languages.requested is None:
            self._detecting.add(item)
            self._assembler.mark_uncertain(item.slot.index)
        self._assembler.mark_submitted(item.slot)
        if self._request.condition_on_previous_text:
            await self._run(item)
        else:
            tasks.start_soon(self._run, item)

    async def _run(self, item: _SlottedChunk) -> None:
        try:
            async with anyio.create_task_group() as tasks:
                if self._speakers is not None:
                    tasks.start_soon(self._speakers.add, item.chunk)
                transcript = await self._recognise(item)
            if item in self._detecting:
                self._detecting.discard(item)
                self._transcribed[item.slot.index] = (item, transcript)
                await self._correct(self._decide())
        finally:
            self._detecting.discard(item)
            if item in self._in_slot:
                self._in_slot.discard(item)
                self._chunk_slots.leave(self._request.client)
            self._changed.set()
            self._changed = anyio.Event()

    def _decide(self) -> list[tuple[int, str | None]]:
        """Process results in the order of the chunks, so that their completion order is irrelevant.

        Returns:
            The chunks that are now decided, with their languages.
        """
        decided: list[tuple[int, str | None]] = []
        while self._next_index in self._transcribed:
            index = self._next_index
            item, transcript = self._transcribed.pop(index)
            self._next_index += 1
            self._unsure[index] = (item, transcript.language if transcript else None)
            decided += self._languages.add(index, transcript, item.slot.audio_s)
        return decided

    async def _correct(self, decided: list[tuple[int, str | None]]) -> None:
        """Recognise again the chunks that were decoded in another language than decided."""
        for index, language in decided:
            item, decoded_as = self._unsure.pop(index)
            if language is not None and language != decoded_as:
                await self._recognise(item, language)
            self._assembler.mark_final(index)

    async def _recognise(
        self, item: _SlottedChunk, language: str | None = None
    ) -> Transcript | None:
        """Return a chunk's transcript, or ``None`` if it left a gap; it has a slot already."""
        try:
            transcript = await self._submit(item, language)
        except (AudioError, PoisonJob) as error:
            self._assembler.add(item.slot, error)
            return None
        self._assembler.add(item.slot, transcript)
        return transcript

    async def _submit(self, item: _SlottedChunk, language: str | None) -> Transcript:
        kind = item.kind
        while True:
            try:
                return await self._transcribe(self._job(item, kind, language))
            except (Draining, ModelUnavailable):
                raise
            except (Overloaded, RateLimited) as error:
                if kind is JobKind.FINAL:  # it had no reservation; there is a slot
                    if self._request.reports_refusal and item.slot.index == 0:
                        raise
                    kind = JobKind.FILE
                else:
                    await anyio.sleep(error.retry_after_s)
            except Superseded:
                await anyio.sleep(SHED_PAUSE_S)

    async def _transcribe(self, job: Job) -> Transcript:
        """Return a chunk's transcript, from an earlier attempt if there is one."""
        if self._finished is None:
            return await self._transcriber.transcribe(job)
        if (transcript := self._finished.find(job)) is None:
            transcript = await self._transcriber.transcribe(job)
            await self._finished.store(job, transcript)
        return transcript

    def _job(self, item: _SlottedChunk, kind: JobKind, language: str | None) -> Job:
        request, is_final = self._request, kind is JobKind.FINAL
        options = replace(
            request.options,
            language=language or request.options.language,
            is_chunk=True,
            word_timestamps=request.options.word_timestamps
            or request.options.sentence_times
            or request.speakers is not None,
        )
        if request.condition_on_previous_text:
            prompt = self._assembler.prompt(item.slot.index, options.initial_prompt)
            options = replace(options, initial_prompt=prompt)
        return Job(
            id=JobId(f"{request.id}:{item.slot.index}"),
            pcm=item.chunk.pcm,
            options=options,
            kind=kind,
            client=request.client,
            max_wait_s=request.max_wait_s if is_final else None,
            reservation=request.reservation if is_final else None,
            trace_id=request.trace_id,
        )


def _without_text(on_progress: OnProgress | None) -> OnProgress | None:
    if on_progress is None:
        return None
    return lambda progress: on_progress(replace(progress, text="", stable_text=""))
