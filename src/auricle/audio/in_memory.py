"""A reader for a recording that is already in memory; it only finds the speech."""

from collections.abc import AsyncIterator

from anyio import to_thread

from auricle.audio.chunks import CutRules, find_chunks
from auricle.values.transcriber import Progress
from auricle.values.types import ANONYMOUS, ClientId, Pcm16, Source


class InMemory:
    """An :class:`auricle.values.transcriber.Reader` of these samples; it ignores the source."""

    def __init__(self, pcm: Pcm16, rules: CutRules | None = None) -> None:
        self._pcm = pcm
        self._rules = rules or CutRules()

    async def decode(
        self, source: Source, *, client: ClientId = ANONYMOUS
    ) -> AsyncIterator[Progress]:
        """Yield the chunks of speech; the voice detector runs in a thread."""
        samples = self._pcm.size
        for chunk in await to_thread.run_sync(find_chunks, self._pcm, self._rules):
            end_sample = chunk.start_sample + chunk.pcm.size
            yield Progress(end_sample / samples, end_sample, chunk)
        yield Progress(1.0, samples, done=True)
