"""Read only the beginning of a file's speech, wherever in the file it is."""

from collections.abc import AsyncIterator

from auricle.values.transcriber import Progress, Reader
from auricle.values.types import ANONYMOUS, ClientId, Source


class SpeechBeginning:
    """An :class:`auricle.values.transcriber.Reader` that ends early.

    Args:
        reader: Reads the file.
        max_samples: Speech after which the file ends, in 16 kHz samples; the chunk in which it is
            reached is still read.
    """

    def __init__(self, reader: Reader, max_samples: int) -> None:
        self._reader = reader
        self._max_samples = max_samples

    async def decode(
        self, source: Source, *, client: ClientId = ANONYMOUS
    ) -> AsyncIterator[Progress]:
        """Yield the first chunks; the duration is that of the audio which was read."""
        reading = self._reader.decode(source, client=client)
        samples = 0
        try:
            async for progress in reading:
                yield progress
                samples += 0 if progress.chunk is None else progress.chunk.pcm.size
                if samples >= self._max_samples and not progress.done:
                    yield Progress(1.0, progress.duration_samples, done=True)
                    return
        finally:
            close = getattr(reading, "aclose", None)
            if close is not None:
                await close()
