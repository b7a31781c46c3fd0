"""The asynchronous client of a server."""

import contextlib
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self, Unpack

from auricle.client.api import calls
from auricle.client.api.audio import Audio, AudioInput, open_audio
from auricle.client.api.calls import ExportFormat, Moment
from auricle.client.api.connection import Connection
from auricle.client.api.http import AsyncTransport, Transport
from auricle.client.api.options import JobOptions, TranscribeOptions
from auricle.client.api.polling import Polls, event_of
from auricle.client.api.results import (
    Job,
    JobState,
    JobSummary,
    KeptTranscript,
    LiveSession,
    Match,
    Token,
    Transcript,
    TranscriptSummary,
)
from auricle.client.api.transport import PATIENCE_S, TIMEOUT_S
from auricle.values.errors import AuricleError, NotFound, Unreachable

if TYPE_CHECKING:
    from auricle.client.api.live_options import LiveOptions
    from auricle.client.live import LiveClient

OnJob = Callable[[Job], object]
DEFAULT_URL = "http://127.0.0.1:6007"
MAX_UPLOADS = 3
"""A server that has lost its state directory gets the recording again."""


class AsyncClient:
    """A client of a server; use it as a context manager, or call :meth:`aclose`.

    ::

        async with AsyncClient("http://127.0.0.1:6007") as client:
            print((await client.transcribe("talk.mp3")).text)

    Tasks of one event loop may share a client. A busy or restarting server is asked again after its
    ``Retry-After``; a server that has never answered is not.

    Args:
        url: The base URL of the server.
        api_key: The API key or a token, if the server requires one.
        timeout_s: Longest silence of the server within a request, in seconds.
        patience_s: Time for which a failed request is repeated, in seconds.

    Attributes:
        jobs: Background jobs.
        transcripts: Kept transcripts.
        sessions: Live sessions and their readers.

    Raises:
        SetupError: The URL, the key or the certificates can't be used.
    """

    _transport: ClassVar[type[Transport]] = AsyncTransport

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout_s: float = TIMEOUT_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._api_key = api_key
        self._connection = Connection(
            calls.base_url(url),
            api_key,
            timeout_s=timeout_s,
            patience_s=patience_s,
            transport=self._transport,
        )
        self.jobs = AsyncJobs(self._connection)
        self.transcripts = AsyncTranscripts(self._connection)
        self.sessions = AsyncSessions(self._connection)

    @property
    def url(self) -> str:
        """The base URL of the server, without a trailing slash."""
        return self._connection.url

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._connection.aclose()

    async def transcribe(
        self,
        audio: AudioInput,
        *,
        on_progress: OnJob | None = None,
        **options: Unpack[TranscribeOptions],
    ) -> Transcript:
        """Return the transcript of a recording.

        A recording of more than 1 MB is sent as a job, which survives lost connections and restarts
        of the server. The job is deleted from the server once its transcript has arrived.

        Args:
            audio: A path, the content of a file, or a file opened in binary mode.
            on_progress: Called with the job about once a second, if there is one.
            options: As in :class:`TranscribeOptions`.

        Raises:
            AuricleError: The recording can't be read or transcribed, or the server rejected the
                request or was unavailable for too long.
        """
        recording = open_audio(audio)
        if recording.size_bytes <= calls.MAX_DIRECT_BYTES:
            return await self._connection.send(calls.transcribe(recording, options))
        return await self._transcribe_as_job(recording, on_progress, options)

    async def _transcribe_as_job(
        self, recording: Audio, on_progress: OnJob | None, options: TranscribeOptions
    ) -> Transcript:
        for uploads in range(1, MAX_UPLOADS + 1):
            job_id = uuid.uuid4().hex
            create = calls.create_job(recording, job_id, options)
            try:
                await self._connection.send(create)
                try:
                    return await self.jobs.wait(job_id, on_progress=on_progress)
                except NotFound:  # the server has lost the job with its state directory
                    if uploads == MAX_UPLOADS:
                        raise
            finally:
                limit_s = calls.CLEANUP_LIMIT_S
                with (
                    contextlib.suppress(AuricleError),
                    self._connection.transport.cleanup(limit_s),
                ):
                    await self._connection.send(calls.delete_job(job_id, limit_s), patience_s=0)
        raise AssertionError("unreachable")

    async def create_token(self, ttl_s: int = 60) -> Token:
        """Create a token that replaces the key for a while, for a page.

        Args:
            ttl_s: How long it is accepted, 1 to 3600 seconds.

        Raises:
            AuricleError: The server rejected the request or was unavailable for too long.
        """
        return await self._connection.send(calls.create_token(ttl_s))

    def live(self, **options: Unpack["LiveOptions"]) -> "LiveClient":
        """Return a live stream; use it as an asynchronous context manager.

        Args:
            options: As in :class:`LiveOptions`.

        Raises:
            BadRequest: A parameter is invalid.
        """
        from auricle.client.api.live_options import stream_parameters
        from auricle.client.live import LiveClient  # loads NumPy

        return LiveClient(self.url, stream_parameters(options), api_key=self._api_key)


