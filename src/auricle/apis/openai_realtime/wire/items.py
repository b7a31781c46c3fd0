"""The items of an OpenAI Realtime session: their utterances and the text that was sent for them.

With turn detection, each utterance is an item, committed when it ends. Without it, an item is the
speech between two commits, which may have many utterances; their finals are joined. An item is
complete when it is committed and none of its finals is pending.

A client that commits at short intervals would cut its speech into pieces. Such a commit spares the
open utterance: its item waits for the end of the utterance or for the next commit. If the commit is
first, the item is completed with the stable text, and the rest is for the next item.

Clients concatenate deltas, often without checking the item, and cannot retract text. So deltas
contain only stable text, and the utterances are sent one after another. If a final differs, only
``completed`` contains its text, which is authoritative.

If speakers are requested, each final has a ``segment`` for each of its speakers, as soon as they
are known: before ``completed``, or after it if they are late. A client can't replace a segment, so
later revisions are not sent.
"""

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

from auricle.apis.openai_realtime.wire.continued_text import text_after
from auricle.protocol.ignored import MAX_WARNINGS
from auricle.text.formats.stable_text import StableText
from auricle.values.events import (
    Final,
    FinalSpeakers,
    Flushed,
    Partial,
    SpeakerRevision,
    SpeechEnded,
    SpeechStarted,
)
from auricle.values.languages import SPACELESS_LANGUAGES
from auricle.values.types import SAMPLE_RATE_HZ, Speaker

ServerEvent = dict[str, Any]
"""A server event without its ID."""

_TRANSCRIPTION = "conversation.item.input_audio_transcription"
MAX_WITHOUT_SPEAKERS = 100
"""Finals whose speakers may still become known."""


@dataclass(slots=True)
class _Item:
    """Audio that is committed, or will be, as one item."""

    id: str
    text: str = ""
    pending_finals: int = 0
    samples: int = 0
    languages: list[str] = field(default_factory=list)
    error: str | None = None
    glue: str = ""
    is_committed: bool = False
    is_dropped: bool = False

    def add(self, final: Final, *, has_deltas: bool) -> None:
        """Add the final of an utterance."""
        self.pending_finals -= 1
        self.samples += final.end_sample - final.start_sample
        self.error = self.error or final.error
        if final.text:
            self.text += self.glue * bool(self.text) + final.text
            if final.language is not None and final.language not in self.languages:
                self.languages.append(final.language)
        if final.text or has_deltas:
            self.glue = "" if final.language in SPACELESS_LANGUAGES else " "


@dataclass(slots=True)
class _ItemText(StableText):
    """The text of an utterance, and the item that it belongs to.

    Attributes:
        item: The item of the text that no earlier item has.
        given: The text that earlier items have.
        is_continued: Whether earlier items have a part of it.
        start_sample: Start of the part that no earlier item has.
    """

    item: _Item = field(kw_only=True)
    start_sample: int = field(kw_only=True)
    given: str = ""
    is_continued: bool = False

    def rest(self, final: Final) -> Final:
        """Return the part of its final that no earlier item has."""
        if not self.is_continued:
            return final
        is_spaceless = final.language in SPACELESS_LANGUAGES
        text = text_after(final.text, self.given, is_spaceless=is_spaceless)
        start_sample = min(max(final.start_sample, self.start_sample), final.end_sample)
        return replace(final, text=text, start_sample=start_sample)


