"""The seam between ``auricle transcribe`` and those who do its work: own workers, or a server."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from auricle.files.transcribe import FileTranscript
from auricle.types import Options


@dataclass(frozen=True, slots=True)
class RecogniserRequest:
    """One file, and what is asked of it."""

    path: Path
    options: Options


OnHeard = Callable[[float, float], None]
"""Called with the fraction that is done (0..1) and the seconds of audio in it."""


class Recogniser(AbstractAsyncContextManager["Recogniser"], Protocol):
    """Turns files into transcripts."""

    async def recognise(self, request: RecogniserRequest, on_heard: OnHeard) -> FileTranscript:
        """Return a file's transcript; cancelling the call stops the work on it.

        Raises:
            AuricleError: It can't be read or recognised.
        """
        ...
