"""The text of one channel: how transcripts become its partials and finals.

Text begins as the final before it ends: in a sentence, or after one. It ends without a full stop if
its sentence continues.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from auricle.audio.vad import WINDOW_SAMPLES
from auricle.audio.voice import fit_words
from auricle.session.utterances.agreement import continues
from auricle.session.utterances.continuation import (
    MAX_PAUSE_SAMPLES,
    continued,
    has_full_stop,
    is_open,
)
from auricle.session.utterances.final import PendingFinal
from auricle.session.utterances.utterance import SURE_PROBABILITY
from auricle.text.filters.registry import open_filters
from auricle.values.errors import AuricleError
from auricle.values.events import EagerFinal, Final, Partial
from auricle.values.languages import language_warning
from auricle.values.text_filters import FilterChoice
from auricle.values.types import Transcript, Word


@dataclass(frozen=True, slots=True)
class _Before:
    """The text and the end of the last final with text."""

    text: str
    end_sample: int


class ChannelText:
    """The text of one channel.

    Args:
        channel: The channel; ``None`` if channels are not transcribed apart.
        filters: Text filters for partials and finals.

    Attributes:
        language: The language of the last final whose language is certain.
        language_warning: A warning that the last final is probably not in the requested language.
    """

    def __init__(self, channel: int | None, filters: Collection[FilterChoice]) -> None:
        self._channel = channel
        self._own = tuple(filters)
        self._filters = open_filters(filters)
        self._before: _Before | None = None
        self._stable: dict[int, str] = {}
        self.language: str | None = None
        self.language_warning: str | None = None

    def also_filter(self, choices: Collection[FilterChoice]) -> None:
        """Apply these filters besides those of the channel from now on, instead of former ones."""
        self._filters = self._filters.changed([*self._own, *choices])

    def shown(self, partial: Partial, language: str | None) -> Partial:
        """Return a partial as the client gets it.

        Args:
            partial: The partial.
            language: The language of its utterance.
        """
        stable, unstable = self._filters.partial(partial.stable, partial.unstable, language)
        self._stable[partial.utterance] = stable
        return replace(partial, stable=stable, unstable=unstable, channel=self._channel)

    def final(self, id: int, pending: PendingFinal, now: float) -> Final:
        """Return the final of the next utterance, which has a result.

        Args:
            id: The number of the final in its session.
            pending: Its result.
            now: Monotonic time, in seconds.
        """
        result = pending.result
        assert result is not None
        self.language_warning = None
        if isinstance(result, Transcript):
            self._learn_language(result)
            self.language_warning = language_warning(
                pending.options.language, result.language, result.language_probability
            )
            result = self._joined(pending, result)
        final = _final(id, pending, result, now)
        text, words, original = self._filters.final_with_original(
            final.text, final.words, final.language
        )
        stable = self._stable.get(final.utterance, "")
        self._stable = {each: t for each, t in self._stable.items() if each > final.utterance}
        return replace(
            final,
            text=text,
            words=words,
            revised=not continues(stable, text, final.language),
            original=original,
            channel=self._channel,
        )

    def eager(self, pending: PendingFinal, probability: float, now: float) -> EagerFinal | None:
        """Return an eager final; ``None`` if it has no text.

        Args:
            pending: The result that the utterance has if no more speech follows.
            probability: That the turn has ended.
            now: Monotonic time, in seconds.
        """
        if not isinstance(pending.result, Transcript):
            return None
        final = _final(0, pending, self._continue_sentence(pending, pending.result), now)
        if not final.text:
            return None
        text, words = self._filters.speculative(final.text, final.words, final.language)
        return EagerFinal(
            utterance=final.utterance,
            text=text,
            start_sample=final.start_sample,
            end_sample=final.end_sample,
            language=final.language,
            words=words,
            probability=probability,
            channel=self._channel,
        )

    def _joined(self, pending: PendingFinal, transcript: Transcript) -> Transcript:
        """Begin the text as the previous final ends, and end it as its sentence does."""
        if pending.is_mid_sentence:
            transcript = _without_full_stop(transcript)
        text = transcript.text.strip()
        if not text:
            return transcript
        joined = self._continue_sentence(pending, transcript)
        self._before = _Before(text, pending.end_sample)
        return joined

    def _continue_sentence(self, pending: PendingFinal, transcript: Transcript) -> Transcript:
        before, text = self._before, transcript.text.strip()
        if not text or before is None:
            return transcript
        pause_samples = pending.start_sample - before.end_sample
        if pause_samples > MAX_PAUSE_SAMPLES and is_open(before.text):
            return transcript
        return _continued(replace(transcript, text=text), before.text)

    def _learn_language(self, transcript: Transcript) -> None:
        if transcript.text and transcript.language_probability >= SURE_PROBABILITY:
            self.language = transcript.language


def _continued(transcript: Transcript, before: str) -> Transcript:
    """Return a transcript whose first letter fits the end of the text before."""
    segments = list(transcript.segments)
    for index, segment in enumerate(segments):
        if segment.words:
            first, *others = segment.words
            small = continued(first.text, before, transcript.language)
            segments[index] = replace(segment, words=(replace(first, text=small), *others))
            break
    text = continued(transcript.text, before, transcript.language)
    return replace(transcript, text=text, segments=tuple(segments))


def _without_full_stop(transcript: Transcript) -> Transcript:
    text = transcript.text.strip()
    if not has_full_stop(text):
        return transcript
    *segments, last = transcript.segments
    if last.words:
        *words, word = last.words
        last = replace(last, words=(*words, replace(word, text=word.text.rstrip()[:-1])))
    last = replace(last, text=last.text.rstrip()[:-1])
    return replace(transcript, text=text[:-1], segments=(*segments, last))


def _final(id: int, pending: PendingFinal, result: Transcript | AuricleError, now: float) -> Final:
    transcript = result if isinstance(result, Transcript) else None
    text = transcript.text.strip() if transcript else ""
    language = transcript.language if transcript else pending.options.language
    return Final(
        id=id,
        utterance=pending.factory.number,
        text=text,
        start_sample=pending.start_sample,
        end_sample=pending.end_sample,
        language=language,
        words=_words(pending, result),
        latency_ms=max(0.0, now - pending.arrived_at) * 1000,
        revised=False,
        error=None if isinstance(result, Transcript) else result.code,
        end_of_turn=pending.end_of_turn,
        trigger=pending.trigger,
    )


def _words(pending: PendingFinal, result: Transcript | AuricleError) -> tuple[Word, ...] | None:
    """Return the words with their times in the session, if the client requested them.

    Words are clipped to the speech: from one VAD window before its detection to its end.
    """
    if not pending.options.word_timestamps or not isinstance(result, Transcript):
        return None
    voiced = ((pending.speech_sample - WINDOW_SAMPLES, pending.speech_end_sample),)
    words = tuple(
        word.shifted(pending.start_sample)
        for segment in result.segments
        for word in segment.words or ()
    )
    return fit_words(words, voiced)
