"""Partials by an engine that does not follow streams: it transcribes the utterance so far again."""

from collections.abc import Sequence

import numpy as np

from auricle.engines.base import Engine
from auricle.values.errors import AudioError
from auricle.values.types import Job, JobId, JobKind, Options, Pcm16, Transcript


class WholeUtterances:
    """A :class:`auricle.engines.base.StreamingRecognizer` over an :class:`.Engine`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._options: dict[str, Options] = {}
        self._parts: dict[str, list[Pcm16]] = {}

    def warm_up(self) -> None:
        """Warm up the engine."""
        self._engine.warm_up()

    def open(self, stream: str, options: Options) -> None:
        """Open a stream."""
        self._options[stream], self._parts[stream] = options, []

    def feed(self, stream: str, pcm: Pcm16) -> None:
        """Keep the audio."""
        self._parts[stream].append(pcm)

    def results(self, streams: Sequence[str]) -> list[Transcript | AudioError]:
        """Transcribe all audio of these streams; those with equal options as one batch."""
        found: dict[str, Transcript | AudioError] = {}
        for options in dict.fromkeys(self._options[stream] for stream in streams):
            batch = [stream for stream in streams if self._options[stream] == options]
            found |= zip(batch, self._engine.transcribe(list(map(self._job, batch))), strict=True)
        return [found[stream] for stream in streams]

    def close(self, stream: str) -> None:
        """Forget a stream."""
        del self._options[stream], self._parts[stream]

    def _job(self, stream: str) -> Job:
        self._parts[stream] = [np.concatenate(self._parts[stream])]
        (pcm,) = self._parts[stream]
        return Job(JobId(stream), pcm, self._options[stream], JobKind.PARTIAL)
