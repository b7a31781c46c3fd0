"""What all suites of a run share: the model, and the clips of the corpus."""

from dataclasses import dataclass
from pathlib import Path

from bench.lib.speech import AN4, READ, Clip, corpus


@dataclass(frozen=True, slots=True)
class Material:
    """What is measured with.

    Attributes:
        model: Folder of Whisper base in CTranslate2 format.
        corpus: Folder with speech and its manifest.
        clips: How many clips of each kind are used at most.
        seconds: Length of a stream.
    """

    model: Path
    corpus: Path
    clips: int
    seconds: float

    def read(self) -> list[Clip]:
        """Return read sentences."""
        return self._of(READ)

    def spelled(self) -> list[Clip]:
        """Return spelled letters, numbers and addresses of AN4."""
        return self._of(AN4)

    def shortest(self, count: int) -> list[Clip]:
        """Return the shortest read sentences."""
        read = sorted(self.read(), key=lambda clip: clip.seconds)
        return read[: min(count, self.clips)]

    def _of(self, kind: str) -> list[Clip]:
        return [clip for clip in corpus(self.corpus) if clip.kind == kind][: self.clips]
