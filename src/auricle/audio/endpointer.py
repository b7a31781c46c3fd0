"""Find where utterances start and end in one live stream. No I/O; time is counted in samples.

::

             pre-roll              post-roll                cut
    ·········|‹·····speech·····|·····›|·······|‹····speech··|··speech···
                   ↑           │  ↑           ↑             ↑
              SpeechStart      │ Pause        │    UtteranceEnd(is_cut), SpeechStart
                               └─ endpoint_ms ┴─ UtteranceEnd

The events depend only on the samples and their probabilities, not on how the stream is split into
calls. The same holds for each utterance's audio, from ``start_sample`` to ``end_sample``. No sample
belongs to two utterances. Where speech continues over a border, the two utterances share the
border. What follows a border depends only on whether there was speech at the border. Another
endpointer can therefore start anywhere before the border, receive it as ``resume_sample``, and find
the same utterances after it. Their context is the same, too, if it starts at or before the first
one's :attr:`Endpointer.context_sample`.

Silence of ``endpoint_ms`` ends an utterance. A short utterance with a weak voice may be a breath or
a cough: the endpointer waits one second for speech that it may be the beginning of, and marks the
utterance doubtful if none follows. An utterance longer than ``soft_limit_s`` ends at any dip. One
that reaches ``hard_limit_s`` is cut at the best place (:mod:`auricle.audio.cuts`).

With ``ask_ms``, a :class:`TurnQuestion` in each pause asks for the silence that ends it. Until
:meth:`Endpointer.answer`, samples are only stored, so that the events still do not depend on when
the answer comes. Then there is no soft limit, because a dip is not the end of a turn.
"""

import enum
from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np

from auricle.audio.cuts import best_cut, loudness
from auricle.audio.vad import (
    MIN_SPEECH_WINDOWS,
    SILENCE_THRESHOLD,
    SPEECH_THRESHOLD,
    WINDOW_SAMPLES,
    Probabilities,
)
from auricle.values.limits import DEFAULT_ENDPOINT_MS
from auricle.values.types import MAX_JOB_S, SAMPLE_RATE_HZ, SAMPLES_PER_MS, Pcm16

WINDOW_BYTES = WINDOW_SAMPLES * np.dtype(np.int16).itemsize

_DOUBT_SAMPLES = SAMPLE_RATE_HZ
"""A sound too short to be distinguished from a click is kept if speech follows within a second.
Without this rule a soft "ask" before a pause was lost (``research/vad.py``, 2026-11)."""

_WEAK_PROBABILITY = 0.75
_WEAK_MAX_WINDOWS = 31
"""An utterance is doubtful if it has less than 1 s of speech and the mean probability of these
windows is lower than this. Synthetic breaths, coughs and throat clearing that pass as speech last
0.10 to 0.54 s and have at most 0.72; 42 of 44 short utterances of the corpus have at least 0.82. In
a narrow telephone band, words have 0.55 to 0.65; there the probability of the decoded words decides
(``research/live_room.py``, 2026-11)."""
_CLEAR_PROBABILITY = 0.9
_CONTEXT_SAMPLES = 5 * SAMPLE_RATE_HZ
"""Less by a second than what warms up the detector of a session that replaces another."""
_MAX_DOUBTFUL_GAP_SAMPLES = 4 * SAMPLE_RATE_HZ
"""Maximum gap after clear speech for a doubtful utterance to be decoded together with it."""
_MAX_SENTENCE_GAP_SAMPLES = SAMPLE_RATE_HZ * 8 // 10
"""The same for any utterance. The gap counts from the start of the last clear window, some 0.1 s
before the end of speech; after a longer one, a new sentence usually starts."""
_SENTENCE_END_SAMPLES = 500 * SAMPLES_PER_MS
"""Silence that mostly ends a sentence. Where it ends utterances, they are decoded alone: at 500 ms
of silence a context corrected no word of 438 and took 8 to 27 % more CPU time, at 300 ms it joined
sentences (docs/decisions/082). Another default for ``endpoint_ms`` does not change this figure."""
_ONSET_MAX_WINDOWS = 9
"""A sound that began less than 0.3 s before a request to end, after a pause, is the next word: the
model recognises neither part of a word that is cut there (docs/decisions/154)."""
_PHRASE_PAUSE_SAMPLES, _PHRASE_LEAD_SAMPLES = 6 * WINDOW_SAMPLES, 5 * WINDOW_SAMPLES
"""Time without clear speech before a phrase, and the part of it that belongs to the phrase."""


