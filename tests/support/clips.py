"""The clips of ``testdata``, ready to use in tests."""

import json
import re
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from auricle.values.types import Pcm16

TESTDATA = Path(__file__).parents[2] / "testdata"


@dataclass(frozen=True)
class Clip:
    path: Path
    name: str
    samples: int
    language: str
    text: str

    @property
    def pcm(self) -> Pcm16:
        """The samples of a WAV clip."""
        with wave.open(str(self.path), "rb") as source:
            return np.frombuffer(source.readframes(source.getnframes()), "<i2").astype(np.int16)


CLIPS = {
    entry["file"]: Clip(
        TESTDATA / entry["file"],
        entry["name"],
        entry["samples"],
        entry["language"],
        entry["text"],
    )
    for entry in json.loads((TESTDATA / "manifest.json").read_text())
}


def words(text: str) -> list[str]:
    """Return lower-case words without punctuation, for comparing transcripts."""
    return re.sub(r"[^\w\s']", " ", text.lower()).split()
