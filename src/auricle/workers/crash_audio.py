"""Keep audio that crashes workers, for debugging; only if the operator enables it.

A job is kept if it was alone on a worker that crashed, hung or broke the protocol. Jobs of a batch
are not kept, because the cause is not known; they run alone next. Each job is stored as a WAV and a
JSON file of the same name that describes the crash; a file that crashed a decode worker is stored
unchanged. Names consist of the time and a random number, without data of the request. Prompts, hot
words and text are never stored.

The folder is bounded: new crashes, the relevant ones after an update, replace the oldest. One
thread writes all files; a failed write is logged without the error's message, and the crash is not
kept.
"""

import contextlib
import json
import os
import re
import secrets
import stat
import time
import wave
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, Self

import anyio
import structlog
from anyio import to_thread

from auricle.values.errors import SetupError
from auricle.values.types import SAMPLE_RATE_HZ, Job, Source
from auricle.workers.process.process import ProcessExit

MAX_KEPT = 50
MAX_BYTES = 200 * 10**6
MAX_FILE_BYTES = MAX_BYTES // 4
"""Larger uploads are not kept."""
MAX_WAITING = 8
CLOSE_LIMIT_S = 5.0
COPY_BYTES = 2**20

_NAME = re.compile(r"(crash-\d{8}T\d{6}Z-[0-9a-f]{8})\.(?:wav|bin|json)")

log = structlog.get_logger(__name__)


class CrashAudio:
    """A folder of crash audio; create it with :meth:`open`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="crash audio")
        self._waiting: set[Future[None]] = set()

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the folder; create it if it does not exist.

        Raises:
            SetupError: The folder is not writable, or other users can access it.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if os.name == "posix" and stat.S_IMODE(folder.stat().st_mode) & 0o077:
                raise SetupError(
                    f"AURICLE_KEEP_AUDIO: other users can access {folder}; run chmod 700 on it."
                )
            probe = folder / f".probe-{secrets.token_hex(4)}"
            _create(probe).close()
            probe.unlink()
        except OSError as exc:
            raise SetupError(
                f"AURICLE_KEEP_AUDIO: cannot write to {folder} ({exc.strerror})."
            ) from exc
        return cls(folder)

    def keep_job(
        self, worker: str, job: Job, exit: ProcessExit, reason: str, **details: object
    ) -> None:
        """Keep a job that was alone on a worker that died; returns immediately.

        Args:
            worker: Name of the worker.
            job: The job; of options that may contain speech only the length is stored.
            exit: How the worker exited.
            reason: Why it exited.
            details: Additional fields for the JSON.
        """
        options = job.options
        report = _report(worker, exit, reason) | {
            "job": job.id,
            "kind": job.kind.value,
            "samples": job.pcm.size,
            "language": options.language,
            "task": options.task.value,
            "beam_size": options.beam_size,
            "word_timestamps": options.word_timestamps,
            "is_partial": options.is_partial,
            "is_chunk": options.is_chunk,
            "sentence_times": options.sentence_times,
            "languages": options.languages,
            "strict_language": options.strict_language,
            "prompt_characters": len(options.initial_prompt or ""),
            "hotwords": len(options.hotwords),
            "prefix_tokens": len(options.prefix_tokens),
            **details,
        }

        def write(file: BinaryIO) -> None:
            with wave.open(file, "wb") as recording:
                recording.setnchannels(1)
                recording.setsampwidth(2)
                recording.setframerate(SAMPLE_RATE_HZ)
                recording.writeframes(job.pcm.astype("<i2", copy=False).tobytes())

        self._submit(report, "wav", job.pcm.nbytes, write)

    def keep_file(
        self, worker: str, source: Source, exit: ProcessExit, reason: str, **details: object
    ) -> None:
        """Keep a file that a decode worker was reading when it died; returns immediately."""
        report = _report(worker, exit, reason) | {
            "audio_format": source.audio_format,
            "sample_rate_hz": source.sample_rate_hz,
            "opus_packet_bytes": source.opus_packet_bytes,
            **details,
        }
        try:
            upload = Path(source.path).open("rb")  # noqa: SIM115  # its request may end earlier
            size_bytes = os.fstat(upload.fileno()).st_size
        except OSError:
            return
        report["bytes"] = size_bytes

        def write(file: BinaryIO) -> None:
            with upload:
                while chunk := upload.read(COPY_BYTES):
                    file.write(chunk)

        if size_bytes > MAX_FILE_BYTES or not self._submit(report, "bin", size_bytes, write):
            upload.close()

    async def aclose(self) -> None:
        """Wait up to ``CLOSE_LIMIT_S`` for pending writes."""
        with anyio.move_on_after(CLOSE_LIMIT_S):
            await to_thread.run_sync(self._writer.shutdown, abandon_on_cancel=True)

    def _submit(
        self,
        report: dict[str, Any],
        ending: str,
        size_bytes: int,
        write: Callable[[BinaryIO], None],
    ) -> bool:
        self._waiting = {future for future in self._waiting if not future.done()}
        if len(self._waiting) >= MAX_WAITING:
            log.warning("crash_audio_not_kept", error="too many at once")
            return False
        self._waiting.add(self._writer.submit(self._keep, report, ending, size_bytes, write))
        return True

    def _keep(
        self,
        report: dict[str, Any],
        ending: str,
        size_bytes: int,
        write: Callable[[BinaryIO], None],
    ) -> None:
        """Write both files, or neither; runs in the writer thread."""
        name = f"crash-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(4)}"
        audio, words = self._folder / f"{name}.{ending}", self._folder / f"{name}.json"
        try:
            self._make_room(size_bytes)
            with _create(audio) as file:
                write(file)
            with _create(words) as file:
                file.write(json.dumps(report, indent=2).encode())
        except OSError as exc:
            for path in (audio, words):
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
            log.warning("crash_audio_not_kept", error=type(exc).__name__)
            return
        log.warning("crash_audio_kept", file=audio.name)

    def _make_room(self, size_bytes: int) -> None:
        """Remove the oldest crashes until one more fits."""
        kept: dict[str, list[Path]] = {}
        for path in sorted(self._folder.iterdir()):
            if match := _NAME.fullmatch(path.name):
                kept.setdefault(match[1], []).append(path)
        sizes = {name: sum(p.lstat().st_size for p in paths) for name, paths in kept.items()}
        while kept and (len(kept) >= MAX_KEPT or sum(sizes.values()) + size_bytes > MAX_BYTES):
            oldest = min(kept)
            for path in kept.pop(oldest):
                path.unlink(missing_ok=True)
            del sizes[oldest]


def _report(worker: str, exit: ProcessExit, reason: str) -> dict[str, Any]:
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "auricle": version("auricle"),
        "worker": worker,
        "reason": reason,
        "signal": exit.signal,
        "code": exit.code,
        "frames": list(exit.stack),
    }


def _create(path: Path) -> BinaryIO:
    """Create a file that only its owner may read; it must not exist yet."""
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, 0o600), "wb")