class Items:
    """The items of a session; see the module docstring. Each method returns server events.

    Args:
        name: The session name; part of the item IDs.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0
        self._previous: str | None = None
        self._current: _Item | None = None
        self._utterances: deque[_ItemText] = deque()  # their finals are pending
        self._segments = 0
        self._without_speakers: dict[int, _Item] = {}  # by the number of the final
        self._is_talking = False
        self._spared: _ItemText | None = None  # its item is committed, but it is open
        self._warnings: deque[str] = deque(maxlen=MAX_WARNINGS)

    def warn(self, message: str) -> None:
        """Keep a warning for the next complete item."""
        if message not in self._warnings:
            self._warnings.append(message)

    def started(self, event: SpeechStarted, *, detects_turns: bool) -> list[ServerEvent]:
        """Start an utterance."""
        self._is_talking = True
        item = self._open_item()
        item.pending_finals += 1
        self._utterances.append(_ItemText(item=item, start_sample=event.at_sample))
        self._spared = None
        if not detects_turns:
            return []
        position = {"audio_start_ms": _ms(event.at_sample), "item_id": item.id}
        return [{"type": "input_audio_buffer.speech_started", **position}]

    def ended(self, event: SpeechEnded, *, detects_turns: bool) -> list[ServerEvent]:
        """End an utterance, and its turn if turn detection is on."""
        self._is_talking = False
        item = self._current
        if not detects_turns or item is None:
            return []
        position = {"audio_end_ms": _ms(event.at_sample), "item_id": item.id}
        return [{"type": "input_audio_buffer.speech_stopped", **position}, *self._commit(item)]

    def flushed(self, event: Flushed) -> list[ServerEvent]:
        """Commit the current item on request of the client, even if it is silent."""
        events: list[ServerEvent] = []
        if self._spared is not None and (event.is_open or event.ended_utterance):
            events += self._hand_over(self._spared, event.at_sample)
        elif self._current is None and event.ended_utterance:
            return []  # the item was committed when the utterance ended
        self._spared = self._utterances[-1] if event.is_open else None
        return events + self._commit(self._open_item())

    def discarded(self) -> list[ServerEvent]:
        """Drop the uncommitted item."""
        events = [] if self._spared is None else self._release(self._spared)
        if self._is_talking:
            self._utterances.pop()  # it will have no final
        self._is_talking = False
        self._spared = None
        if self._current is not None:
            self._current.is_dropped = True
            self._current = None
        return [*events, {"type": "input_audio_buffer.cleared"}]

    def partial(self, event: Partial) -> list[ServerEvent]:
        """Update the open utterance with a partial."""
        utterance = self._utterances[-1]
        utterance.update(event)
        return self._deltas(utterance)

    def final(self, event: Final) -> list[ServerEvent]:
        """Finish the oldest utterance with its final."""
        utterance = self._utterances[0]
        utterance.update(event)
        events = self._deltas(utterance)
        self._utterances.popleft()
        if utterance is self._spared:
            self._spared = None
        utterance.item.add(utterance.rest(event), has_deltas=utterance.sent != utterance.given)
        if event.segments is None:
            self._without_speakers[event.id] = utterance.item
            if len(self._without_speakers) > MAX_WITHOUT_SPEAKERS:
                del self._without_speakers[next(iter(self._without_speakers))]
        events += self._spoken(utterance.item, event)
        events += self._completion(utterance.item)
        if self._utterances:
            events += self._deltas(self._utterances[0])
        return events

    def revised(self, event: SpeakerRevision) -> list[ServerEvent]:
        """Send the segments of finals whose speakers have become known."""
        known = [
            (self._without_speakers.pop(final.id), final)
            for final in event.finals
            if final.id in self._without_speakers and final.speaker is not None
        ]
        return [message for item, final in known for message in self._spoken(item, final)]

    def close(self) -> list[ServerEvent]:
        """Commit the remaining speech at the end of the connection."""
        events = [] if self._spared is None else self._release(self._spared)
        item = self._current
        if item is None or not item.text:
            return events
        item.pending_finals = 0
        return events + self._commit(item)

    def _hand_over(self, utterance: _ItemText, at_sample: int) -> list[ServerEvent]:
        """Complete the item of an open utterance; the rest is for the next item."""
        utterance.item.samples += max(0, at_sample - utterance.start_sample)
        utterance.start_sample, utterance.is_continued = at_sample, True
        events = self._release(utterance)
        utterance.item = self._open_item()
        utterance.item.pending_finals += 1
        return events

    def _release(self, utterance: _ItemText) -> list[ServerEvent]:
        """Give the text that was sent of an open utterance to its item, which waits no longer."""
        item, part = utterance.item, utterance.sent[len(utterance.given) :].strip()
        utterance.given = utterance.sent
        item.pending_finals -= 1
        if part:
            item.text += item.glue * bool(item.text) + part
        return self._completion(item)

    def _spoken(self, item: _Item, final: Final | FinalSpeakers) -> list[ServerEvent]:
        """Return an event for each segment with a speaker."""
        events = []
        for segment in final.segments or ():
            if segment.speaker is None or item.is_dropped:
                continue
            name = Speaker.of(segment.speaker, final.speakers).name
            self._segments += 1
            fields = {
                "id": f"seg_{self._name}_{self._segments}",
                "text": segment.text,
                "speaker": name or chr(ord("A") + segment.speaker),  # as in diarized_json
                "start": round(segment.start_sample / SAMPLE_RATE_HZ, 3),
                "end": round(segment.end_sample / SAMPLE_RATE_HZ, 3),
            }
            events.append(_item_event(item, "segment", **fields))
        return events

    def _open_item(self) -> _Item:
        if self._current is None:
            self._count += 1
            self._current = _Item(f"item_{self._name}_{self._count}")
        return self._current

    def _deltas(self, utterance: _ItemText) -> list[ServerEvent]:
        item = utterance.item
        if item.is_dropped or self._utterances[0] is not utterance:
            return []
        is_continuing = bool(utterance.given) and utterance.sent == utterance.given
        delta = utterance.next_part(item.glue)
        if is_continuing:
            delta = delta.lstrip()  # the space before it separated it from another item's text
        return [_item_event(item, "delta", delta=delta)] if delta else []

    def _commit(self, item: _Item) -> list[ServerEvent]:
        self._current = None
        item.is_committed = True
        previous, self._previous = self._previous, item.id
        message = {
            "id": item.id,
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        previous_item = {"previous_item_id": previous}
        return [
            {"type": "input_audio_buffer.committed", "item_id": item.id, **previous_item},
            {"type": "conversation.item.added", "item": message, **previous_item},
            {"type": "conversation.item.done", "item": message, **previous_item},
            *self._completion(item),
        ]

    def _completion(self, item: _Item) -> list[ServerEvent]:
        """Return the result of an item once it is complete; partial text is not discarded."""
        if item.is_dropped or not item.is_committed or item.pending_finals:
            return []
        if item.error is not None and not item.text:
            error = {
                "type": "server_error",
                "code": item.error,
                "message": "The audio could not be transcribed.",
                "param": None,
            }
            return [_item_event(item, "failed", error=error)]
        usage = {"type": "duration", "seconds": round(item.samples / SAMPLE_RATE_HZ, 2)}
        languages = [{"code": code} for code in item.languages]
        completed = {"transcript": item.text, "usage": usage, "languages": languages}
        if self._warnings:
            completed["warnings"] = list(self._warnings)
            self._warnings.clear()
        return [_item_event(item, "completed", **completed)]


def _item_event(item: _Item, what: str, **fields: Any) -> ServerEvent:
    return {"type": f"{_TRANSCRIPTION}.{what}", "item_id": item.id, "content_index": 0, **fields}


def _ms(sample: int) -> int:
    return sample * 1000 // SAMPLE_RATE_HZ
