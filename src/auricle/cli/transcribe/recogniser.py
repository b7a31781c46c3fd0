"""The interface of ``auricle transcribe`` to its backends: local workers or a server."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from auricle.cli.support.progress import OnProgress
from auricle.files.transcribe import FileTranscript
from auricle.values.types import Options, SpeakerOptions


@dataclass(frozen=True, slots=True)
class RecogniserRequest:
    """One file and its options.

    Attributes:
        path: The file.
        options: Options of its transcription.
        speakers: What is known of the speakers; ``None`` if they are not requested.
        is_multichannel: Whether channels are transcribed apart.
        vocabulary: Name of a vocabulary of the server; empty: the default one of the key.
    """

    path: Path
    options: Options
    speakers: SpeakerOptions | None = None
    is_multichannel: bool = False
    vocabulary: str = ""


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
