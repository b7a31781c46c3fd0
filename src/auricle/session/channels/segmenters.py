"""The segmenters of a session's channels: a mixed channel, or several that are apart.

All channels have one clock, because their samples arrive together.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from auricle.audio.channel_comparison import ChannelComparison, SimilarChannels
from auricle.audio.endpointer import Endpointing, EndpointRules
from auricle.audio.gate import SpeechProbabilities, VoiceDetector
from auricle.session.utterances.segmenter import SpeechSegmenter
from auricle.values.commands import StreamParameters
from auricle.values.events import Warned, WarningCode


class ChannelEvent(NamedTuple):
    """An endpointing event of one channel."""

    channel: int
    event: Endpointing


class ChannelSegmenters:
    """One :class:`.SpeechSegmenter` for each channel.

    Args:
        rules: The endpointing rules.
        parameters: The stream parameters: the channels, and where each begins.
        detector: Creates the detector of speech of a channel.

    Attributes:
        all: The segmenters, in the order of the channels.
    """

    def __init__(
        self,
        rules: EndpointRules,
        parameters: StreamParameters,
        detector: Callable[[], SpeechProbabilities] = VoiceDetector,
    ) -> None:
        self.all = tuple(
            SpeechSegmenter(
                rules,
                parameters.start_sample,
                parameters.resume_sample_of(channel),
                max_lag_s=parameters.max_lag_s,
                detector=detector,
            )
            for channel in range(parameters.separate_channels)
        )
        self._comparison = ChannelComparison(len(self.all)) if len(self.all) > 1 else None

    @property
    def received_sample(self) -> int:
        """The session's clock: the position of the next sample."""
        return self.all[0].received_sample

    @property
    def is_open(self) -> bool:
        """Whether an utterance is open in any channel."""
        return any(segmenter.is_open for segmenter in self.all)

    def configure(self, endpoint_ms: int) -> None:
        """Set the silence that ends an utterance, from the next utterance on."""
        for segmenter in self.all:
            segmenter.configure(endpoint_ms)

    def ask_after(self, ask_ms: int | None) -> None:
        """Set the silence after which a pause raises a question; ``None``: no questions."""
        for segmenter in self.all:
            segmenter.ask_after(ask_ms)

    def limit(self, max_audio_s: float) -> None:
        """Limit utterances to what an engine accepts, in seconds; a lower limit stays."""
        for segmenter in self.all:
            segmenter.limit(max_audio_s)

    def receive(self, pcm: npt.NDArray[np.int16]) -> list[ChannelEvent]:
        """Process the next samples; return endpointing events, channel by channel.

        Args:
            pcm: Shape [channels, samples]; [samples] is for all channels, such as silence.
        """
        channels = pcm if pcm.ndim > 1 else [pcm] * len(self.all)
        return [
            ChannelEvent(channel, event)
            for channel, segmenter in enumerate(self.all)
            for event in segmenter.receive(channels[channel])
        ]

    def compare(self, pcm: npt.NDArray[np.int16]) -> Warned | None:
        """Compare received samples of several channels; return a warning at most once."""
        return None if self._comparison is None else _warning(self._comparison.receive(pcm))

    def end_comparison(self) -> Warned | None:
        """Return the warning about a stream that was too short for one before."""
        return None if self._comparison is None else _warning(self._comparison.finish())

    def finalize(self, *, spares_onset: bool = False) -> list[ChannelEvent]:
        """End the open utterances now; see :meth:`.SpeechSegmenter.finalize`."""
        return self._of_each(partial(SpeechSegmenter.finalize, spares_onset=spares_onset))

    def flush(
        self, channel: int | None = None, *, spares_onset: bool = False
    ) -> list[ChannelEvent]:
        """End the open utterances, or that of one channel; see :meth:`.SpeechSegmenter.flush`."""
        return self._of_each(partial(SpeechSegmenter.flush, spares_onset=spares_onset), channel)

    def finish(self) -> list[ChannelEvent]:
        """End the stream; its last, incomplete window is padded with silence and evaluated."""
        return self._of_each(SpeechSegmenter.finish)

    def discard(self) -> None:
        """Drop the open utterances."""
        for segmenter in self.all:
            segmenter.discard()

    def skip(self, samples: int) -> None:
        """Advance the clock over a long silence without processing it.

        Raises:
            ValueError: An utterance is open.
        """
        for segmenter in self.all:
            segmenter.skip(samples)

    def forget(self, needed_samples: Sequence[int | None]) -> None:
        """Drop audio that no utterance needs any more.

        Args:
            needed_samples: For each channel, the start of the audio of ended utterances that is not
                read yet, if any.
        """
        for segmenter, needed_sample in zip(self.all, needed_samples, strict=True):
            segmenter.forget(needed_sample)

    def _of_each(
        self, act: Callable[[SpeechSegmenter], list[Endpointing]], only: int | None = None
    ) -> list[ChannelEvent]:
        return [
            ChannelEvent(channel, event)
            for channel, segmenter in enumerate(self.all)
            if only in (None, channel)
            for event in act(segmenter)
        ]


def _warning(similar: SimilarChannels | None) -> Warned | None:
    return None if similar is None else Warned(WarningCode.SIMILAR_CHANNELS, similar.message)
