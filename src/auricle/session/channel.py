"""One channel of a session: the utterances in its audio, and their text.

::

    audio → segmenter → endpointing events → recognition → jobs, events, finals
                ↑                                 │
                └── audio of an utterance ────────┘

A session has one channel, or several that are transcribed apart. These share the clock, the numbers
of utterances and the sequence of finals (:mod:`.finals`); everything else is a channel's own.
"""

from collections.abc import Sequence

from auricle.audio.endpointer import Endpointing
from auricle.session.choice import ModelChoice
from auricle.session.recognition import Recognition, RecognitionOutput
from auricle.session.turn_end import ASK_MS
from auricle.session.utterances.segmenter import SpeechSegmenter
from auricle.values.errors import AuricleError
from auricle.values.types import JobId, Pcm16, TurnDetection


class Channel:
    """The utterances of one channel, from its audio to their finals.

    Args:
        segmenter: Finds the utterances, and keeps their audio.
        recognition: Recognises what the segmenter finds.
    """

    def __init__(self, segmenter: SpeechSegmenter, recognition: Recognition) -> None:
        self.segmenter = segmenter
        self.recognition = recognition

    def receive(self, pcm: Pcm16, now: float) -> list[RecognitionOutput]:
        """Process the next samples."""
        return self._recognise(self.segmenter.receive(pcm), now)

    def finalize(self, now: float, *, spares_onset: bool = False) -> list[RecognitionOutput]:
        """End the open utterance now; see :meth:`.SpeechSegmenter.finalize`."""
        events = self.segmenter.finalize(spares_onset=spares_onset)
        return self._recognise(events, now)

    def flush(self, now: float, *, spares_onset: bool = False) -> list[RecognitionOutput]:
        """End the open utterance now; see :meth:`.SpeechSegmenter.flush`."""
        events = self.segmenter.flush(spares_onset=spares_onset)
        return self._recognise(events, now)

    def finish(self, now: float) -> list[RecognitionOutput]:
        """End the stream; its last, incomplete window is padded with silence and evaluated."""
        return self._recognise(self.segmenter.finish(), now)

    def discard(self) -> list[RecognitionOutput]:
        """Drop the open utterance, and cancel its jobs."""
        self.segmenter.discard()
        return [*self.recognition.discard()]

    def forget(self) -> None:
        """Drop audio that no utterance needs any more."""
        self.segmenter.forget(self.recognition.unread_sample)

    def use(self, choice: ModelChoice) -> None:
        """Use a model and options from the next utterance on."""
        self.recognition.options = choice.options
        self.recognition.text.also_filter(choice.filters)
        self.recognition.has_word_times = choice.model.engine.has_word_times
        self.segmenter.limit(choice.model.engine.max_audio_s)

    def detect_turns(self, turns: TurnDetection | None, *, asks: bool) -> None:
        """Set how the ends of turns are detected, from the next pause on.

        Args:
            turns: What the client requested; ``None``: silence ends utterances.
            asks: Whether a model can be asked; otherwise silence ends utterances, too.
        """
        self.recognition.turn_end.turns = turns
        self.segmenter.ask_after(ASK_MS if asks else None)

    def turn_judged(
        self, job_id: JobId, result: float | AuricleError, now: float
    ) -> list[RecognitionOutput]:
        """Receive the result of a :class:`.TurnJob`; results of unknown jobs are ignored."""
        turn_end = self.recognition.turn_end
        if not turn_end.answered(job_id, result):
            return []
        return self._recognise(self.segmenter.answer(turn_end.silence_ms), now)

    def drop_overdue_turn(self, now: float) -> list[RecognitionOutput]:
        """Stop waiting for the answer to a :class:`.TurnJob` that is too late."""
        if not self.recognition.turn_end.is_overdue(now):
            return []
        return self._recognise(self.segmenter.answer(None), now)

    def _recognise(self, events: Sequence[Endpointing], now: float) -> list[RecognitionOutput]:
        return [output for event in events for output in self.recognition.receive(event, now)]
