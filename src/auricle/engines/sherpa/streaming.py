"""Streaming models of sherpa-onnx follow unfinished speech."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from auricle.engines.sherpa.engine import transcript_of
from auricle.engines.sherpa.words import Hypothesis
from auricle.values.errors import AudioError
from auricle.values.types import SAMPLE_RATE_HZ, Options, Pcm16, Transcript


class StreamDecoder(Protocol):
    """A loaded streaming model: see :mod:`auricle.engines.sherpa.recognisers`."""

    def open(self, options: Options) -> Any:
        """Return a new stream."""
        ...

    def feed(self, stream: Any, pcm: Pcm16) -> None:
        """Add audio to a stream."""
        ...

    def results(self, streams: Sequence[Any]) -> list[Hypothesis]:
        """Decode the audio of streams as far as it goes, and return what was recognised."""
        ...


@dataclass(slots=True)
class _Stream:
    state: Any
    options: Options
    samples: int = 0


class SherpaStreams:
    """An :class:`auricle.engines.base.StreamingRecognizer` over a streaming model.

    Args:
        model: The loaded model.
        languages: Codes of its languages.
    """

    def __init__(self, model: StreamDecoder, languages: Collection[str]) -> None:
        self._model = model
        self._languages = languages
        self._streams: dict[str, _Stream] = {}

    def warm_up(self) -> None:
        """Recognise a second of faint noise."""
        noise = np.random.default_rng(0).normal(0, 30, SAMPLE_RATE_HZ).astype(np.int16)
        self.open("warm-up", Options())
        self.feed("warm-up", noise)
        self.results(["warm-up"])
        self.close("warm-up")

    def open(self, stream: str, options: Options) -> None:
        """Open a stream; its results have words, which become stable text if they are repeated."""
        options = replace(options, word_timestamps=True, is_chunk=False)
        self._streams[stream] = _Stream(self._model.open(options), options)

    def feed(self, stream: str, pcm: Pcm16) -> None:
        """Add the next audio of an open stream."""
        found = self._streams[stream]
        self._model.feed(found.state, pcm)
        found.samples += pcm.size

    def results(self, streams: Sequence[str]) -> list[Transcript | AudioError]:
        """Return the hypothesis for all audio of each of these open streams, in order."""
        found = [self._streams[stream] for stream in streams]
        hypotheses = self._model.results([stream.state for stream in found])
        return [
            transcript_of(hypothesis, stream.options, stream.samples, self._languages)
            for hypothesis, stream in zip(hypotheses, found, strict=True)
        ]

    def close(self, stream: str) -> None:
        """Close an open stream, and free its memory."""
        del self._streams[stream]
