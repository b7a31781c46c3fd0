"""The audio of one request: in memory if sent in JSON, on disk if sent as the body or a file."""

import contextlib

from auricle.protocol.detect import DETECT_HEAD_BYTES
from auricle.server.uploads.params import TranscriptionParams
from auricle.server.uploads.spool import SpoolDirectory, SpoolFile
from auricle.values.types import Source


class Upload:
    """Uploaded audio, in memory or on disk, but not both."""

    def __init__(self, audio: bytes | SpoolFile) -> None:
        self._audio = audio

    @property
    def size_bytes(self) -> int:
        """Size of the audio."""
        return len(self._audio) if isinstance(self._audio, bytes) else self._audio.size_bytes

    async def head(self) -> bytes:
        """Return the first ``DETECT_HEAD_BYTES``, for format detection."""
        if isinstance(self._audio, bytes):
            return self._audio[:DETECT_HEAD_BYTES]
        return await self._audio.read(DETECT_HEAD_BYTES)

    async def content(self) -> bytes:
        """Return all bytes; for short audio only."""
        return self._audio if isinstance(self._audio, bytes) else await self._audio.read()

    async def source(
        self,
        params: TranscriptionParams,
        audio_format: str,
        directory: SpoolDirectory,
        resources: contextlib.AsyncExitStack,
    ) -> Source:
        """Return the audio as a file; ``resources`` removes one that is created here.

        Raises:
            LedgerFull: The disk is full.
        """
        if isinstance(self._audio, bytes):
            spool = await resources.enter_async_context(directory.file())
            await spool.write(self._audio)
            await spool.flush()
            self._audio = spool
        return params.source(self._audio.readable_path, audio_format)
