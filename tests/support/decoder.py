"""A Decoder that yields a script, without any process."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import numpy as np

from auricle.values.errors import EmptyAudio
from auricle.values.transcriber import Progress, Stats
from auricle.values.types import ANONYMOUS, SAMPLE_RATE_HZ, Chunk, ClientId, Pcm16, Source


def speech(seconds: float) -> Pcm16:
    """Return samples that stand for speech."""
    return np.full(int(seconds * SAMPLE_RATE_HZ), 1000, np.int16)


def file_of(*pieces_s: float, gap_s: float = 1.0) -> list[Progress]:
    """Return the progress of a file with chunks of these lengths and a pause after each."""
    total = int(sum(pieces_s) + gap_s * len(pieces_s)) * SAMPLE_RATE_HZ
    steps, at = [], 0
    for seconds in pieces_s:
        end = at + int((seconds + gap_s) * SAMPLE_RATE_HZ)
        steps.append(Progress(end / total, end, Chunk(at, speech(seconds))))
        at = end
    return [*steps, Progress(1.0, at, done=True)]


@dataclass
class FakeDecoder:
    """Yields the script; without one, the whole file as one second of speech for each 32 kB."""

    script: Sequence[Progress | Exception] | None = None
    gate: anyio.Event | None = None
    sources: list[Source] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    open_readings: int = 0
    current: Stats = Stats(ready=True)
    is_closed: bool = False

    async def decode(
        self, source: Source, *, client: ClientId = ANONYMOUS
    ) -> AsyncIterator[Progress]:
        self.sources.append(source)
        self.open_readings += 1
        try:
            for step in self.script if self.script is not None else await self._found(source):
                await anyio.lowlevel.checkpoint()
                if self.gate is not None:
                    await self.gate.wait()
                if isinstance(step, Exception):
                    raise step
                yield step
        finally:
            self.open_readings -= 1

    async def _found(self, source: Source) -> list[Progress]:
        content = await anyio.Path(source.path).read_bytes()
        self.contents.append(content[:100])
        if not content:
            raise EmptyAudio("The file holds no audio.")
        pcm = speech(max(0.1, len(content) / 32_000))
        return [Progress(0.9, pcm.size, Chunk(0, pcm)), Progress(1.0, pcm.size, done=True)]

    def left_behind(self) -> list[str]:
        """Return the files that were read and are still there."""
        return [source.path for source in self.sources if Path(source.path).exists()]

    def stats(self) -> Stats:
        return self.current

    async def aclose(self) -> None:
        self.is_closed = True