@dataclass(frozen=True, slots=True)
class EndpointRules:
    """Limits that end an utterance, and the padding around it.

    Attributes:
        endpoint_ms: Silence that ends an utterance.
        pre_roll_ms: Audio before speech: it is detected some windows after its soft first sounds.
        post_roll_ms: Audio after speech: at most half of the silence that ended the utterance, so
            that the other half is left for the next utterance.
        speculate_ms: Silence after which an end is likely; at least the post-roll.
        dip_ms: Silence that ends an utterance beyond the soft limit.
        soft_limit_s: An utterance longer than this, including its pre-roll, ends at a dip.
        hard_limit_s: Maximum length of an utterance.
        ask_ms: Silence after which to ask what silence ends a pause; ``None``: ``endpoint_ms``.
    """

    endpoint_ms: int = DEFAULT_ENDPOINT_MS
    pre_roll_ms: int = 300
    post_roll_ms: int = 96
    speculate_ms: int = 96  # 3 windows; the whole post-roll has arrived by then
    dip_ms: int = 150
    soft_limit_s: float = 12
    hard_limit_s: float = 25
    ask_ms: int | None = None

    def __post_init__(self) -> None:
        if min(self.endpoint_ms, self.dip_ms) < 1 or min(self.pre_roll_ms, self.post_roll_ms) < 0:
            raise ValueError(
                "endpoint_ms and dip_ms must be >= 1, pre_roll_ms and post_roll_ms >= 0"
            )
        if self.speculate_ms < self.post_roll_ms:
            raise ValueError("speculate_ms must be at least post_roll_ms")
        if self.ask_ms is not None and self.ask_ms < self.speculate_ms:
            raise ValueError("ask_ms must be at least speculate_ms")
        if not self.soft_limit_s <= self.hard_limit_s <= MAX_JOB_S:
            raise ValueError(
                f"limits must be soft_limit_s <= hard_limit_s <= {MAX_JOB_S}; "
                f"hard_limit_s is {self.hard_limit_s:g}"
            )
        if 4 * self.pre_roll_ms > self.hard_limit_s * 1000:
            raise ValueError("pre_roll_ms must be at most a quarter of hard_limit_s")

    def within(self, max_audio_s: float) -> "EndpointRules":
        """Return the rules for an engine whose jobs have at most this much audio, in seconds."""
        hard_limit_s = min(self.hard_limit_s, max_audio_s)
        soft_limit_s = min(self.soft_limit_s, hard_limit_s)
        return replace(self, soft_limit_s=soft_limit_s, hard_limit_s=hard_limit_s)


@dataclass(frozen=True, slots=True)
class SpeechStart:
    """An utterance has started.

    Attributes:
        start_sample: Start of the utterance's audio, including the pre-roll.
        at_sample: Where speech was detected.
    """

    start_sample: int
    at_sample: int


