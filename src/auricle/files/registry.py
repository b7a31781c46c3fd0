"""Find how a file is transcribed: as one, or by the method of a folder next to this module."""

from collections.abc import Mapping
from typing import Protocol

import auricle.files
from auricle.files.fair_semaphore import FairSemaphore
from auricle.files.transcribe import (
    FileRequest,
    FileTranscript,
    FinishedChunks,
    OnProgress,
    transcribe_file,
)
from auricle.system.spec_modules import find_specs
from auricle.values.errors import UnsupportedOption
from auricle.values.transcriber import Reader, Transcriber


class FileMethod(Protocol):
    """Transcribes a file, as :func:`.transcribe_file` does.

    That of a folder is the constant ``SPEC`` of its module ``spec``.
    """

    async def __call__(
        self,
        transcriber: Transcriber,
        decoder: Reader,
        request: FileRequest,
        *,
        chunk_slots: FairSemaphore,
        on_progress: OnProgress | None = None,
        finished: FinishedChunks | None = None,
    ) -> FileTranscript:
        """Return the transcript of a file."""
        ...


def find_methods() -> Mapping[str, FileMethod]:
    """Return the optional methods of this installation by name, in alphabetical order."""
    return find_specs(auricle.files)


METHODS = find_methods()


def method_of(*, is_multichannel: bool) -> FileMethod:
    """Return the method that a request asks for.

    Args:
        is_multichannel: Whether channels are transcribed apart; otherwise they are mixed.

    Raises:
        UnsupportedOption: This installation lacks it.
    """
    if not is_multichannel:
        return transcribe_file
    method = METHODS.get("channels")
    if method is None:
        raise UnsupportedOption(
            "This installation does not support multichannel for files; omit it.", "multichannel"
        )
    return method
