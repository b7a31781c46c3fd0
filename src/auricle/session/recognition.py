"""From utterances to text: which jobs to submit, and how their results become events.

Finals are emitted in the order of their utterances. Partials and speculative finals are requested
as often as the load allows, and are dropped first.
"""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from math import inf

from auricle.audio.endpointer import (
    Endpointing,
    Pause,
    Resumed,
    SpeechStart,
    TurnQuestion,
    UtteranceEnd,
)
from auricle.session.arrivals import ArrivalLog
from auricle.session.context import NO_CONTEXT, DecodingContext
from auricle.session.output import Cancel, Submit, UnfinishedAudio
from auricle.session.pace import Pace
from auricle.session.speakers import SessionSpeakers
from auricle.session.turn_end import TurnEnd
from auricle.session.utterances.final import PendingFinal
from auricle.session.utterances.segmenter import SpeechSegmenter
from auricle.session.utterances.text import ChannelText
from auricle.session.utterances.utterance import (
    Caller,
    JobFactory,
    OpenUtterance,
    Speculation,
    UtteranceNumbers,
)
from auricle.values.errors import AuricleError, TooLate
from auricle.values.events import (
    EagerFinal,
    Final,
    Partial,
    SpeechEnded,
    SpeechStarted,
    Trigger,
    TurnResumed,
)
from auricle.values.text_filters import FilterChoice
from auricle.values.types import (
    MAX_TURN_SAMPLES,
    NO_AUDIO,
    SAMPLE_RATE_HZ,
    Job,
    JobId,
    JobKind,
    Options,
    Task,
    Transcript,
    TurnJob,
)

PARTIAL_INTERVAL_S = 1.0
EARLY_INTERVAL_S = 0.3
"""Until the first words are stable, and only while the load is low."""
UNSTABLE_INTERVAL_S = 0.6
"""For streamed partials, from their first words until some are stable."""
STREAMED_SHARE = 1 / 8
"""Interval of streamed partials as a share of the utterance, if that is longer: its encoding takes
time in proportion, so that long utterances do not cost more per second than short ones."""
MAX_STREAMED_LOAD = 0.5
NO_PARTIALS_LOAD = 0.9
NO_EARLY_PARTIALS_LOAD = 0.5
LONG_PAUSE_SAMPLES = SAMPLE_RATE_HZ // 10
"""More silence than in a first :class:`.Pause` before a speculative final that is not urgent. In
395 s of read speech, 89 pauses of 96 ms were followed by more speech within 500 ms and 51 of 192
ms, for 49 that ended an utterance: each of them costs a job that is of no use."""
RETRY_S = 0.5
"""Time after which a speculative final that failed is repeated, once in a pause."""
TOOK_SHARE = 0.3
"""Weight of the newest final in the time that finals take."""
SPARE_S = 0.1
"""A speculative final that was done this long before the end of its utterance may start later."""

RecognitionOutput = (
    Submit[Job | TurnJob]
    | Cancel
    | SpeechStarted
    | SpeechEnded
    | Partial
    | EagerFinal
    | TurnResumed
)


@dataclass(frozen=True, slots=True)
class _Ended:
    """An ended utterance whose audio is not read yet, because an earlier final is pending."""

    utterance: OpenUtterance
    event: UtteranceEnd
    arrived_at: float
    ended_at: float
    end_of_turn: float | None
    trigger: Trigger | None

    @property
    def first_sample(self) -> int:
        """Where its audio starts, with its context."""
        context_sample = self.event.context_sample
        start_sample = self.utterance.start_sample
        return start_sample if context_sample is None else min(context_sample, start_sample)


