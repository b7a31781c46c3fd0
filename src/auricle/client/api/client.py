"""The synchronous client of a server: the methods of :mod:`.async_client`, without ``await``."""

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from auricle.client.api.async_client import (
    DEFAULT_URL,
    AsyncClient,
    AsyncJobs,
    AsyncSessions,
    AsyncTranscripts,
    OnJob,
)
from auricle.client.api.audio import AudioInput
from auricle.client.api.blocking import iterate, run
from auricle.client.api.calls import ExportFormat, Moment
from auricle.client.api.http import BlockingTransport
from auricle.client.api.options import JobOptions, TranscribeOptions
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

if TYPE_CHECKING:
    from auricle.client.api.live_options import LiveOptions
    from auricle.client.api.live_stream import LiveStream


class _Client(AsyncClient):
    """A client whose methods never suspend."""

    _transport = BlockingTransport


class Client:
    """A client of a server; use it as a context manager, or call :meth:`close`.

    ::

        with Client("http://127.0.0.1:6007") as client:
            print(client.transcribe("talk.mp3").text)

    Threads may share a client. A busy or restarting server is asked again after its
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

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout_s: float = TIMEOUT_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._api_key = api_key
        self._client = _Client(url, api_key=api_key, timeout_s=timeout_s, patience_s=patience_s)
        self.jobs = Jobs(self._client.jobs)
        self.transcripts = Transcripts(self._client.transcripts)
        self.sessions = Sessions(self._client.sessions)

    @property
    def url(self) -> str:
        """The base URL of the server, without a trailing slash."""
        return self._client.url

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        run(self._client.aclose())

    def transcribe(
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
        return run(self._client.transcribe(audio, on_progress=on_progress, **options))

    def create_token(self, ttl_s: int = 60) -> Token:
        """Create a token that replaces the key for a while, for a page.

        Args:
            ttl_s: How long it is accepted, 1 to 3600 seconds.

        Raises:
            AuricleError: The server rejected the request or was unavailable for too long.
        """
        return run(self._client.create_token(ttl_s))

    def live(self, **options: Unpack["LiveOptions"]) -> "LiveStream":
        """Return a live stream; use it as a context manager.

        Args:
            options: As in :class:`LiveOptions`.

        Raises:
            BadRequest: A parameter is invalid.
        """
        from auricle.client.api.live_options import stream_parameters
        from auricle.client.api.live_stream import LiveStream  # loads NumPy

        return LiveStream(self.url, self._api_key, stream_parameters(options))


class Jobs:
    """Background jobs of a server: ``client.jobs``."""

    def __init__(self, jobs: AsyncJobs) -> None:
        self._jobs = jobs

    def create(self, audio: AudioInput, **options: Unpack[JobOptions]) -> Job:
        """Upload a recording as a job; the server has accepted it when this returns.

        Args:
            audio: A path, the content of a file, or a file opened in binary mode.
            options: As in :class:`JobOptions`. Without ``job_id``, a random one is used.

        Raises:
            AuricleError: The recording can't be read, or the server rejected it or was unavailable
                for too long.
        """
        return run(self._jobs.create(audio, **options))

    def get(self, job_id: str) -> Job:
        """Return a job with its state, progress and text so far.

        Raises:
            NotFound: There is no such job.
        """
        return run(self._jobs.get(job_id))

    def wait(
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
        return run(self._jobs.wait(job_id, timeout_s=timeout_s, on_progress=on_progress))

    def events(self, job_id: str) -> Iterator[Job]:
        """Iterate over the states of a job, until it has ended; survives lost connections.

        Raises:
            AuricleError: The server doesn't know the job, or was unavailable for too long.
        """
        return iterate(self._jobs.events(job_id))

    def list(self, *states: JobState, limit: int = 100) -> Iterator[JobSummary]:
        """Iterate over the jobs of the key, the newest first.

        Args:
            states: Only jobs in these states.
            limit: Maximum number of jobs.

        Raises:
            AuricleError: The server rejected the request or was unavailable for too long.
        """
        return iterate(self._jobs.list(*states, limit=limit))

    def delete(self, job_id: str) -> Job:
        """Cancel a job that is queued or running, or delete one that has ended with its text.

        Raises:
            NotFound: There is no such job.
        """
        return run(self._jobs.delete(job_id))


class Transcripts:
    """Transcripts that a server keeps: ``client.transcripts``.

    It keeps them only with ``AURICLE_KEEP_TRANSCRIPTS=1``; otherwise all methods raise
    ``NotFound``. They need the key: tokens are refused.
    """

    def __init__(self, transcripts: AsyncTranscripts) -> None:
        self._transcripts = transcripts

    def list(
        self,
        *,
        language: str | None = None,
        source: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        limit: int = 100,
    ) -> Iterator[TranscriptSummary]:
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
        return iterate(
            self._transcripts.list(
                language=language, source=source, since=since, until=until, limit=limit
            )
        )

    def search(
        self,
        words: str,
        *,
        language: str | None = None,
        source: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        limit: int = 100,
    ) -> Iterator[Match]:
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
        return iterate(
            self._transcripts.search(
                words, language=language, source=source, since=since, until=until, limit=limit
            )
        )

    def get(self, transcript_id: str) -> KeptTranscript:
        """Return a transcript with its segments.

        Raises:
            NotFound: There is no such transcript.
        """
        return run(self._transcripts.get(transcript_id))

    def export(self, transcript_id: str, format: ExportFormat = "txt") -> str:
        """Return a transcript as text, subtitles, JSON or RTTM.

        Raises:
            NotFound: There is no such transcript.
        """
        return run(self._transcripts.export(transcript_id, format))

    def rename_speaker(self, transcript_id: str, speaker: int, name: str) -> KeptTranscript:
        """Name a speaker, and return the transcript; an empty name removes the name.

        Args:
            transcript_id: ID of the transcript.
            speaker: Number of the speaker, from 0.
            name: The name, at most 100 characters.

        Raises:
            NotFound: There is no such transcript or speaker.
        """
        return run(self._transcripts.rename_speaker(transcript_id, speaker, name))

    def merge_speakers(self, transcript_id: str, speaker: int, into: int) -> KeptTranscript:
        """Give all segments of a speaker to another one, and return the transcript.

        Args:
            transcript_id: ID of the transcript.
            speaker: Number of the speaker, from 0.
            into: Number of the speaker who is the same person.

        Raises:
            NotFound: There is no such transcript or speaker.
        """
        return run(self._transcripts.merge_speakers(transcript_id, speaker, into))

    def delete(self, transcript_id: str) -> None:
        """Delete a transcript; this can't be undone.

        Raises:
            NotFound: There is no such transcript.
        """
        run(self._transcripts.delete(transcript_id))


class Sessions:
    """Live sessions of the key, of every API: ``client.sessions``."""

    def __init__(self, sessions: AsyncSessions) -> None:
        self._sessions = sessions

    def list(self) -> Sequence[LiveSession]:
        """Return the live sessions of the key, the oldest first.

        Raises:
            AuricleError: The server rejected the request or was unavailable for too long.
        """
        return run(self._sessions.list())

    def create_reader_token(self, session_id: str, ttl_s: int = 3600) -> Token:
        """Create a token that reads a live session and nothing else.

        Args:
            session_id: ID of the session.
            ttl_s: How long it is accepted, 1 to 86,400 seconds.

        Raises:
            NotFound: There is no such session.
        """
        return run(self._sessions.create_reader_token(session_id, ttl_s))
