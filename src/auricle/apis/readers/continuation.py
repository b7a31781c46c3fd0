"""How the session of a speaker who has returned continues a feed. No I/O, no clock.

The session numbers its finals and utterances from 1 again, on the same clock. Its first finals may
repeat some that readers have, because the speaker had not got them when the server ended.
"""

from collections.abc import Iterable
from dataclasses import replace

from auricle.apis.readers.wire.events import Readable
from auricle.values.events import Final, Partial, SpeakerRevision, SpeechEnded, SpeechStarted


class Continuation:
    """Numbers the events of a session after those of a feed.

    Args:
        finals: The finals of the feed, oldest first.
    """

    def __init__(self, finals: Iterable[Final] = ()) -> None:
        self._last_final = self._last_utterance = 0
        self._end_samples: dict[int | None, int] = {}
        for final in finals:
            self._last_final = final.id
            self._last_utterance = max(self._last_utterance, final.utterance)
            self._end_samples[final.channel] = final.end_sample
        self._finals_before, self._utterances_before = self._last_final, self._last_utterance
        self._repeated = 0

    def continued(self, event: Readable) -> Readable | None:
        """Return an event as it continues the feed; ``None`` if readers have it."""
        match event:
            case SpeechStarted() | SpeechEnded():
                is_repeated = event.at_sample < self._end_samples.get(event.channel, 0)
                return None if is_repeated else event
            case Partial():
                if self._is_repeated(event):
                    return None
                return replace(event, utterance=event.utterance + self._utterances_before)
            case Final():
                return self._final(event)
            case SpeakerRevision():
                finals = tuple(
                    replace(each, id=each.id + self._finals_before)
                    for each in event.finals
                    if each.id > self._repeated
                )
                return SpeakerRevision(finals) if finals else None

    def _final(self, final: Final) -> Final | None:
        if self._is_repeated(final):
            self._repeated = final.id
            self._finals_before = self._last_final - final.id
            self._utterances_before = self._last_utterance - final.utterance
            return None
        return replace(
            final,
            id=final.id + self._finals_before,
            utterance=final.utterance + self._utterances_before,
        )

    def _is_repeated(self, event: Final | Partial) -> bool:
        """Return whether most of an utterance is in finals of the feed."""
        middle_sample = (event.start_sample + event.end_sample) // 2
        return middle_sample < self._end_samples.get(event.channel, 0)