class AsyncJobs:
    """Background jobs of a server: ``client.jobs``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(self, audio: AudioInput, **options: Unpack[JobOptions]) -> Job:
        """Upload a recording as a job; the server has accepted it when this returns.

        Args:
            audio: A path, the content of a file, or a file opened in binary mode.
            options: As in :class:`JobOptions`. Without ``job_id``, a random one is used.

        Raises:
            AuricleError: The recording can't be read, or the server rejected it or was unavailable
                for too long.
        """
        job_id = options.pop("job_id", None) or uuid.uuid4().hex
        return await self._connection.send(calls.create_job(open_audio(audio), job_id, options))

    async def get(self, job_id: str) -> Job:
        """Return a job with its state, progress and text so far.

        Raises:
            NotFound: There is no such job.
        """
        return await self._connection.send(calls.get_job(job_id))

    async def wait(
        self, job_id: str, *, timeout_s: float | None = None, on_progress: OnJob | None = None
    ) -> Transcript:
        """Return a job's transcript once it has ended.

        A server that does not answer is waited for, even at the first request: since there is a
        job, there is a server, which may be restarting.

        Args:
            job_id: ID of the job.
            timeout_s: Longest wait, in seconds; ``None``: any time.
            on_progress: Called with the job about once a second.

        Raises:
            DeadlineExceeded: The job has not ended in time; it continues on the server.
            AuricleError: The job failed or was cancelled, or the server doesn't know it or was
                unavailable for too long or until the timeout.
        """
        polls = Polls(timeout_s, time.monotonic())
        while True:
            patience_s = polls.left_s(time.monotonic())
            job = await self._connection.send(
                calls.get_job(job_id), patience_s=patience_s, is_known=True
            )
            if on_progress is not None:
                on_progress(job)
            if job.has_ended:
                return job.transcript
            await self._connection.transport.sleep(polls.next_delay_s(job, time.monotonic()))

    async def events(self, job_id: str) -> AsyncGenerator[Job, None]:
        """Iterate over the states of a job, until it has ended; survives lost connections.

        Raises:
            AuricleError: The server doesn't know the job, or was unavailable for too long.
        """
        path = calls.job_events_path(job_id)
        retries = self._connection.retries(is_known=True)  # as in wait()
        while True:
            failure: AuricleError = Unreachable("The stream of events ended early.")
            try:
                async with contextlib.aclosing(self._connection.lines(path)) as lines:
                    async for line in lines:
                        if (job := event_of(line)) is None:
                            continue
                        retries = self._connection.retries()
                        yield job
                        if job.has_ended:
                            return
            except AuricleError as error:
                failure = error
            await self._connection.sleep(retries, failure)

    def list(self, *states: JobState, limit: int = 100) -> AsyncGenerator[JobSummary, None]:
        """Iterate over the jobs of the key, the newest first.

        Args:
            states: Only jobs in these states.
            limit: Maximum number of jobs.

        Raises:
            AuricleError: The server rejected the request or was unavailable for too long.
        """
        return self._connection.items(calls.list_jobs(states), limit)

    async def delete(self, job_id: str) -> Job:
        """Cancel a job that is queued or running, or delete one that has ended with its text.

        Raises:
            NotFound: There is no such job.
        """
        return await self._connection.send(calls.delete_job(job_id))


class AsyncTranscripts:
    """Transcripts that a server keeps: ``client.transcripts``.

    It keeps them only with ``AURICLE_KEEP_TRANSCRIPTS=1``; otherwise all methods raise
    ``NotFound``. They need the key: tokens are refused.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(
        self,
        *,
        language: str | None = None,
        source: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        limit: int = 100,
    ) -> AsyncGenerator[TranscriptSummary, None]:
        """Iterate over the kept transcripts of the key, the newest first.

        Args:
            language: Only this language.
            source: Only this API, such as ``native`` or ``job``.
            since: Only those that started then or later.
            until: Only those that started then or earlier.
            limit: Maximum number of transcripts.

        Raises:
            AuricleError: The server rejected the request or was unavailable for too long.
        """
        filter = calls.transcript_filter(language, source, since, until)
        return self._connection.items(calls.list_transcripts(filter), limit)

    def search(
        self,
        words: str,
        *,
        language: str | None = None,
        source: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        limit: int = 100,
    ) -> AsyncGenerator[Match, None]:
        """Iterate over segments that contain all words, the newest first.

        Args:
            words: Words, separated by spaces; in any order and case.
            language: As for :meth:`list`.
            source: As for :meth:`list`.
            since: As for :meth:`list`.
            until: As for :meth:`list`.
            limit: Maximum number of segments.

        Raises:
            AuricleError: The server rejected the request or was unavailable for too long.
        """
        filter = calls.transcript_filter(language, source, since, until)
        return self._connection.items(calls.search_transcripts(words, filter), limit)

    async def get(self, transcript_id: str) -> KeptTranscript:
        """Return a transcript with its segments.

        Raises:
            NotFound: There is no such transcript.
        """
        return await self._connection.send(calls.get_transcript(transcript_id))

    async def export(self, transcript_id: str, format: ExportFormat = "txt") -> str:
        """Return a transcript as text, subtitles, JSON or RTTM.

        Raises:
            NotFound: There is no such transcript.
        """
        return await self._connection.send(calls.export_transcript(transcript_id, format))

    async def rename_speaker(self, transcript_id: str, speaker: int, name: str) -> KeptTranscript:
        """Name a speaker, and return the transcript; an empty name removes the name.

        Args:
            transcript_id: ID of the transcript.
            speaker: Number of the speaker, from 0.
            name: The name, at most 100 characters.

        Raises:
            NotFound: There is no such transcript or speaker.
        """
        change = {"name": name}
        return await self._connection.send(calls.change_speaker(transcript_id, speaker, change))

    async def merge_speakers(self, transcript_id: str, speaker: int, into: int) -> KeptTranscript:
        """Give all segments of a speaker to another one, and return the transcript.

        Args:
            transcript_id: ID of the transcript.
            speaker: Number of the speaker, from 0.
            into: Number of the speaker who is the same person.

        Raises:
            NotFound: There is no such transcript or speaker.
        """
        change = {"merge_into": into}
        return await self._connection.send(calls.change_speaker(transcript_id, speaker, change))

    async def delete(self, transcript_id: str) -> None:
        """Delete a transcript; this can't be undone.

        Raises:
            NotFound: There is no such transcript.
        """
        await self._connection.send(calls.delete_transcript(transcript_id))


class AsyncSessions:
    """Live sessions of the key, of every API: ``client.sessions``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def list(self) -> Sequence[LiveSession]:
        """Return the live sessions of the key, the oldest first.

        Raises:
            AuricleError: The server rejected the request or was unavailable for too long.
        """
        return await self._connection.send(calls.list_sessions())

    async def create_reader_token(self, session_id: str, ttl_s: int = 3600) -> Token:
        """Create a token that reads a live session and nothing else.

        Args:
            session_id: ID of the session.
            ttl_s: How long it is accepted, 1 to 86,400 seconds.

        Raises:
            NotFound: There is no such session.
        """
        return await self._connection.send(calls.create_reader_token(session_id, ttl_s))
