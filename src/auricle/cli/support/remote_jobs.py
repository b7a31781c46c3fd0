"""Background jobs of a running server: upload files, follow and cancel jobs.

If the server is full, requests are retried after its ``Retry-After``. If it is unreachable, they
are retried until it returns.
"""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio
import msgspec

from auricle.cli.support.progress import OnProgress
from auricle.cli.support.server import checked_url, key_of, request_errors, unreachable
from auricle.client.api.audio import open_audio
from auricle.client.api.calls import CLEANUP_LIMIT_S, create_job, delete_job, get_job, get_liveness
from auricle.client.api.connection import Connection
from auricle.client.api.options import JobOptions
from auricle.client.api.transport import TIMEOUT_S
from auricle.config.sections.client import ClientSettings
from auricle.files.transcribe import FileTranscript
from auricle.text.formats.native_json import parse_transcript
from auricle.values.errors import AuricleError, NotFound, RequestError, SetupError, Unreachable
from auricle.values.limits import MAX_FILE_NAME_CHARACTERS
from auricle.values.types import Options, SpeakerOptions

POLL_S = 0.3
PATIENCE_S = 900.0
"""Time for which requests to a full or unreachable server are retried, in seconds."""


class RemoteJobs:
    """Jobs of the server given by the settings; use it as a context manager.

    Args:
        url: The server's URL.
        settings: The settings with the key.
        on_absence: Called if the server does not answer at first: :meth:`follow` waits for it.
            Without it, that is an error.

    Raises:
        SetupError: The URL or the certificates can't be used.
    """

    def __init__(
        self, url: str, settings: ClientSettings, on_absence: Callable[[], None] | None = None
    ) -> None:
        self._on_absence = on_absence
        self._connection = Connection(
            checked_url(url),
            key_of(settings),
            timeout_s=TIMEOUT_S,
            patience_s=PATIENCE_S,
        )

    async def __aenter__(self) -> Self:
        """Check that the server answers.

        Raises:
            SetupError: The server does not answer, or its certificate can't be verified.
        """
        try:
            await self._connection.send(get_liveness(), patience_s=0)
        except SetupError:
            await self._connection.aclose()
            raise
        except AuricleError as exc:
            if self._on_absence is None or not isinstance(exc, Unreachable):
                await self._connection.aclose()
                raise unreachable(self._connection.url) from exc
            self._on_absence()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._connection.aclose()

    async def submit(
        self,
        path: Path,
        options: Options,
        job_id: str,
        callback_url: str | None = None,
        speakers: SpeakerOptions | None = None,
        *,
        is_multichannel: bool = False,
        vocabulary: str = "",
    ) -> None:
        """Upload a file as a job with this id; it continues on the server.

        Args:
            path: The file.
            options: Options of its transcription.
            job_id: Id of the job.
            callback_url: Where the server sends the job when it has ended.
            speakers: What is known of the speakers; ``None`` if they are not requested.
            is_multichannel: Whether channels are transcribed apart.
            vocabulary: Name of a vocabulary; empty: the default one of the key.

        Raises:
            RequestError: The file can't be read, or the server rejected it or failed.
        """
        fields = _fields(options, speakers)
        name = "".join(c if c.isprintable() else "?" for c in path.name)
        fields["file_name"] = name[:MAX_FILE_NAME_CHARACTERS]
        if is_multichannel:
            fields["multichannel"] = True
        if vocabulary:
            fields["vocabulary"] = vocabulary
        if callback_url is not None:
            fields["callback_url"] = callback_url
        try:
            audio = open_audio(path)
        except RequestError as exc:  # reports begin with the name of the file
            raise RequestError(str(exc).removeprefix(f"{path} ")) from exc
        with request_errors():
            await self._connection.send(create_job(audio, job_id, fields))

    async def follow(self, job_id: str, on_progress: OnProgress) -> FileTranscript:
        """Return a job's transcript once it has ended.

        Raises:
            NotFound: The server doesn't know the job.
            RequestError: The job failed, or the server rejected the request or failed.
        """
        with request_errors(NotFound):
            while True:
                job = await self._connection.send(get_job(job_id), is_known=True)
                on_progress(job.progress, 0.0)
                if job.has_ended:
                    body = msgspec.to_builtins(job.transcript)
                    return FileTranscript(*parse_transcript(body), job.transcript.warnings)
                await anyio.sleep(POLL_S)

    @property
    def url(self) -> str:
        """URL of the server."""
        return self._connection.url

    async def cancel(self, job_id: str) -> bool:
        """Cancel or delete a job; return whether the server has confirmed that there is none."""
        with anyio.move_on_after(CLEANUP_LIMIT_S, shield=True):
            try:
                await self._connection.send(delete_job(job_id), patience_s=0)
            except NotFound:  # its upload was cut off
                return True
            except AuricleError:
                return False
            return True
        return False


def _fields(options: Options, speakers: SpeakerOptions | None) -> JobOptions:
    fields: JobOptions = {"task": options.task.value, "beam_size": options.beam_size}
    if options.model:
        fields["model"] = options.model
    if options.language is not None:
        fields["language"] = options.language
    if options.languages:
        fields["languages"] = options.languages
    if options.strict_language:
        fields["strict_language"] = True
    if options.initial_prompt is not None:
        fields["initial_prompt"] = options.initial_prompt
    if options.hotwords:
        fields["hotwords"] = options.hotwords
    if options.word_timestamps:
        fields["word_timestamps"] = True
    if speakers is not None:
        fields["speakers"] = True
        if speakers.num_speakers is not None:
            fields["num_speakers"] = speakers.num_speakers
    return fields