@dataclass(frozen=True, slots=True)
class Pause:
    """An end is likely; ``end_sample`` is the utterance's end if no more speech follows.

    The other attributes are as in :class:`UtteranceEnd`.
    """

    end_sample: int
    is_doubtful: bool = False
    context_sample: int | None = None
    start_sample: int = field(default=0, compare=False)
    voiced: tuple[tuple[int, int], ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class TurnQuestion:
    """A pause has lasted for ``ask_ms``; :meth:`Endpointer.answer` says what silence ends it.

    Attributes:
        start_sample: Start of the utterance.
        at_sample: Position up to which samples were judged.
    """

    start_sample: int
    at_sample: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """Speech continued after a :class:`Pause`."""


class EndCause(enum.Enum):
    """Why an utterance ended."""

    SILENCE = enum.auto()
    REQUEST = enum.auto()
    """The client ended it, or the stream."""
    LENGTH = enum.auto()
    """It reached the maximum length in the middle of speech."""


@dataclass(frozen=True, slots=True)
class UtteranceEnd:
    """The utterance is finished.

    Attributes:
        start_sample: Same as in its :class:`SpeechStart`.
        end_sample: End of the utterance's audio, including the post-roll.
        speech_end_sample: End of its last speech.
        is_cut: It was cut in the middle of speech; the next one starts at ``end_sample``.
        is_doubtful: It is short and its voice is weak: a breath, a cough, or a word.
        context_sample: Start of the preceding speech that the utterance is decoded together with,
            because it is doubtful, or follows closely and may continue a sentence; else ``None``.
        voiced: Where there is speech in it: (start, end) in samples, in order.
        cause: Why it ended.
        is_unfinished: A request has ended it in the middle of speech.
    """

    start_sample: int
    end_sample: int
    speech_end_sample: int
    is_cut: bool
    is_doubtful: bool = False
    context_sample: int | None = None
    voiced: tuple[tuple[int, int], ...] = field(default=(), compare=False)
    cause: EndCause = field(default=EndCause.SILENCE, compare=False)
    is_unfinished: bool = field(default=False, compare=False)


Endpointing = SpeechStart | Pause | TurnQuestion | Resumed | UtteranceEnd


@dataclass(frozen=True, slots=True)
class _Window:
    start_sample: int
    probability: float
    is_voiced: bool
    loudness: float

    @property
    def end_sample(self) -> int:
        return self.start_sample + WINDOW_SAMPLES


@dataclass(slots=True)
class _OpenSpeech:
    """A possible utterance since its first voiced window; confirmed once it exceeds a click."""

    start_sample: int
    endpoint_samples: int
    is_confirmed: bool
    windows: list[_Window]
    is_continued: bool
    """It started in the middle of speech."""
    context_sample: int
    phrase_sample: int | None
    """Start of the phrase before it, if it follows that closely."""
    speech_windows: int = 0
    speech_probability: float = 0.0
    """Sum over all windows of speech."""
    speech_end_sample: int = 0
    predicted_end: int | None = None
    is_asked: bool = False
    """Whether a question was asked in this pause."""
    answer_samples: int | None = None
    """Silence that ends this pause."""

    @property
    def is_doubtful(self) -> bool:
        if self.is_continued or self.speech_windows >= _WEAK_MAX_WINDOWS:
            return False
        return self.speech_probability < _WEAK_PROBABILITY * self.speech_windows

    @property
    def decoded_context_sample(self) -> int | None:
        if self.phrase_sample is not None:
            return self.phrase_sample
        return self.context_sample if self.is_doubtful else None

    def add(self, window: _Window) -> None:
        self.windows.append(window)
        if window.probability >= SPEECH_THRESHOLD:
            self.speech_windows += 1
            self.speech_probability += window.probability
        if window.is_voiced:
            self.speech_end_sample = window.end_sample

    @property
    def is_onset(self) -> bool:
        """Whether it is a sound that has just begun, after silence, and goes on."""
        if self.is_continued or len(self.windows) > _ONSET_MAX_WINDOWS:
            return False
        return all(window.is_voiced for window in self.windows)

    def take_onset(self, pause_samples: int) -> list[_Window]:
        """Remove and return the sound that has just begun after such a pause, if there is one."""
        voiced = [at for at, window in enumerate(self.windows) if window.is_voiced]
        onset = len(self.windows)
        while voiced and voiced[-1] == onset - 1:
            onset = voiced.pop()
        taken = self.windows[onset:]
        if not voiced or not 0 < len(taken) <= _ONSET_MAX_WINDOWS:
            return []
        speech_end_sample = self.windows[voiced[-1]].end_sample
        if taken[0].start_sample - speech_end_sample < pause_samples:
            return []
        likely = [each.probability for each in taken if each.probability >= SPEECH_THRESHOLD]
        speech_windows = self.speech_windows - len(likely)
        if not self.is_continued and speech_windows < MIN_SPEECH_WINDOWS:
            return []
        del self.windows[onset:]
        self.speech_windows = speech_windows
        self.speech_probability -= sum(likely)
        self.speech_end_sample = speech_end_sample
        return taken

    def voiced_until(self, end_sample: int) -> tuple[tuple[int, int], ...]:
        """Return the runs of voiced windows before a position."""
        runs: list[tuple[int, int]] = []
        for window in self.windows:
            if not window.is_voiced or window.start_sample >= end_sample:
                continue
            start, end = window.start_sample, min(window.end_sample, end_sample)
            if runs and runs[-1][1] == start:
                start = runs.pop()[0]
            runs.append((start, end))
        return tuple(runs)


class Endpointer:
    """Find the utterances of one stream.

    Args:
        rules: Limits and padding.
        start_sample: Position of the first received sample on the session's clock.
        resume_sample: End of the last utterance if this continues an earlier endpointer; speech
            before it starts no utterance.
    """

    def __init__(
        self, rules: EndpointRules, start_sample: int = 0, resume_sample: int | None = None
    ) -> None:
        self._rules = rules
        self._endpoint_samples = rules.endpoint_ms * SAMPLES_PER_MS
        self._pcm = bytearray()  # windows that were not judged yet
        self._probabilities: list[float] = []  # of the first of them
        self._is_asking = False
        self._is_splitting = False
        self._window_start = start_sample
        # No later utterance starts before this.
        self._floor = start_sample if resume_sample is None else resume_sample
        self._is_speech = False
        self._clear: deque[int] = deque()  # where the newest windows of clear speech start
        self._open: _OpenSpeech | None = None

    @property
    def is_open(self) -> bool:
        """Whether an utterance is open: its start was reported, its end was not."""
        return self._open is not None and self._open.is_confirmed

    @property
    def is_doubtful(self) -> bool:
        """Whether the open utterance may be no speech, judged by its audio so far."""
        return self._open is not None and self._open.is_doubtful

    @property
    def received_sample(self) -> int:
        """Position after the newest sample."""
        return self._window_start + len(self._pcm) // np.dtype(np.int16).itemsize

    @property
    def speech_end_sample(self) -> int | None:
        """End of the open utterance's last speech so far; ``None`` if none is open."""
        return self._open.speech_end_sample if self._open and self._open.is_confirmed else None

    @property
    def needed_sample(self) -> int:
        """Position before which no open or later utterance holds audio."""
        if self._open is not None:
            return self._open.start_sample
        return max(self._floor, self._window_start - self._rules.pre_roll_ms * SAMPLES_PER_MS)

    @property
    def context_sample(self) -> int:
        """Position before which no audio is decoded, as an utterance or as its context."""
        if self._open is not None:
            return self._open.context_sample
        # No utterance lies before the border, but the context of the next one may.
        if self._window_start < self._floor:
            return min(self._floor - _CONTEXT_SAMPLES, self._window_start)
        return min(self._context_of(self.needed_sample), self._window_start)

    @property
    def decoded_context_sample(self) -> int | None:
        """``context_sample`` of the end of the open utterance, judged by its audio so far."""
        return None if self._open is None else self._open.decoded_context_sample

    def configure(self, endpoint_ms: int) -> None:
        """Set the silence that ends utterances, from the next utterance on."""
        if endpoint_ms < 1:
            raise ValueError(f"endpoint_ms is {endpoint_ms}; it must be at least 1")
        self._endpoint_samples = endpoint_ms * SAMPLES_PER_MS

    def ask_after(self, ask_ms: int | None) -> None:
        """Set ``ask_ms`` from the next pause on."""
        self._rules = replace(self._rules, ask_ms=ask_ms)

    def limit(self, max_audio_s: float) -> None:
        """Limit utterances to what an engine accepts, in seconds; a lower limit stays."""
        self._rules = self._rules.within(max_audio_s)

    def receive(self, pcm: Pcm16, probabilities: Probabilities) -> list[Endpointing]:
        """Add samples, and the probabilities of the windows that are complete.

        Args:
            pcm: The stream's next samples.
            probabilities: Those of the stream's next windows of 512 samples; they may arrive later
                than their samples, never earlier.

        Returns:
            The events, in order.
        """
        self._pcm += pcm.tobytes()
        if not len(probabilities):
            return []
        self._probabilities += probabilities.tolist()
        if len(self._probabilities) * WINDOW_BYTES > len(self._pcm):
            raise ValueError("probabilities cover samples that were not received")
        return self._judge_next()

    def answer(self, silence_ms: int | None) -> list[Endpointing]:
        """Answer a question, and judge the samples that were stored since.

        Args:
            silence_ms: Silence that ends this pause; ``None``: ``endpoint_ms``.
        """
        utterance = self._open
        if not self._is_asking or utterance is None:
            raise ValueError("no question was asked")
        self._is_asking = False
        if silence_ms is not None:
            utterance.answer_samples = silence_ms * SAMPLES_PER_MS
        length_samples = self._window_start - utterance.start_sample
        ending_samples = self._ending_silence(utterance, length_samples)
        events: list[Endpointing] = []
        if self._window_start - utterance.speech_end_sample >= ending_samples:
            events = self._end(utterance, ending_samples)
        return events + self._judge_next()

    def finish(self, *, spares_onset: bool = False) -> list[Endpointing]:
        """End the open utterance now: the audio ended, or the client asked for it.

        The stream may continue. A sound that is too short to be speech so far stays undecided.

        Args:
            spares_onset: Whether a sound that has just begun after a pause starts the next
                utterance, or stays in it if it is all of it.
        """
        events = self._stop_asking()
        utterance = self._open
        if utterance is None or not utterance.is_confirmed:
            return events
        pause_samples = self._rules.speculate_ms * SAMPLES_PER_MS
        if spares_onset and utterance.is_onset:
            return events
        if spares_onset and (onset := utterance.take_onset(pause_samples)):
            silence_samples = onset[0].start_sample - utterance.speech_end_sample
            end_sample = self._padded_end(utterance, silence_samples)
            events.append(self._close(end_sample, EndCause.REQUEST))
            for window in onset:
                events += self._add_window(window, was_speech=False)
            return events
        post_roll_end = utterance.speech_end_sample + self._rules.post_roll_ms * SAMPLES_PER_MS
        end_sample = utterance.predicted_end or min(post_roll_end, self.received_sample)
        is_unfinished = utterance.predicted_end is None and end_sample < post_roll_end
        return [*events, self._close(end_sample, EndCause.REQUEST, is_unfinished=is_unfinished)]

    def reset_speech_state(self) -> None:
        """Do not take continuing sound for speech: it may be the echo of what ended."""
        self._is_speech = False

    def discard(self) -> None:
        """Drop the open utterance and all speech until now."""
        self._stop_asking()
        self._open, self._floor = None, max(self._floor, self.received_sample)
        self.reset_speech_state()

    def _context_of(self, start_sample: int) -> int:
        """Return where an utterance's context starts: at clear speech, if there was any."""
        if not self._clear or start_sample - self._clear[-1] > _MAX_DOUBTFUL_GAP_SAMPLES:
            return start_sample
        first_sample = start_sample - _CONTEXT_SAMPLES
        return min(start_sample, next(at for at in self._clear if at >= first_sample))

    def _phrase_before(self, start_sample: int, speech_sample: int) -> int | None:
        """Return where the earliest whole phrase before close speech starts, if there is one.

        A context that begins in the middle of a phrase costs more words than it corrects.
        """
        if self._endpoint_samples >= _SENTENCE_END_SAMPLES:
            return None
        if not self._clear or speech_sample - self._clear[-1] > _MAX_SENTENCE_GAP_SAMPLES:
            return None
        before = start_sample - _CONTEXT_SAMPLES
        first_clear = self._context_of(start_sample)
        for at in self._clear:
            if at < first_clear:
                continue
            if at - before >= _PHRASE_PAUSE_SAMPLES:
                return min(start_sample, max(first_clear, at - _PHRASE_LEAD_SAMPLES))
            before = at
        return None

    def _judge_next(self) -> list[Endpointing]:
        """Judge windows until a question is asked, or none is left."""
        events: list[Endpointing] = []
        judged = 0
        windows_pcm = np.frombuffer(
            bytes(self._pcm[: len(self._probabilities) * WINDOW_BYTES]), np.int16
        )
        for probability in self._probabilities:
            if self._is_asking:
                break
            at = judged * WINDOW_SAMPLES
            events += self._judge(probability, windows_pcm[at : at + WINDOW_SAMPLES])
            judged += 1
        del self._probabilities[:judged]
        del self._pcm[: judged * WINDOW_BYTES]
        return events

    def _stop_asking(self) -> list[Endpointing]:
        """Judge all stored samples without an answer."""
        events: list[Endpointing] = []
        while self._is_asking:
            events += self.answer(None)
        return events

    def _judge(self, probability: float, pcm: Pcm16) -> list[Endpointing]:
        was_speech = self._is_speech
        threshold = SILENCE_THRESHOLD if was_speech else SPEECH_THRESHOLD
        self._is_speech = probability >= threshold
        start_sample = self._window_start
        self._window_start += WINDOW_SAMPLES
        events: list[Endpointing] = []
        is_past = self._window_start <= self._floor
        if self._open is not None or (self._is_speech and not is_past):
            loud = float(loudness(pcm)[0])
            window = _Window(start_sample, probability, self._is_speech, loud)
            events = self._add_window(window, was_speech=was_speech)
        if probability >= _CLEAR_PROBABILITY:
            self._clear.append(start_sample)
        pre_roll_samples = self._rules.pre_roll_ms * SAMPLES_PER_MS
        oldest_sample = start_sample - pre_roll_samples - _CONTEXT_SAMPLES
        while self._clear and self._clear[0] < oldest_sample:
            self._clear.popleft()
        return events

    def _add_window(self, window: _Window, *, was_speech: bool) -> list[Endpointing]:
        """Open an utterance with a window, or add the window to the open one."""
        if self._open is not None:
            return self._continue(self._open, window)
        if not window.is_voiced:
            return []
        pre_roll_start = window.start_sample - self._rules.pre_roll_ms * SAMPLES_PER_MS
        start_sample = max(self._floor, pre_roll_start)
        phrase_sample = None
        if not was_speech:
            phrase_sample = self._phrase_before(start_sample, window.start_sample)
        # Speech that continues over a border needs no confirmation.
        self._open = _OpenSpeech(
            start_sample,
            self._endpoint_samples,
            was_speech,
            [],
            is_continued=was_speech,
            context_sample=self._context_of(start_sample),
            phrase_sample=phrase_sample,
        )
        self._open.add(window)
        at_sample = max(start_sample, window.start_sample)
        return [SpeechStart(start_sample, at_sample)] if was_speech else []

    def _continue(self, utterance: _OpenSpeech, window: _Window) -> list[Endpointing]:
        """Lengthen, pause, end or split the open utterance with one window."""
        utterance.add(window)
        events: list[Endpointing] = []
        if not utterance.is_confirmed and utterance.speech_windows >= MIN_SPEECH_WINDOWS:
            utterance.is_confirmed = True
            events.append(SpeechStart(utterance.start_sample, utterance.windows[0].start_sample))
        if window.is_voiced:
            utterance.is_asked, utterance.answer_samples = False, None
        if window.is_voiced and utterance.predicted_end is not None:
            utterance.predicted_end = None
            events.append(Resumed())
        silence_samples = window.end_sample - utterance.speech_end_sample
        length_samples = window.end_sample - utterance.start_sample
        ending_samples = self._ending_silence(utterance, length_samples)
        if silence_samples >= ending_samples:
            return events + self._end(utterance, ending_samples)
        if length_samples + WINDOW_SAMPLES > self._rules.hard_limit_s * SAMPLE_RATE_HZ:
            if self._rules.ask_ms is not None and utterance.predicted_end is not None:
                return events + self._end(utterance, silence_samples)
            return events + self._split(utterance)
        if (
            silence_samples >= self._rules.speculate_ms * SAMPLES_PER_MS
            and utterance.is_confirmed
            and utterance.predicted_end is None
        ):
            utterance.predicted_end = self._padded_end(utterance, ending_samples)
            events.append(
                Pause(
                    utterance.predicted_end,
                    utterance.is_doubtful,
                    utterance.decoded_context_sample,
                    utterance.start_sample,
                    utterance.voiced_until(utterance.predicted_end),
                )
            )
        if self._asks(utterance, silence_samples):
            self._is_asking = utterance.is_asked = True
            events.append(TurnQuestion(utterance.start_sample, window.end_sample))
        return events

    def _asks(self, utterance: _OpenSpeech, silence_samples: int) -> bool:
        """Return whether to ask what silence ends this pause: once, and not for a breath.

        The rest of a cut utterance is added at once, so a pause in it that is over is not asked
        about, and one that is not over with its next window.
        """
        ask_ms = self._rules.ask_ms
        if ask_ms is None or self._is_splitting or utterance.is_asked:
            return False
        if silence_samples < ask_ms * SAMPLES_PER_MS:
            return False
        return utterance.is_confirmed and not utterance.is_doubtful

    def _ending_silence(self, utterance: _OpenSpeech, length_samples: int) -> int:
        if not utterance.is_confirmed or utterance.is_doubtful:
            return max(utterance.endpoint_samples, _DOUBT_SAMPLES)
        if (ask_ms := self._rules.ask_ms) is not None:
            if utterance.answer_samples is not None:
                return utterance.answer_samples
            return max(utterance.endpoint_samples, ask_ms * SAMPLES_PER_MS + 1)
        if length_samples > self._rules.soft_limit_s * SAMPLE_RATE_HZ:
            return min(utterance.endpoint_samples, self._rules.dip_ms * SAMPLES_PER_MS)
        return utterance.endpoint_samples

    def _padded_end(self, utterance: _OpenSpeech, ending_samples: int) -> int:
        post_roll_samples = min(self._rules.post_roll_ms * SAMPLES_PER_MS, ending_samples // 2)
        return utterance.speech_end_sample + post_roll_samples

    def _end(self, utterance: _OpenSpeech, ending_samples: int) -> list[Endpointing]:
        """End the utterance after its last speech, or drop it if it was a click."""
        if not utterance.is_confirmed:
            self._open = None
            return []
        return [self._close(utterance.predicted_end or self._padded_end(utterance, ending_samples))]

    def _close(
        self,
        end_sample: int,
        cause: EndCause = EndCause.SILENCE,
        *,
        is_cut: bool = False,
        is_unfinished: bool = False,
    ) -> UtteranceEnd:
        utterance = self._open
        assert utterance is not None
        self._open, self._floor = None, end_sample
        speech_end_sample = min(utterance.speech_end_sample, end_sample)
        return UtteranceEnd(
            utterance.start_sample,
            end_sample,
            speech_end_sample,
            is_cut=is_cut,
            is_doubtful=utterance.is_doubtful,
            context_sample=utterance.decoded_context_sample,
            voiced=utterance.voiced_until(end_sample),
            cause=cause,
            is_unfinished=is_unfinished,
        )

    def _split(self, utterance: _OpenSpeech) -> list[Endpointing]:
        """Cut the utterance at the best place and open the next one there."""
        if not utterance.is_confirmed:
            self._open = None
            return []
        windows = utterance.windows
        at = best_cut(
            [window.probability for window in windows],
            [window.loudness for window in windows],
            windows[0].start_sample - utterance.start_sample,
            int(self._rules.hard_limit_s * SAMPLE_RATE_HZ),
        )
        before = [window for window in windows[:at] if window.is_voiced]
        utterance.speech_end_sample = before[-1].end_sample
        was_speech = windows[at - 1].is_voiced
        is_cut = was_speech and windows[at].is_voiced
        is_over = not any(window.is_voiced for window in windows[at:])
        cause = EndCause.SILENCE if is_over else EndCause.LENGTH
        events: list[Endpointing] = [self._close(windows[at].start_sample, cause, is_cut=is_cut)]
        self._is_splitting = True
        for window in windows[at:]:
            events += self._add_window(window, was_speech=was_speech)
            was_speech = window.is_voiced
        self._is_splitting = False
        return events
