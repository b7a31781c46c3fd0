"""Transcribes files with a running server: uploads them and polls their jobs.

If the server has lost a job after a restart, the file is uploaded again.
"""

import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio

from auricle.cli.support.console import errors
from auricle.cli.support.progress import OnProgress
from auricle.cli.support.remote_jobs import RemoteJobs
from auricle.cli.transcribe.recogniser import RecogniserRequest
from auricle.config.sections.client import ClientSettings
from auricle.files.transcribe import FileTranscript
from auricle.values.errors import NotFound, RequestError

MAX_UPLOADS = 3


class RemoteRecogniser:
    """Transcribes files on the server given by the settings; use it as a context manager."""

    def __init__(self, settings: ClientSettings) -> None:
        self._jobs = RemoteJobs(settings.url or "", settings)

    async def __aenter__(self) -> Self:
        """Check that the server answers.

        Raises:
            SetupError: The server does not answer, or its certificate can't be verified.
        """
        await self._jobs.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._jobs.__aexit__(kind, error, trace)

    async def recognise(
        self, request: RecogniserRequest, on_progress: OnProgress
    ) -> FileTranscript:
        """Return a file's transcript; cancelling the call cancels the server's job, and reports it.

        Raises:
            RequestError: The file can't be read, or the server rejected it or failed.
        """
        for _ in range(MAX_UPLOADS):
            job_id = uuid.uuid4().hex
            try:
                await self._jobs.submit(
                    request.path,
                    request.options,
                    job_id,
                    speakers=request.speakers,
                    is_multichannel=request.is_multichannel,
                    vocabulary=request.vocabulary,
                )
                return await self._jobs.follow(job_id, on_progress)
            except NotFound:  # the server has lost the job with its state directory
                continue
            except anyio.get_cancelled_exc_class():
                errors.print(await self._cancelled(job_id, request.path), style="yellow")
                raise
            except BaseException:
                await self._jobs.cancel(job_id)
                raise
        raise RequestError("the server lost the job repeatedly")

    async def _cancelled(self, job_id: str, path: Path) -> str:
        """Cancel a job, and return what became of it."""
        if await self._jobs.cancel(job_id):
            return f"{path}: its job {job_id} on the server was cancelled."
        return (
            f"{path}: the server did not confirm the end of job {job_id}, so it may continue: see "
            f"`auricle jobs show {job_id} --url {self._jobs.url}`, or cancel it with `jobs cancel`."
        )
