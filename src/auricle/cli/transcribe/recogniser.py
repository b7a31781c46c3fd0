"""The interface of ``auricle transcribe`` to its backends: local workers or a server."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from auricle.cli.support.progress import OnProgress
from auricle.files.transcribe import FileTranscript
from auricle.types import Options, SpeakerOptions


@dataclass(frozen=True, slots=True)
class RecogniserRequest:
    """One file and its options; ``speakers`` is ``None`` if they are not requested."""

    path: Path
    options: Options
    speakers: SpeakerOptions | None = None


class FileRecogniser(AbstractAsyncContextManager["FileRecogniser"], Protocol):
    """Turns files into transcripts."""

    async def recognise(
        self, request: RecogniserRequest, on_progress: OnProgress
    ) -> FileTranscript:
        """Return a file's transcript; cancelling the call cancels the job.

        Raises:
            AuricleError: The file can't be read or recognised.
        """
        ...
