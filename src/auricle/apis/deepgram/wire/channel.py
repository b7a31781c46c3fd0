"""The results of one channel of a Deepgram stream, whose ``channel_index`` is ``[channel, count]``.

Each utterance has one ``Results`` with ``is_final``, or several of one speaker each if the speaker
changes inside it. ``speech_final`` means that silence or a ``Finalize`` ended it, in the last one;
it is false if the speaker continues, and without ``Finalize`` always false with
``endpointing=false``. A ``Finalize`` is answered by the last result of the speech before it, or by
an empty result.

With ``interim_results``, every second of silence has an empty interim ``Results`` that covers the
audio since the previous result, because some clients measure silence by the sum of the durations.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from auricle.apis.deepgram.wire.query import Listen, message_filters
from auricle.apis.deepgram.wire.results import (
    Json,
    ModelInfo,
    alternative,
    seconds,
    speaker_names,
)
from auricle.apis.deepgram.wire.search import TermSearch
from auricle.text.formats.spoken_words import INTERIM_CONFIDENCE, spaced_words
from auricle.values.events import (
    AudioProgress,
    Final,
    Finalized,
    Flushed,
    Partial,
    SpeechEnded,
    SpeechStarted,
)
from auricle.values.types import SAMPLE_RATE_HZ, SAMPLES_PER_MS, Speaker, Word

MIN_SILENCE_SAMPLES = SAMPLE_RATE_HZ // 2
"""Minimum duration of an empty result; the session reports its progress every second."""

ChannelEvent = SpeechStarted | Partial | SpeechEnded | Final | Flushed | Finalized


@dataclass(slots=True, eq=False)
class _PendingFinal:
    """An ended utterance whose final is pending."""

    end_sample: int
    continues: bool = False


@dataclass(slots=True, eq=False)
class _Finalize:
    """A pending ``Finalize``: the final of ``last`` answers it, if there is one."""

    last: _PendingFinal | None
    is_answered: bool = False


class ChannelResults:
    """Encodes the events of one channel.

    Args:
        query: The parsed query.
        request_id: A UUID that is part of every result.
        model: The model that transcribes.
        channel: The channel, from 0.

    """

    def __init__(self, query: Listen, *, request_id: str, model: ModelInfo, channel: int) -> None:
        self._query = query
        self._request_id = request_id
        self._model = model
        self._channel = channel
        self._search = TermSearch(query.search)
        self.write_numerals(query.writes_numerals)
        self._index = [channel, query.separate_channels]
        self._is_speaking = False
        self._pending: deque[_PendingFinal] = deque()
        self._finalizes: deque[_Finalize] = deque()
        self._sent_sample = self._safe_sample = 0
        self._covered_sample = 0
        self._last_word_sample: int | None = None

    def write_numerals(self, is_on: bool) -> None:
        """Write English numbers of later results in digits, or stop to."""
        self._filters = message_filters(
            writes_numerals=is_on, replacements=self._query.replacements
        )

    def messages_of(self, event: ChannelEvent) -> Iterable[Json]:
        """Return the messages for an event of the channel."""
        match event:
            case SpeechStarted(at_sample):
                return self._speech_started(at_sample)
            case Partial():
                return (self._interim(event),)
            case SpeechEnded(at_sample):
                self._is_speaking = False
                self._pending.append(_PendingFinal(at_sample))
            case Final():
                return self._final(event)
            case Flushed():
                self._finalizes.append(_Finalize(self._pending[-1] if self._pending else None))
            case Finalized(at_sample):
                return self._finalized(at_sample)
        return ()

    def messages_of_progress(self, event: AudioProgress) -> Iterable[Json]:
        """Return the messages about silence in the channel."""
        positions = event.channel_safe_samples
        self._safe_sample = positions[self._channel] if positions else event.safe_sample
        return (*self._silence(), *self._utterance_end(event.received_sample))

    def _speech_started(self, at_sample: int) -> Iterable[Json]:
        self._is_speaking = True
        if self._pending:
            last = self._pending[-1]
            silence = at_sample - last.end_sample
            last.continues = silence < self._query.endpoint_ms * SAMPLES_PER_MS
        if self._query.wants_speech_started:
            timestamp = seconds(at_sample)
            yield {"type": "SpeechStarted", "channel": self._index, "timestamp": timestamp}

    def _interim(self, event: Partial) -> Json:
        text = event.stable + event.unstable
        words = spaced_words(text, event.start_sample, event.end_sample)
        result = self._alternative(text, words, self._query.language)
        result["confidence"] = INTERIM_CONFIDENCE
        return self._results(event.start_sample, event.end_sample, result)

    def _final(self, event: Final) -> Iterable[Json]:
        parts = _parts_of(event)
        self._sent_sample = self._covered_sample = event.end_sample
        if parts[-1].words:
            self._last_word_sample = parts[-1].words[-1].end_sample
        ended = self._pending.popleft()
        finalize = next((finalize for finalize in self._finalizes if finalize.last is ended), None)
        if finalize is not None:
            finalize.is_answered = True
        is_endpoint = self._query.sends_endpoints and not ended.continues
        return [
            self._results(
                part.start_sample,
                part.end_sample,
                self._final_alternative(part, event.language) | speaker_names(part.speakers),
                search=self._search.fields(part.words, event.language),
                is_final=True,
                speech_final=part is parts[-1] and (is_endpoint or finalize is not None),
                from_finalize=part is parts[-1] and finalize is not None,
            )
            for part in parts
        ]

    def _final_alternative(self, part: "_Part", language: str | None) -> Json:
        result = self._alternative(part.text, part.words, language)
        if self._query.language is None and language is not None:
            result["languages"] = [language]
        return result

    def _alternative(self, text: str, words: Sequence[Word], language: str | None) -> Json:
        text, shown = self._filters.final(text, words, language)
        return alternative(text, shown or (), punctuates=self._query.punctuates)

    def _finalized(self, at_sample: int) -> Iterable[Json]:
        """Answer a ``Finalize`` that no result has answered; later words start after its end."""
        if self._finalizes.popleft().is_answered:
            return
        start_sample, end_sample = self._sent_sample, min(at_sample, self._safe_sample)
        self._sent_sample = max(start_sample, end_sample)
        yield self._results(
            start_sample,
            self._sent_sample,
            alternative("", (), punctuates=False),
            is_final=True,
            speech_final=True,
            from_finalize=True,
        )

    def _silence(self) -> Iterable[Json]:
        """Return an empty interim result for silence that no result covers yet."""
        start_sample = max(self._sent_sample, self._covered_sample)
        samples = self._safe_sample - start_sample
        is_silent = not self._is_speaking and not self._pending
        if not self._query.wants_interim or not is_silent or samples < MIN_SILENCE_SAMPLES:
            return
        self._covered_sample = self._safe_sample
        result = alternative("", (), punctuates=False)
        yield self._results(start_sample, self._safe_sample, result)

    def _utterance_end(self, received_sample: int) -> Iterable[Json]:
        """Report silence after the last word, after all finals; checked every second."""
        silence_ms, last_sample = self._query.utterance_end_ms, self._last_word_sample
        if silence_ms is None or last_sample is None or self._is_speaking or self._pending:
            return
        if received_sample - last_sample >= silence_ms * SAMPLES_PER_MS:
            self._last_word_sample = None
            last_word_end = seconds(last_sample)
            yield {
                "type": "UtteranceEnd",
                "channel": self._index,
                "last_word_end": last_word_end,
            }

    def _results(
        self,
        start_sample: int,
        end_sample: int,
        result: Json,
        *,
        search: Json | None = None,
        is_final: bool = False,
        speech_final: bool = False,
        from_finalize: bool = False,
    ) -> Json:
        return {
            "type": "Results",
            "channel_index": self._index,
            "duration": seconds(end_sample - start_sample),
            "start": seconds(start_sample),
            "is_final": is_final,
            "speech_final": speech_final,
            "from_finalize": from_finalize,
            "channel": {"alternatives": [result], **(search or {})},
            "metadata": {
                "request_id": self._request_id,
                "model_info": self._model.info,
                "model_uuid": self._model.uuid,
            },
        }


@dataclass(frozen=True, slots=True)
class _Part:
    """What one speaker says of an utterance, or all of it."""

    start_sample: int
    end_sample: int
    text: str
    words: Sequence[Word]
    speakers: Sequence[Speaker] = ()


def _parts_of(final: Final) -> list[_Part]:
    """Return the parts of a final by speaker, without gaps; approximate words if it has none."""
    start_sample, end_sample = final.start_sample, final.end_sample
    if final.segments is None:
        words = final.words or spaced_words(final.text, start_sample, end_sample)
        return [_Part(start_sample, end_sample, final.text, words)]
    edges = [start_sample, *(part.start_sample for part in final.segments[1:]), end_sample]
    runs = [list(run) for _, run in groupby(final.words or (), key=lambda word: word.speaker)]
    if not final.words:
        runs = [
            [
                replace(word, speaker=part.speaker)
                for word in spaced_words(part.text, part.start_sample, part.end_sample)
            ]
            for part in final.segments
        ]
    return [
        _Part(
            start,
            end,
            segment.text,
            words,
            [each for each in final.speakers if each.number == segment.speaker],
        )
        for (start, end), segment, words in zip(pairwise(edges), final.segments, runs, strict=True)
    ]
