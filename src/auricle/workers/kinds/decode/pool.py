"""DecodePool: a Decoder on local processes, the only ones that open untrusted audio files."""

import asyncio
import errno
import os
import time
from collections.abc import AsyncGenerator

import numpy as np

from auricle.config.environment import worker_environment
from auricle.config.sections.decode import DecodeSettings
from auricle.config.sections.queue import QueueSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.values.errors import AudioError, Draining, Overloaded
from auricle.values.transcriber import Progress
from auricle.values.types import ANONYMOUS, MAX_JOB_SAMPLES, SAMPLE_RATE_HZ, Chunk, ClientId, Source
from auricle.workers.crash_audio import CrashAudio
from auricle.workers.kinds.decode.messages import FROM_CHILD, StartDecode, StepDone
from auricle.workers.kinds.decode.schedule import (
    CPU_LIMIT_SIGNAL,
    RETRY_AFTER_S,
    DecodeSchedule,
    OpenFile,
)
from auricle.workers.poison import CrashBudget
from auricle.workers.pool import Pool
from auricle.workers.process.launch import Launch, confined_program, hard_limit_bytes
from auricle.workers.process.process import ProcessExit
from auricle.workers.wire import handover

CHILD = "auricle.workers.kinds.decode.child"


class DecodePool(Pool[OpenFile, StepDone]):
    """Decode audio files in worker processes; survive their crashes, hangs and memory growth.

    Args:
        worker: Number of decode workers, start budget and memory limits.
        decode: Limits on files.
        crash_audio: Where files that crash a worker are kept; ``None`` keeps none.
        crash_budget: Crash budget that poison files are charged to; ``None`` creates one for this
            pool.
        max_chunk_samples: Maximum audio of a job of the engine.
    """

    def __init__(
        self,
        worker: WorkerSettings,
        decode: DecodeSettings,
        crash_audio: CrashAudio | None = None,
        crash_budget: CrashBudget | None = None,
        max_chunk_samples: int = MAX_JOB_SAMPLES,
    ) -> None:
        self._crash_audio = crash_audio
        budget = crash_budget or CrashBudget.of(QueueSettings())
        size = worker.decode_workers
        self._schedule = DecodeSchedule(size, decode, budget, max_chunk_samples)
        start = StartDecode(
            max_samples=int(decode.max_audio_s * SAMPLE_RATE_HZ),
            hard_limit_bytes=hard_limit_bytes(worker),
            max_chunk_samples=max_chunk_samples,
            libopus=decode.libopus,
        )
        super().__init__(
            "decode",
            self._schedule,
            Launch(
                # Without file access: it is sent open files.
                program=lambda: confined_program(CHILD, worker, filter(None, [decode.libopus])),
                start_message=lambda _: start,
                environment=worker_environment(threads=1),
                answers=FROM_CHILD,
                gets_files=handover.is_available(),
            ),
            worker,
            size,
        )

    async def decode(
        self, source: Source, *, client: ClientId = ANONYMOUS
    ) -> AsyncGenerator[Progress]:
        """See :class:`auricle.values.transcriber.Decoder`."""
        if self._is_closed:
            raise Draining()
        file = self._schedule.open(source, client, time.monotonic())
        try:
            if handover.is_available():
                file.file = await _open(source.path)
            while True:
                step = await self.submit(file)
                chunk = None
                if step.pcm:
                    pcm = np.frombuffer(step.pcm, "<i2").astype(np.int16, copy=False)
                    chunk = Chunk(step.start_sample, pcm, step.voiced)
                if step.done:
                    self._forget(file)  # now: recognising the last chunk may take long
                yield Progress(
                    step.fraction, step.duration_samples, chunk, step.done, step.channels
                )
                if step.done:
                    return
        finally:
            self._forget(file)

    def keep_audio(
        self, worker: str, ticket: OpenFile, exit: ProcessExit, reason: str, *, is_poison: bool
    ) -> None:
        """Keep the file that crashed a worker, if the operator wants it."""
        if self._crash_audio is not None and exit.signal != CPU_LIMIT_SIGNAL:
            self._crash_audio.keep_file(
                worker,
                ticket.source,
                exit,
                reason,
                from_sample=ticket.from_sample,
                is_quarantined=is_poison,
            )

    # Internals.

    def _forget(self, file: OpenFile) -> None:
        """Drop a file and close it, here and in its worker; idempotent."""
        if self._schedule.close(file):
            self._deliver()
            if file.file is not None:
                os.close(file.file)


async def _open(path: str) -> int:
    opening = asyncio.get_running_loop().run_in_executor(None, handover.open_regular, path)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_opened)
        raise
    except OSError as exc:
        if exc.errno in (errno.EMFILE, errno.ENFILE):
            raise Overloaded("Too many files are open; try again later.", RETRY_AFTER_S) from exc
        raise AudioError("The file cannot be read.") from exc


def _close_opened(opening: "asyncio.Future[int]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        os.close(opening.result())
