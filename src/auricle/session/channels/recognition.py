"""The recognition of a session's channels, as one: a mixed channel, or several that are apart.

Each channel has its own utterances, partials, language and order of finals. The finals of all
channels share one sequence of numbers, in the order in which they are done.
"""

from collections.abc import Callable, Collection, Mapping
from math import inf
from typing import TypeVar

from auricle.audio.endpointer import Endpointing
from auricle.session.arrivals import ArrivalLog
from auricle.session.channels.segmenters import ChannelEvent
from auricle.session.output import Cancel, Submit, UnfinishedAudio
from auricle.session.recognition import Recognition, RecognitionOutput
from auricle.session.utterances.segmenter import SpeechSegmenter
from auricle.session.utterances.utterance import Caller, UtteranceNumbers
from auricle.values.errors import AuricleError
from auricle.values.events import EagerFinal, Final, Partial
from auricle.values.types import JobId, Options, Redact, Transcript, TurnDetection

T = TypeVar("T")


class ChannelRecognition:
    """The recognition of all channels; see :class:`.Recognition`.

    Args:
        caller: The owner of the jobs.
        segmenters: The sources of the audio, one for each channel.
        arrivals: The arrival times of the audio.
        is_apart: Whether events have the number of their channel.
        wants_partials: Whether the client requested partials.
        has_word_times: Whether the engine returns words.
        streamed_languages: Languages whose partials are recognised apart from all other jobs.
        redact: What to hide in partials and finals.
        max_lag_s: Maximum delay of a final; ``None``: nothing is dropped.
    """

    def __init__(
        self,
        caller: Caller,
        segmenters: tuple[SpeechSegmenter, ...],
        arrivals: ArrivalLog,
        *,
        is_apart: bool,
        wants_partials: bool,
        has_word_times: bool,
        streamed_languages: frozenset[str],
        redact: Collection[Redact] = (),
        max_lag_s: float | None = None,
    ) -> None:
        self._numbers = UtteranceNumbers()
        self._channels = tuple(
            Recognition(
                caller,
                segmenter,
                arrivals,
                wants_partials=wants_partials,
                has_word_times=has_word_times,
                streamed_languages=streamed_languages,
                numbers=self._numbers,
                channel=channel if is_apart else None,
                redact=redact,
                max_lag_s=max_lag_s,
            )
            for channel, segmenter in enumerate(segmenters)
        )

    @property
    def is_done(self) -> bool:
        """Whether no utterance is open and no final is pending."""
        return all(channel.is_done for channel in self._channels)

    @property
    def owes_finals(self) -> bool:
        """Whether the final of an ended utterance is pending."""
        return any(channel.owes_finals for channel in self._channels)

    @property
    def owed_since(self) -> float:
        """When the oldest utterance without a final ended; infinity if there is none."""
        return min(channel.owed_since for channel in self._channels)

    @property
    def busy_channels(self) -> int:
        """Number of channels with an open utterance or a pending final."""
        return sum(not channel.is_done for channel in self._channels)

    @property
    def utterances(self) -> int:
        """The number of the newest utterance."""
        return self._numbers.last

    def owes(self, utterance: int, channel: int) -> bool:
        """Return whether a final of a channel up to that of this utterance is pending."""
        return self._channels[channel].owes(utterance)

    @property
    def ready_utterance(self) -> int | None:
        """Number of the utterance that :meth:`next_final` returns the final of; else ``None``."""
        ready = (channel.ready_utterance for channel in self._channels)
        return next((number for number in ready if number is not None), None)

    @property
    def unfinished_samples(self) -> int:
        """Length of the audio whose finals are pending, in the channel with the most of it."""
        return max(channel.unfinished_samples for channel in self._channels)

    @property
    def needed_sample(self) -> int:
        """The start of the oldest utterance without a final, or the earliest start of the next."""
        return min(self.needed_samples)

    @property
    def needed_samples(self) -> tuple[int, ...]:
        """The same for each channel."""
        return tuple(channel.needed_sample for channel in self._channels)

    @property
    def unread_samples(self) -> tuple[int | None, ...]:
        """For each channel, the start of the audio of ended utterances that is not read yet."""
        return tuple(channel.unread_sample for channel in self._channels)

    def set_load(self, load: float, *, has_streams: bool) -> None:
        """Set the load of the recognisers, and whether partials are recognised apart now."""
        for channel in self._channels:
            channel.load, channel.has_streams = load, has_streams

    def set_word_times(self, *, has_word_times: bool) -> None:
        """Set whether the engine of later utterances returns words."""
        for channel in self._channels:
            channel.has_word_times = has_word_times

    def receive(
        self, channel: int, event: Endpointing, options: Options, now: float, *, is_ahead: bool
    ) -> list[RecognitionOutput]:
        """Process an endpointing event of a channel."""
        return self._channels[channel].receive(event, options, now, is_ahead=is_ahead)

    def set_turns(self, turns: TurnDetection | None) -> None:
        """Set how the ends of turns are detected, from the next pause on."""
        for channel in self._channels:
            channel.turn_end.turns = turns

    def turn_judged(self, job_id: JobId, result: float | AuricleError) -> list[ChannelEvent]:
        """Receive the result of a :class:`.Judge`; return the events that waited for it."""
        return self._events_of(lambda channel: channel.turn_judged(job_id, result))

    def drop_overdue_turns(self, now: float) -> list[ChannelEvent]:
        """Stop waiting for answers that are too late; return the events that waited for them."""
        return self._events_of(lambda channel: channel.drop_overdue_turn(now))

    def take_turn_failure(self) -> bool:
        """Return whether a question was not answered since the last call."""
        has_failed = any(channel.turn_end.has_failed for channel in self._channels)
        for channel in self._channels:
            channel.turn_end.has_failed = False
        return has_failed

    def take_language_warning(self) -> str | None:
        """Return a warning that finals since the last call are not in the requested language."""
        warnings = [channel.language_warning for channel in self._channels]
        for channel in self._channels:
            channel.language_warning = None
        return next(filter(None, warnings), None)

    def read_ended(self, now: float) -> None:
        """Make ended utterances pending; see :meth:`.Recognition.read_ended`."""
        for channel in self._channels:
            channel.read_ended(now)

    def poll(self, now: float, *, is_ahead: bool) -> list[Submit | EagerFinal]:
        """Return the jobs that are due, and eager finals."""
        return self._of_each(lambda channel: channel.poll(now, is_ahead=is_ahead))

    def wake_at(self, *, is_ahead: bool) -> float:
        """Return when to call :meth:`poll` next; infinity if there is nothing to do."""
        return min((channel.wake_at(is_ahead=is_ahead) for channel in self._channels), default=inf)

    def job_done(
        self, job_id: JobId, result: Transcript | AuricleError, now: float
    ) -> list[Cancel | Partial]:
        """Receive the result of a job; results of unknown jobs are ignored."""
        return self._of_each(lambda channel: channel.job_done(job_id, result, now))

    def next_final(self, id: int, now: float) -> Final | None:
        """Return the next final of any channel; ``None`` while all are pending."""
        finals = (channel.next_final(id, now) for channel in self._channels)
        return next((final for final in finals if final is not None), None)

    def unfinished_audio(self, written: Mapping[int, int]) -> list[UnfinishedAudio]:
        """Return the utterances without a final; see :class:`.LiveSession`."""
        return self._of_each(lambda channel: channel.unfinished_audio(written))

    def discard(self) -> list[Cancel]:
        """Drop the open utterances; return the jobs to cancel."""
        return self._of_each(Recognition.discard)

    def _of_each(self, act: Callable[[Recognition], list[T]]) -> list[T]:
        return [output for channel in self._channels for output in act(channel)]

    def _events_of(self, act: Callable[[Recognition], list[Endpointing]]) -> list[ChannelEvent]:
        return [
            ChannelEvent(number, event)
            for number, channel in enumerate(self._channels)
            for event in act(channel)
        ]
