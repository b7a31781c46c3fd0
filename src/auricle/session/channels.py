"""All channels of a session: what they have in common, and how they are made."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from auricle.audio.endpointer import EndpointRules
from auricle.audio.gate import SpeechProbabilities
from auricle.config.sections.live import NO_PARTIALS, LiveSettings
from auricle.session.channel import Channel
from auricle.session.choice import ModelChoice
from auricle.session.intake import Intake
from auricle.session.output import UnfinishedAudio
from auricle.session.recognition import Recognition, RecognitionOutput
from auricle.session.speakers import SessionSpeakers
from auricle.session.utterances.segmenter import SpeechSegmenter
from auricle.session.utterances.utterance import Caller, UtteranceNumbers
from auricle.values.commands import StreamParameters


class Channels(tuple[Channel, ...]):
    """The channels of a session, by their numbers."""

    __slots__ = ()

    @property
    def has_pending_finals(self) -> bool:
        """Whether the final of an ended utterance is pending."""
        return any(channel.recognition.has_pending_finals for channel in self)

    @property
    def pending_since(self) -> float:
        """When the oldest utterance without a final ended; infinity if there is none.

        In monotonic seconds.
        """
        return min(channel.recognition.pending_since for channel in self)

    @property
    def busy(self) -> int:
        """Number of channels with an open utterance or a pending final."""
        return sum(not channel.recognition.is_done for channel in self)

    @property
    def are_done(self) -> bool:
        """Whether no utterance is open and no final is pending."""
        return all(channel.recognition.is_done for channel in self)

    @property
    def is_any_open(self) -> bool:
        """Whether an utterance is open in any channel."""
        return any(channel.segmenter.is_open for channel in self)

    def receive(self, pcm: npt.NDArray[np.int16], now: float) -> list[list[RecognitionOutput]]:
        """Process the next samples; return the outputs of each channel.

        Args:
            pcm: Shape [channels, samples]; [samples] is for all channels, such as silence.
            now: Monotonic time in seconds.
        """
        if pcm.ndim > 1:
            return [channel.receive(pcm[number], now) for number, channel in enumerate(self)]
        return [channel.receive(pcm, now) for channel in self]

    def unfinished_audio(self, written: Mapping[int, int]) -> list[UnfinishedAudio]:
        """Return the utterances without a final, in the order of each channel.

        Args:
            written: Samples of them that were written, by the number of the utterance; the audio
                after them is returned.
        """
        return [
            audio for channel in self for audio in channel.recognition.unfinished_audio(written)
        ]


def open_channels(
    parameters: StreamParameters,
    settings: LiveSettings,
    choice: ModelChoice,
    intake: Intake,
    speakers: SessionSpeakers,
    numbers: UtteranceNumbers,
    caller: Caller,
    streamed_languages: frozenset[str],
    detector: Callable[[], SpeechProbabilities],
) -> Channels:
    """Return the channels of a new session.

    Args:
        parameters: The stream parameters from the client.
        settings: Settings of live recognition.
        choice: The model and the options of the first utterances.
        intake: Receives the audio.
        speakers: Labels the utterances.
        numbers: Numbers the utterances.
        caller: The owner of the jobs.
        streamed_languages: Languages whose partials may be recognised apart from all other jobs.
        detector: Creates the detector of speech of a channel.
    """
    engine = choice.model.engine
    rules = EndpointRules(endpoint_ms=parameters.endpoint_ms or settings.endpoint_ms)
    rules = rules.within(engine.max_audio_s)

    def channel(number: int) -> Channel:
        segmenter = SpeechSegmenter(
            rules,
            parameters.start_sample,
            parameters.resume_sample_of(number),
            max_lag_s=parameters.max_lag_s,
            detector=detector,
        )
        recognition = Recognition(
            caller,
            segmenter,
            intake.arrivals,
            intake.pace,
            choice.options,
            speakers,
            wants_partials=parameters.partials and settings.partial_model != NO_PARTIALS,
            has_word_times=engine.has_word_times,
            streamed_languages=streamed_languages,
            numbers=numbers,
            channel=number if parameters.multichannel else None,
            filters=parameters.filters,
            max_lag_s=parameters.max_lag_s,
        )
        recognition.text.also_filter(choice.filters)
        return Channel(segmenter, recognition)

    return Channels(map(channel, range(parameters.separate_channels)))
