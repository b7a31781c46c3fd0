"""Background jobs of a running server: upload files, follow and cancel jobs.

If the server is full, requests are retried after its ``Retry-After``. If it is unreachable, they
are retried until it returns.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import anyio
import httpx2 as httpx
import msgspec

from auricle.cli.support.progress import OnProgress
from auricle.cli.support.server import (
    TIMEOUT,
    Refusal,
    ReportedError,
    certificate_errors,
    checked_url,
    decoded,
    key_header,
    unreachable,
)
from auricle.config.settings import ClientSettings
from auricle.errors import NotFound, RequestError
from auricle.files.transcribe import FileTranscript
from auricle.types import (
    SAMPLE_RATE_HZ,
    Gap,
    Options,
    Segment,
    Speaker,
    SpeakerOptions,
    Transcript,
    Word,
)

POLL_S = 0.3
CHUNK_BYTES = 256 * 1024
PATIENCE_S = 900.0
"""Time for which requests to a full or unreachable server are retried, in seconds."""
UNREACHABLE_RETRY_S = 1.0
CANCEL_LIMIT_S = 3.0


class _Speaker(msgspec.Struct):
    speaker: int
    name: str | None = None


class _Word(msgspec.Struct):
    start: float
    end: float
    word: str
    probability: float
    speaker: int | None = None
    speaker_confidence: float | None = None


class _Segment(msgspec.Struct):
    start: float
    end: float
    text: str
    words: list[_Word] | None = None
    language: str | None = None
    speaker: int | None = None
    channel: int | None = None


class _Result(msgspec.Struct):
    text: str
    language: str | None
    language_probability: float
    duration_ms: int
    segments: list[_Segment]
    attempts: int = 1
    error: ReportedError | None = None
    speakers: tuple[_Speaker, ...] = ()
    warnings: tuple[str, ...] = ()


class _Job(msgspec.Struct):
    state: str
    progress: float
    result: _Result | None = None
    error: ReportedError | None = None


class RemoteJobs:
    """A client of ``/utterance`` and ``/jobs``; use it as a context manager.

    Args:
        url: The server's URL.
        settings: The settings with the key.

    Raises:
        SetupError: The URL or the certificates can't be used.
    """

    def __init__(self, url: str, settings: ClientSettings) -> None:
        self._url = checked_url(url)
        with certificate_errors():
            self._http = httpx.AsyncClient(
                base_url=self._url, headers=key_header(settings), timeout=TIMEOUT
            )

    async def __aenter__(self) -> Self:
        """Check that the server answers.

        Raises:
            SetupError: The server does not answer, or its certificate can't be verified.
        """
        try:
            (await self._http.get("/livez")).raise_for_status()
        except httpx.HTTPError as exc:
            await self._http.aclose()
            raise unreachable(self._url, exc) from exc
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def submit(
        self,
        path: Path,
        options: Options,
        job_id: str,
        callback_url: str | None = None,
        speakers: SpeakerOptions | None = None,
        *,
        is_multichannel: bool = False,
    ) -> None:
        """Upload a file as a job with this id; it continues on the server.

        Args:
            path: The file.
            options: Options of its transcription.
            job_id: Id of the job.
            callback_url: Where the server sends the job when it has ended.
            speakers: What is known of the speakers; ``None`` if they are not requested.
            is_multichannel: Whether channels are transcribed apart.

        Raises:
            RequestError: The file can't be read, or the server rejected it or failed.
        """
        size_bytes = _readable_bytes(path)
        query = {"job_id": job_id, "wait": "0", **_query(options, speakers)}
        if is_multichannel:
            query["multichannel"] = "true"
        if callback_url is not None:
            query["callback_url"] = callback_url
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(size_bytes),
        }
        await self._send("POST", "/utterance", params=query, headers=headers, upload=path)

    async def follow(self, job_id: str, on_progress: OnProgress) -> FileTranscript:
        """Return a job's transcript once it has ended.

        Raises:
            NotFound: The server doesn't know the job.
            RequestError: The job failed, or the server rejected the request or failed.
        """
        while True:
            response = await self._send("GET", f"/jobs/{quote(job_id, safe='')}")
            job = decoded(response, _Job)
            on_progress(job.progress, 0.0)
            if job.result is not None:
                return _transcript(job.result)
            if job.error is not None:
                raise RequestError(f"{job.error.message} ({job.error.code})")
            if job.state not in ("queued", "running"):
                raise RequestError(f"the job was {job.state} on the server")
            await anyio.sleep(POLL_S)

    async def _send(
        self, method: str, path: str, *, upload: Path | None = None, **arguments: Any
    ) -> httpx.Response:
        """Send a request, and retry while the server is full or unreachable.

        Raises:
            NotFound: The server doesn't know the job.
            RequestError: The server rejected the request, or was unavailable for too long.
        """
        deadline_at = anyio.current_time() + PATIENCE_S
        while True:
            content = None if upload is None else _chunks(upload)
            try:
                response = await self._http.request(method, path, content=content, **arguments)
            except httpx.TransportError as exc:
                problem, pause_s = (
                    f"the server is unreachable ({type(exc).__name__})",
                    UNREACHABLE_RETRY_S,
                )
            else:
                if response.is_success:
                    return response
                error = decoded(response, Refusal).error
                if error.code == NotFound.code:
                    raise NotFound(error.message)
                problem, pause_s = f"{error.message} ({error.code})", error.retry_after_s or 0
                if not error.retryable or not pause_s:
                    raise RequestError(problem)
            if anyio.current_time() + pause_s > deadline_at:
                raise RequestError(problem)
            await anyio.sleep(pause_s)

    async def cancel(self, job_id: str) -> None:
        """Cancel or delete a job; ignore errors, since the server may be unreachable."""
        with anyio.move_on_after(CANCEL_LIMIT_S, shield=True):
            try:
                await self._http.delete(f"/jobs/{job_id}")
            except httpx.HTTPError:
                return


def _readable_bytes(path: Path) -> int:
    """Return the size of a file.

    Raises:
        RequestError: It can't be read.
    """
    try:
        path.open("rb").close()
        return path.stat().st_size
    except OSError as exc:
        raise RequestError(f"can't be read: {exc.strerror or exc}") from exc


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    async with await anyio.open_file(path, "rb") as file:
        while chunk := await file.read(CHUNK_BYTES):
            yield chunk


def _query(options: Options, speakers: SpeakerOptions | None) -> dict[str, str]:
    number = None if speakers is None else speakers.num_speakers
    fields = {
        "model": options.model or None,
        "language": options.language,
        "languages": ",".join(options.languages) or None,
        "task": options.task.value,
        "beam_size": str(options.beam_size),
        "initial_prompt": options.initial_prompt,
        "hotwords": ",".join(options.hotwords) or None,
        "word_timestamps": "true" if options.word_timestamps else None,
        "speakers": None if speakers is None else "true",
        "num_speakers": None if number is None else str(number),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _transcript(result: _Result) -> FileTranscript:
    gaps = result.error.gaps if result.error is not None else []
    return FileTranscript(
        Transcript(
            text=result.text,
            language=result.language,
            language_probability=result.language_probability,
            duration_samples=_samples(result.duration_ms / 1000),
            segments=tuple(_segment(segment) for segment in result.segments),
            attempts=result.attempts,
            speakers=tuple(Speaker(each.speaker, each.name) for each in result.speakers),
        ),
        tuple(Gap(_samples(gap.start), _samples(gap.end), gap.code) for gap in gaps),
        result.warnings,
    )


def _segment(segment: _Segment) -> Segment:
    words = None
    if segment.words is not None:
        words = tuple(map(_word, segment.words))
    start, end = _samples(segment.start), _samples(segment.end)
    return Segment(
        start,
        end,
        segment.text,
        words,
        language=segment.language,
        speaker=segment.speaker,
        channel=segment.channel,
    )


def _word(word: _Word) -> Word:
    return Word(
        _samples(word.start),
        _samples(word.end),
        word.word,
        word.probability,
        speaker=word.speaker,
        speaker_confidence=word.speaker_confidence,
    )


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE_HZ)