class Recognition:
    """The utterances of one session, or of one channel of it, that are open or lack their finals.

    Args:
        caller: The owner of the jobs.
        segmenter: The source of the audio.
        arrivals: The arrival times of the audio.
        pace: Whether it arrives faster than real time.
        options: The options of later utterances.
        speakers: Labels the utterances.
        wants_partials: Whether the client requested partials.
        streamed_languages: Languages whose partials are recognised apart from all other jobs, while
            ``has_streams``.
        numbers: Numbers the utterances; shared by the channels of a session.
        channel: The channel of the audio; ``None`` if channels are not transcribed apart.
        filters: Text filters for partials and finals.
        max_lag_s: Maximum delay of a final; speech whose final would come later is dropped, oldest
            first. ``None``: nothing is dropped.

    Attributes:
        options: The options of later utterances.
        load: The load of the recognisers, from 0 to 1.
        has_word_times: Whether the engine of later utterances returns words. Without their
            probabilities, the text of a doubtful utterance is kept.
        has_streams: Whether partials in the streamed languages are recognised apart now.
        turn_end: The question whether the turn has ended.
        text: The text of the channel.
    """

    def __init__(
        self,
        caller: Caller,
        segmenter: SpeechSegmenter,
        arrivals: ArrivalLog,
        pace: Pace,
        options: Options,
        speakers: SessionSpeakers,
        *,
        wants_partials: bool,
        has_word_times: bool = True,
        streamed_languages: frozenset[str] = frozenset(),
        numbers: UtteranceNumbers | None = None,
        channel: int | None = None,
        filters: Collection[FilterChoice] = (),
        max_lag_s: float | None = None,
    ) -> None:
        self._max_lag_s = inf if max_lag_s is None else max_lag_s
        self._ended: deque[_Ended] = deque()
        self._took_s = 0.0  # the latest finals, from submission to result
        self._asr_s = 0.0  # the same on the worker
        self._caller = caller
        self._segmenter = segmenter
        self._arrivals = arrivals
        self._pace = pace
        self._wants_partials = wants_partials
        self.options = options
        self._speakers = speakers
        self.has_word_times = has_word_times
        self._streamed_languages = streamed_languages
        self._open: OpenUtterance | None = None
        self._pause: Pause | None = None  # a likely end without a speculative final
        self._retry_at = -inf  # when to repeat the speculative final of this pause
        self._is_urgent = True
        self._speculated_at = inf  # when the result of the speculative final arrived
        self._pending: deque[PendingFinal] = deque()
        self._numbers = numbers or UtteranceNumbers()
        self._channel = channel
        self.turn_end = TurnEnd(
            caller.session if channel is None else f"{caller.session}:{channel}"
        )
        self.text = ChannelText(channel, filters)
        self.load = 0.0
        self.has_streams = False

    @property
    def is_done(self) -> bool:
        """Whether no utterance is open and no final is pending."""
        return self._open is None and not self.has_pending_finals

    @property
    def has_pending_finals(self) -> bool:
        """Whether the final of an ended utterance is pending."""
        return bool(self._pending or self._ended)

    @property
    def pending_since(self) -> float:
        """When the oldest utterance without a final ended; infinity if there is none."""
        if self._pending:
            return self._pending[0].ended_at
        return self._ended[0].ended_at if self._ended else inf

    def has_pending(self, utterance: int) -> bool:
        """Return whether a final up to that of this ended utterance is pending."""
        if self._pending:
            return self._pending[0].factory.number <= utterance
        return bool(self._ended) and self._ended[0].utterance.number <= utterance

    @property
    def ready_utterance(self) -> int | None:
        """Number of the utterance that :meth:`next_final` returns the final of; else ``None``."""
        if not self._pending or self._pending[0].result is None:
            return None
        return self._pending[0].factory.number

    @property
    def unfinished_samples(self) -> int:
        """Length of the audio of utterances whose finals are pending, including the open one."""
        if self.is_done:
            return 0
        waiting = sum(pending.pcm.size for pending in self._pending)
        waiting += sum(
            ended.event.end_sample - ended.utterance.start_sample for ended in self._ended
        )
        started = self._open.start_sample if self._open else self._segmenter.received_sample
        return waiting + self._segmenter.received_sample - started

    @property
    def needed_sample(self) -> int:
        """The start of the oldest utterance without a final, or the earliest start of the next."""
        if self._pending:
            return self._pending[0].start_sample
        if self._ended:
            return self._ended[0].utterance.start_sample
        return self._segmenter.needed_sample

    @property
    def unread_sample(self) -> int | None:
        """Start of the audio of ended utterances that is not read yet, if there is some."""
        return min((ended.first_sample for ended in self._ended), default=None)

    def receive(self, event: Endpointing, now: float) -> list[RecognitionOutput]:
        """Process an endpointing event."""
        match event:
            case SpeechStart():
                factory = JobFactory(self._caller, self._numbers.next())
                self._open = OpenUtterance(
                    factory,
                    event.start_sample,
                    event.at_sample,
                    self._utterance_options(),
                    self.text.language,
                    now,
                    self.has_word_times,
                )
                return [SpeechStarted(event.at_sample, self._channel)]
            case Pause():
                assert self._open is not None
                self._open.pause, self._retry_at = event, -inf
                self._pause = None if event.is_doubtful else event
                return list(self._speculate(now))
            case TurnQuestion():
                first_sample = max(event.start_sample, event.at_sample - MAX_TURN_SAMPLES)
                pcm = self._segmenter.read(first_sample, event.at_sample)
                return [self.turn_end.ask(pcm, now)]
            case Resumed():
                return self._resume()
            case UtteranceEnd():
                return self._end(event, now)

    def _utterance_options(self) -> Options:
        """Return the options of an utterance that starts now.

        Word times, which split a final between speakers, cost a tenth of its recognition. While
        other work waits, only a client that requested them gets them.
        """
        splits = self._speakers.is_labelling and self.has_word_times and not self.load
        options = self.options
        return replace(options, word_timestamps=True) if splits else options

    def poll(self, now: float) -> list[Submit[Job] | EagerFinal]:
        """Return the jobs that are due, and the eager final of a pause."""
        if self.is_done:
            return []
        kind = JobKind.FILE if self._pace.is_ahead(now) else JobKind.FINAL
        due = [pending.submit(kind, now) for pending in self._pending]
        outputs: list[Submit[Job] | EagerFinal] = [submit for submit in due if submit is not None]
        outputs += self._speculate(now)
        outputs += self._eager_final(now)
        if self._partial_due_at(now) <= now:
            outputs.append(self._start_partial(now))
        return outputs

    def wake_at(self, now: float) -> float:
        """Return when to call :meth:`poll` next; infinity if there is nothing to do."""
        if self.is_done:
            return inf
        finals = min((pending.wake_at for pending in self._pending), default=inf)
        return min(finals, self._partial_due_at(now), self.turn_end.due_at)

    def job_done(
        self, job_id: JobId, result: Transcript | AuricleError, now: float
    ) -> list[Cancel | Partial]:
        """Receive the result of a job; results of unknown jobs are ignored."""
        outputs: list[Cancel | Partial] = []
        if self._open is not None:
            early = self._open.speculation
            partial = self._open.job_done(job_id, result)
            if partial is not None:
                outputs.append(self.text.shown(partial, self._open.language))
            if early is not None and early.job_id == job_id:
                self._speculation_done(self._open, now)
        for pending in self._pending:
            was_pending = pending.result is None
            cancel = pending.job_done(job_id, result, now)
            outputs += [cancel] if cancel is not None else []
            if was_pending and pending.result is not None:
                self._took_s += TOOK_SHARE * (pending.took_s(now) - self._took_s)
                if isinstance(pending.result, Transcript):
                    asr_s = pending.result.timing.asr_ms / 1000
                    self._asr_s += TOOK_SHARE * (asr_s - self._asr_s)
        return outputs

    def next_final(self, id: int, now: float) -> Final | None:
        """Return the final of the next utterance in order; ``None`` while it is pending.

        Args:
            id: The number of the final in its session.
            now: Monotonic time, in seconds.
        """
        if not self._pending or self._pending[0].result is None:
            return None
        return self.text.final(id, self._pending.popleft(), now)

    @property
    def language_warning(self) -> str | None:
        """A warning that the last final is probably not in the requested language."""
        return self.text.language_warning

    def unfinished_audio(self, written: Mapping[int, int]) -> list[UnfinishedAudio]:
        """Return the utterances without a final; see :class:`.Channels`."""
        unfinished = []
        for pending in self._pending:
            if not pending.pcm.size:  # dropped
                continue
            first = written.get(pending.factory.number, 0)
            unfinished.append(
                UnfinishedAudio(
                    utterance=pending.factory.number,
                    start_sample=pending.start_sample,
                    samples=pending.pcm.size,
                    pcm=pending.pcm[first:],
                    options=pending.options,
                    is_doubtful=pending.is_doubtful,
                    context=pending.context,
                    channel=self._channel,
                )
            )
        for ended in self._ended:
            utterance, event = ended.utterance, ended.event
            if not self._segmenter.holds(utterance.start_sample):
                continue
            first_sample = utterance.start_sample + written.get(utterance.number, 0)
            unfinished.append(
                UnfinishedAudio(
                    utterance=utterance.number,
                    start_sample=utterance.start_sample,
                    samples=event.end_sample - utterance.start_sample,
                    pcm=self._segmenter.read(first_sample, event.end_sample),
                    options=utterance.options,
                    is_doubtful=event.is_doubtful and utterance.has_word_times,
                    context=self._context(utterance, event.context_sample, event.end_sample),
                    channel=self._channel,
                )
            )
        if self._open is not None:
            utterance = self._open
            start_sample, end_sample = utterance.start_sample, self._segmenter.received_sample
            first = written.get(utterance.number, 0)
            unfinished.append(
                UnfinishedAudio(
                    utterance=utterance.number,
                    start_sample=start_sample,
                    samples=end_sample - start_sample,
                    pcm=self._segmenter.read(start_sample + first, end_sample),
                    options=utterance.options,
                    is_doubtful=self._segmenter.is_doubtful and utterance.has_word_times,
                    context=self._context(
                        utterance, self._segmenter.decoded_context_sample, start_sample
                    ),
                    channel=self._channel,
                )
            )
        return unfinished

    def discard(self) -> list[Cancel]:
        """Drop the open utterance; return the jobs to cancel."""
        utterance, self._open, self._pause = self._open, None, None
        self.turn_end.resume()
        if utterance is None:
            return []
        cancels = (utterance.drop_speculation(), utterance.drop_partial())
        return [cancel for cancel in cancels if cancel is not None]

    def _speculate(self, now: float) -> list[Submit[Job]]:
        """Submit the speculative final of a pause.

        It is submitted at once if workers are idle and the previous one was not done early enough,
        else a little later. Its audio is that of the final, whenever it is submitted. The scheduler
        starts it only where it delays no final.
        """
        utterance, pause = self._open, self._pause
        if utterance is None or pause is None or self._pace.is_ahead(now):
            return []
        if now < self._retry_at:
            return []
        waited_samples = self._segmenter.received_sample - pause.end_sample
        is_urgent = self._is_urgent and not self.load
        if not is_urgent and waited_samples < LONG_PAUSE_SAMPLES:
            return []
        self._pause, self._speculated_at = None, inf
        self._speakers.receive(utterance.number, pause, self._segmenter, now)
        pcm = self._segmenter.read(utterance.start_sample, pause.end_sample)
        context = self._context(utterance, pause.context_sample, pause.end_sample)
        return [utterance.start_speculation(pcm, now, context)]

    def _speculation_done(self, utterance: OpenUtterance, now: float) -> None:
        """Note the result of a speculative final; one that failed is repeated for an eager one."""
        if utterance.speculation is not None:
            self._speculated_at = now
        elif self.turn_end.wants_eager and self._retry_at == -inf:
            self._pause, self._retry_at = utterance.pause, now + RETRY_S

    def _context(
        self, utterance: OpenUtterance, context_sample: int | None, end_sample: int
    ) -> DecodingContext:
        if not utterance.has_word_times:
            return NO_CONTEXT
        return self._segmenter.read_context(context_sample, utterance.start_sample, end_sample)

    def _eager_final(self, now: float) -> list[EagerFinal]:
        """Return the eager final of the present pause, once, if its text is known.

        It is the final that the utterance will have if no more speech follows.
        """
        utterance = self._open
        if utterance is None or utterance.has_eager or self._pending:
            return []
        pause, early, turn_end = utterance.pause, utterance.speculation, self.turn_end
        if pause is None or early is None or early.result is None or not turn_end.is_eager:
            return []
        speech_end_sample = pause.voiced[-1][1] if pause.voiced else pause.end_sample
        pending = self._pending_final(utterance, pause, speech_end_sample, early, now)
        assert turn_end.probability is not None
        final = self.text.eager(pending, turn_end.probability, now)
        if final is None:
            return []
        utterance.has_eager = True
        return [final]

    def _resume(self) -> list[RecognitionOutput]:
        utterance, self._pause = self._open, None
        assert utterance is not None
        self.turn_end.resume()
        outputs = self._withdraw_eager(utterance)
        utterance.pause = None
        cancel = utterance.drop_speculation()
        return outputs if cancel is None else [*outputs, cancel]

    def _withdraw_eager(self, utterance: OpenUtterance) -> list[RecognitionOutput]:
        """Return the message that the eager final of this pause does not hold, if it was sent."""
        was_sent, utterance.has_eager = utterance.has_eager, False
        return [TurnResumed(utterance.number, self._channel)] if was_sent else []

    def _end(self, event: UtteranceEnd, now: float) -> list[RecognitionOutput]:
        """End the open utterance; its final becomes pending."""
        utterance, self._open, self._pause = self._open, None, None
        assert utterance is not None
        self._speakers.receive(utterance.number, event, self._segmenter, now)
        outputs: list[RecognitionOutput] = [SpeechEnded(event.speech_end_sample, self._channel)]
        early = utterance.speculation
        if early is None or early.result is None:
            self._is_urgent = True
        elif now - self._speculated_at >= SPARE_S:
            self._is_urgent = False
        if early is not None and early.end_sample != event.end_sample:
            early = None
            outputs += self._withdraw_eager(utterance)
            cancel = utterance.drop_speculation()
            outputs += [cancel] if cancel is not None else []
        cancel = utterance.drop_partial()
        outputs += [cancel] if cancel is not None else []
        end_of_turn, trigger = self.turn_end.probability, self.turn_end.trigger(event.cause)
        self.turn_end.resume()
        if self._max_lag_s < inf and self._is_decoding:
            cancel = utterance.drop_speculation()
            outputs += [cancel] if cancel is not None else []
            arrived_at = self._arrivals.arrived_at(event.speech_end_sample)
            arrived_at = now if arrived_at is None else arrived_at
            self._ended.append(_Ended(utterance, event, arrived_at, now, end_of_turn, trigger))
            return outputs
        pending = self._pending_final(utterance, event, event.speech_end_sample, early, now)
        pending.end_of_turn, pending.trigger = end_of_turn, trigger
        self._pending.append(pending)
        return outputs

    @property
    def _is_decoding(self) -> bool:
        """Whether a final is pending, or an ended utterance waits for one."""
        return bool(self._ended) or any(pending.result is None for pending in self._pending)

    def read_ended(self, now: float) -> None:
        """Make the next ended utterance pending once no final is; drop those that are too late."""
        while self._ended and all(pending.result is not None for pending in self._pending):
            ended = self._ended.popleft()
            utterance, event = ended.utterance, ended.event
            is_held = self._segmenter.holds(utterance.start_sample)
            if is_held and now < self._latest_start(ended):
                speech_end = event.speech_end_sample
                pending = self._pending_final(utterance, event, speech_end, None, ended.ended_at)
            else:
                pending = PendingFinal(
                    factory=utterance.factory,
                    pcm=NO_AUDIO,
                    start_sample=utterance.start_sample,
                    end_sample=event.end_sample,
                    speech_sample=utterance.speech_sample,
                    speech_end_sample=event.speech_end_sample,
                    options=utterance.options,
                    arrived_at=ended.arrived_at,
                    ended_at=ended.ended_at,
                    result=TooLate(),
                )
            pending.end_of_turn, pending.trigger = ended.end_of_turn, ended.trigger
            self._pending.append(pending)

    def _latest_start(self, ended: _Ended) -> float:
        """Return when an utterance must start, so that it and all later ones are in time."""
        later = enumerate((ended, *self._ended))
        return min(
            each.arrived_at + self._max_wait_s - position * self._took_s for position, each in later
        )

    @property
    def _max_wait_s(self) -> float:
        """Time from the arrival of an utterance's end until its final must start."""
        return self._max_lag_s - min(self._asr_s, self._max_lag_s / 2)

    def _pending_final(
        self,
        utterance: OpenUtterance,
        end: Pause | UtteranceEnd,
        speech_end_sample: int,
        early: Speculation | None,
        now: float,
    ) -> PendingFinal:
        """Return the final that an utterance has if it ends here."""
        arrived_at = self._arrivals.arrived_at(speech_end_sample)
        return PendingFinal(
            factory=utterance.factory,
            pcm=self._segmenter.read(utterance.start_sample, end.end_sample),
            start_sample=utterance.start_sample,
            end_sample=end.end_sample,
            speech_sample=utterance.speech_sample,
            speech_end_sample=speech_end_sample,
            options=utterance.options,
            arrived_at=now if arrived_at is None else arrived_at,
            ended_at=now,
            give_up_at=(now if arrived_at is None else arrived_at) + self._max_wait_s,
            speculation=early,
            is_doubtful=end.is_doubtful and utterance.has_word_times,
            is_cut=isinstance(end, UtteranceEnd) and end.is_cut,
            is_unfinished=(
                isinstance(end, UtteranceEnd) and end.is_unfinished and utterance.has_word_times
            ),
            context=self._context(utterance, end.context_sample, end.end_sample),
        )

    def _partial_due_at(self, now: float) -> float:
        utterance = self._open
        if utterance is None or not self._wants_partials or self._pace.is_ahead(now):
            return inf
        if self._partial_load(utterance) >= NO_PARTIALS_LOAD:
            return inf
        if self._segmenter.is_doubtful:  # text shown for a breath would have to be withdrawn
            return inf
        if not utterance.wants_partial(self._segmenter.received_sample):
            return inf
        return utterance.next_partial_at

    def _start_partial(self, now: float) -> Submit[Job]:
        utterance = self._open
        assert utterance is not None
        pcm = self._segmenter.read(utterance.start_sample, self._segmenter.received_sample)
        load = self._partial_load(utterance)
        is_early = not utterance.agreement.stable and load < NO_EARLY_PARTIALS_LOAD
        interval_s = EARLY_INTERVAL_S if is_early else PARTIAL_INTERVAL_S
        is_streamed = self._is_streamed(utterance)
        if is_streamed and utterance.agreement.unstable:
            interval_s = UNSTABLE_INTERVAL_S if is_early else interval_s
            interval_s = max(interval_s, STREAMED_SHARE * pcm.size / SAMPLE_RATE_HZ)
        next_at = now + interval_s / (1 - load)
        return utterance.start_partial(pcm, next_at, is_streamed=is_streamed)

    def _is_streamed(self, utterance: OpenUtterance) -> bool:
        is_known = utterance.language in self._streamed_languages
        return self.has_streams and is_known and utterance.options.task is Task.TRANSCRIBE

    def _partial_load(self, utterance: OpenUtterance) -> float:
        """Return the load that limits partials.

        Those that are recognised apart never end, as their workers take only the time that finals
        leave: one every 2 s while the recognisers are busy.
        """
        return min(self.load, MAX_STREAMED_LOAD) if self._is_streamed(utterance) else self.load
