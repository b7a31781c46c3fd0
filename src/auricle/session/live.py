"""One live session: client messages and job results in, events and jobs out.

It does no I/O and reads no clock: the caller passes the time. After each call, the caller drains
:meth:`LiveSession.next_output` until ``None``, then checks :attr:`LiveSession.wants_data`, and
calls :meth:`LiveSession.poll` at :attr:`LiveSession.wake_at`. Both may have changed.

::

    messages → intake (wire format, clock) → channels (endpoints, recognition) → finals → journal
                                                           ↓ ↑                               ↓
                                                       jobs, results                events, replays

A channel (:mod:`.channel`) has its own utterances, and its own order of finals. What joins several
channels is here: all finals share one sequence of numbers, in the order in which they are done.

A session outlives its connections. Without a connection, it continues to process the audio that it
has received, and keeps only finals, to replay them later.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from math import inf

import numpy as np
import numpy.typing as npt
from msgspec import UNSET, structs

from auricle.audio.channel_comparison import ChannelComparison, SimilarChannels
from auricle.audio.endpointer import EndpointRules
from auricle.audio.gate import SpeechProbabilities, VoiceDetector
from auricle.audio.opus import LibOpus
from auricle.config.settings import NO_PARTIALS, LiveSettings
from auricle.engines.models import Models
from auricle.session.channel import Channel
from auricle.session.choice import ModelChoice
from auricle.session.flushes import PendingFlushes
from auricle.session.intake import MAX_STEP_SAMPLES, Intake, IntakeEvent, OrderedCommand
from auricle.session.journal import Journal
from auricle.session.marks import Marks
from auricle.session.outbox import Outbox
from auricle.session.output import JobResult, Output, Prepare, Revised, Submit, UnfinishedAudio
from auricle.session.recognition import Recognition
from auricle.session.speakers import SessionSpeakers, revision
from auricle.session.utterances.segmenter import SpeechSegmenter
from auricle.session.utterances.utterance import Caller, UtteranceNumbers
from auricle.values.commands import (
    Ack,
    Configure,
    Discard,
    Finalize,
    Flush,
    Keepalive,
    SessionCommand,
    Spare,
    Stop,
    StreamParameters,
    UpdateConfig,
)
from auricle.values.errors import AuricleError
from auricle.values.events import (
    Closed,
    Discarded,
    EagerFinal,
    Final,
    Finalized,
    Flushed,
    Ready,
    SpeechEnded,
    SpeechStarted,
    Warned,
    WarningCode,
)
from auricle.values.speakers import NO_SPEAKERS, SpeakerLabelling
from auricle.values.types import (
    SAMPLE_RATE_HZ,
    ClientId,
    JobId,
    SpeakerEmbeddings,
    SpeakerOptions,
    Transcript,
    TurnDetection,
    TurnJob,
)

MAX_UNFINISHED_SAMPLES = 60 * SAMPLE_RATE_HZ
"""With more audio than this pending in the utterances of a channel, no messages are read."""
SPARED_S = 0.3
"""Wait for audio after a request that spared an utterance; live audio continues within 0.1 s."""
MAX_STEPS_AT_ONCE = 100
"""Maximum packets or container slices processed in one step, regardless of their duration."""

NO_TURNS = Warned(
    WarningCode.TURNS_UNAVAILABLE,
    "The end of turns can't be judged now; silence ends utterances.",
)


class LiveSession:
    """A stream of speech, its utterances and their finals.

    Args:
        parameters: The stream parameters from the client.
        settings: Settings of live recognition.
        libopus: The library that decodes packets.
        id: The session ID.
        secret: The secret that a client presents to resume the session.
        client: The client whose share of the queue is used.
        reservations: The queue reservation for finals of each model, by its name in the options.
        now: Monotonic time in seconds.
        models: The models of the server.
        streamed_languages: Languages whose partials are recognised apart from all other jobs, if
            :meth:`set_load` says so.
        speakers: Labels the speakers by the results of its jobs.
        judges_turns: Whether turns can be judged; otherwise silence ends utterances.
        known_voices: The voices of a lost session, whose speakers' numbers continue; empty: none.
        detector: Creates the detector of speech of a channel.

    Raises:
        ModelNotFound: There is no such model.
        BadRequest: The model does not support the language or the task, the numbers of speakers are
            impossible, a number of turn detection is out of range, or the format does not have
            the channels.
    """

    def __init__(
        self,
        parameters: StreamParameters,
        settings: LiveSettings,
        libopus: LibOpus,
        *,
        id: str,
        secret: str,
        client: ClientId,
        reservations: Mapping[str, str],
        now: float,
        models: Models,
        streamed_languages: frozenset[str] = frozenset(),
        speakers: SpeakerLabelling = NO_SPEAKERS,
        judges_turns: bool = False,
        is_resuming: bool = False,
        known_voices: bytes = b"",
        detector: Callable[[], SpeechProbabilities] = VoiceDetector,
    ) -> None:
        self.id = id
        self.secret = secret
        if parameters.max_lag_s is None and settings.max_lag_s:
            parameters = structs.replace(parameters, max_lag_s=settings.max_lag_s)
        self.parameters = parameters
        self._models = models
        self._choice = ModelChoice.of(parameters, models)
        engine = self._choice.model.engine
        rules = EndpointRules(endpoint_ms=parameters.endpoint_ms or settings.endpoint_ms)
        rules = rules.within(engine.max_audio_s)
        self._intake = Intake(parameters, libopus, now, self._is_any_open, is_resuming=is_resuming)
        self._numbers = UtteranceNumbers()
        self._speakers = SessionSpeakers(speakers, id, client, known_voices)
        caller = Caller(id, client, reservations)

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
                self._intake.arrivals,
                self._intake.pace,
                self._choice.options,
                self._speakers,
                wants_partials=parameters.partials and settings.partial_model != NO_PARTIALS,
                has_word_times=engine.has_word_times,
                streamed_languages=streamed_languages,
                numbers=self._numbers,
                channel=number if parameters.multichannel else None,
                filters=parameters.filters,
                max_lag_s=parameters.max_lag_s,
            )
            return Channel(segmenter, recognition)

        self._channels = tuple(map(channel, range(parameters.separate_channels)))
        self._comparison = ChannelComparison(len(self._channels))
        self._load = 0.0
        self._stopped_at = inf
        self._step_samples = MAX_STEP_SAMPLES // parameters.separate_channels
        self._journal = Journal()
        self._outbox = Outbox()
        self._flushes = PendingFlushes(self._channels)
        self._marks = Marks(parameters, self._intake, self._channels)
        self._spared: tuple[int, float] | None = None  # at which position, until when
        self._now = now
        self._was_attached = False
        self._is_behind = False
        self._is_stopping = self._is_closed = False
        self._judges_turns = judges_turns
        self._has_warned_of_turns = False
        self._request_speakers(parameters.speaker_options)
        self._request_turns(parameters.turns)

    # State.

    @property
    def model(self) -> str:
        """Name of the model of later utterances."""
        return self._choice.model.name

    @property
    def is_stopping(self) -> bool:
        """Whether the client has ended the audio."""
        return self._is_stopping

    @property
    def has_pending_finals(self) -> bool:
        """Whether the final of an ended utterance is pending."""
        return any(channel.recognition.has_pending_finals for channel in self._channels)

    @property
    def pending_since(self) -> float:
        """When the oldest utterance without a final ended; infinity if there is none.

        In monotonic seconds. It is infinity for a stream that is ahead of real time, too, which
        waits for live speech.
        """
        if self.is_ahead:
            return inf
        return min(channel.recognition.pending_since for channel in self._channels)

    @property
    def busy_channels(self) -> int:
        """Number of channels with an open utterance or a pending final."""
        return sum(not channel.recognition.is_done for channel in self._channels)

    @property
    def is_closed(self) -> bool:
        """Whether all finals and then ``Closed`` were sent."""
        return self._is_closed

    @property
    def is_resumable(self) -> bool:
        """Whether the wire format can resume after a lost connection."""
        return self._intake.is_resumable

    @property
    def received_sample(self) -> int:
        """The position of the next expected sample."""
        return self._intake.received_sample

    @property
    def safe_sample(self) -> int:
        """The position up to which all speech is in finals."""
        return self._marks.safe_sample

    @property
    def is_ahead(self) -> bool:
        """Whether audio arrives faster than real time, as from a file."""
        return self._intake.pace.is_ahead(self._now)

    @property
    def wants_data(self) -> bool:
        """Whether to read client messages now; not reading applies back-pressure."""
        return not self._is_behind and self._has_room

    @property
    def unacknowledged(self) -> tuple[Final, ...]:
        """The unacknowledged finals, oldest first."""
        return self._journal.finals

    @property
    def last_final(self) -> int:
        """The number of the newest final; 0 if there is none."""
        return self._journal.next_id - 1

    @property
    def labelled_finals(self) -> int:
        """Number of finals with speakers; if it is the same, so are the known voices."""
        return self._speakers.labelled_finals

    @property
    def has_voices(self) -> bool:
        """Whether there are known voices."""
        return self._speakers.has_voices

    def known_voices(self) -> bytes:
        """Return the voices of all speakers so far, also of a lost session; empty: no voice."""
        return self._speakers.voices()

    @property
    def wake_at(self) -> float:
        """When to call :meth:`poll` next; infinity if there is nothing to do."""
        if self._is_behind and self._has_room:
            return self._now
        wake_at = min([channel.recognition.wake_at(self._now) for channel in self._channels])
        if self._spared is not None:
            wake_at = min(wake_at, self._spared[1])
        if not self._speakers.has_started:
            return wake_at
        stopped_at = self._stopped_at if self._is_done else inf
        return min(wake_at, self._speakers.wake_at(stopped_at, self._now))

    def unfinished_audio(self, written: Mapping[int, int]) -> list[UnfinishedAudio]:
        """Return the utterances without a final, in the order of each channel.

        Args:
            written: Samples of them that were written, by the number of the utterance; the audio
                after them is returned.
        """
        return [
            audio
            for channel in self._channels
            for audio in channel.recognition.unfinished_audio(written)
        ]

    # Input.

    def attach(self, now: float, last_result: int | None = None) -> None:
        """Attach a connection, the first or a later one.

        Emits ``Ready``, then every final after ``last_result``. A partial message of the previous
        connection is dropped, because the client sends it again.
        """
        self._tick(now)
        self._outbox.drop_events()
        if self._was_attached:
            if self._outbox.is_attached and not self.is_resumable:  # taken over; see detach
                self.conclude(now)
            self._intake.reconnect()
            self._is_behind = False
        self._journal.acknowledge(last_result or 0)
        missed = self._journal.finals
        self._outbox.is_attached = True
        # Until the client has the missed finals, it must keep their audio.
        safe_sample = min([self.safe_sample, *(final.start_sample for final in missed)])
        self._put(
            Ready(
                session=self.id,
                secret=self.secret,
                resumed=self._was_attached,
                resumable=self.is_resumable,
                received_sample=self.received_sample,
                safe_sample=safe_sample,
                model=self.model,
                speakers_continue=self._speakers.continue_known,
            )
        )
        for final in missed:
            self._put(final)
        if (revised := self._speakers.revision_until(last_result or 0)) is not None:
            self._put(revised)
        if missed:
            self._mark()
        self._was_attached = True
        self._is_closed = False
        self._close_if_done()

    def detach(self, now: float) -> None:
        """Detach the lost connection; the session continues.

        If the wire format cannot resume, the open utterance ends here, so that a client can still
        request its final.
        """
        if not self.is_resumable:
            self.conclude(now)
        self._tick(now)
        self._outbox.is_attached = False
        self._outbox.drop_events()

    def receive_data(self, *messages: bytes, now: float) -> None:
        """Receive binary messages that arrived together; they are ignored after ``stop``.

        Raises:
            RemoteProtocolError: The data violates the wire format. Valid data before it is
                processed; data after it is ignored until :meth:`attach`.
            AudioError: The container is invalid.
            UnsupportedFormat: The data is not in the declared format.
        """
        for data in messages:
            self._intake.put(data)
        self._go_on(now)

    def receive_command(self, command: SessionCommand, now: float) -> None:
        """Receive a command; commands that affect audio wait for the audio sent before them.

        Raises:
            ModelNotFound: There is no such model.
            BadRequest: The model does not support the language.
            RemoteProtocolError: As for :meth:`receive_data`, for data sent before the command.
        """
        match command:
            case Ack(result):
                self._journal.acknowledge(result)
            case Keepalive():
                pass
            case Configure():
                self._intake.configured(command)
                self._choice.after(command, self._models)
                self._intake.put(command)
            case Finalize() | Stop() | Flush() | Discard():
                self._intake.put(command)
        self._go_on(now)

    def conclude(self, now: float) -> None:
        """End the open utterance now, even after a protocol error."""
        self._tick(now)
        if self._is_stopping:
            return
        if self._put_all(each.finalize(now) for each in self._channels):
            self._mark()
            self._settle()

    def job_done(self, job_id: JobId, result: JobResult, now: float) -> None:
        """Receive the result of a job; results of unknown jobs are ignored."""
        self._tick(now)
        if isinstance(result, Transcript | AuricleError):
            self._put_all(each.recognition.job_done(job_id, result, now) for each in self._channels)
        if isinstance(result, SpeakerEmbeddings | AuricleError):
            self._speakers.job_done(job_id, result, now)
        if isinstance(result, float | AuricleError):
            self._put_all(each.turn_judged(job_id, result, now) for each in self._channels)
        self._settle()

    def set_load(self, load: float, *, has_streams: bool = False) -> None:
        """Set the load of the recognisers: 0 is idle, 1 is full.

        Args:
            load: The load.
            has_streams: Whether partials are recognised apart from all other jobs now.
        """
        self._load = min(max(load, 0.0), 1.0)
        for channel in self._channels:
            channel.recognition.load, channel.recognition.has_streams = self._load, has_streams

    def poll(self, now: float) -> None:
        """Perform all work that is due.

        Raises:
            RemoteProtocolError: As for :meth:`receive_data`, for data that was not processed yet.
        """
        self._go_on(now)

    def remark(self) -> None:
        """Send the marks again, as a sign of life while the server does not read."""
        self._put(self._marks.progress())

    def next_output(self) -> Output | None:
        """Return the next output; ``None`` when there is none left."""
        return self._outbox.next()

    # Implementation.

    @property
    def _has_room(self) -> bool:
        if self._flushes.is_full:
            return False
        for channel in self._channels:
            if channel.recognition.unfinished_samples > MAX_UNFINISHED_SAMPLES:
                return False
        return True

    @property
    def _is_done(self) -> bool:
        """Whether no utterance is open and no final is pending."""
        return all(channel.recognition.is_done for channel in self._channels)

    def _is_any_open(self) -> bool:
        """Return whether an utterance is open in any channel."""
        return any(channel.segmenter.is_open for channel in self._channels)

    def _go_on(self, now: float) -> None:
        """Process one step of the received data, and all other work that is due."""
        self._tick(now)
        self._put_all(each.drop_overdue_turn(now) for each in self._channels)
        intake = self._intake
        until_sample = intake.clock_sample + self._step_samples
        steps, self._is_behind = 0, not self._has_room
        try:
            while not self._is_behind and (event := intake.next_event(now)) is not None:
                self._take(event, now)
                steps += event.steps
                is_done = steps >= MAX_STEPS_AT_ONCE or intake.clock_sample >= until_sample
                self._is_behind = is_done or not self._has_room
            self._end_spared(now)
        finally:
            for channel in self._channels:
                channel.forget()
            self._settle()

    def _tick(self, now: float) -> None:
        if not self._has_room:
            self._intake.pace.rest(now)
        self._now = now

    def _take(self, event: IntakeEvent, now: float) -> None:
        if event.pcm.size:
            self._segment(event.pcm, now)
            if event.pcm.ndim > 1:
                self._warn_of_similarity(self._comparison.receive(event.pcm))
        elif event.skipped_samples:
            for channel in self._channels:
                channel.segmenter.skip(event.skipped_samples)
        if isinstance(event.notice, Warned):
            self._outbox.hold(event.notice)
            self._outbox.warn(self.received_sample)
        elif event.notice is not None:
            self._put(event.notice)
        if event.command is not None:
            self._do(event.command, now)

    def _segment(self, pcm: npt.NDArray[np.int16], now: float) -> list[Output]:
        """Pass samples to the channels; return their outputs, which are emitted.

        Args:
            pcm: Shape [channels, samples]; [samples] is for all channels, such as silence.
            now: Monotonic time in seconds.
        """
        is_multichannel = pcm.ndim > 1
        return self._put_all(
            channel.receive(pcm[number] if is_multichannel else pcm, now)
            for number, channel in enumerate(self._channels)
        )

    def _do(self, command: OrderedCommand, now: float) -> None:
        if self._is_stopping:
            return
        match command:
            case Finalize():
                outputs = self._put_all(
                    each.finalize(now, spares_onset=True) for each in self._channels
                )
                self._mark()
                self._spare_onset(outputs, now)
            case Flush():
                self._flush(command, now)
            case Discard():
                self._discard()
            case Configure():
                self._configure(command, now)
            case Stop():
                self._is_stopping, self._stopped_at = True, now
                self._segment(self._intake.finish(now), now)
                self._put_all(each.finish(now) for each in self._channels)
                self._warn_of_similarity(self._comparison.finish())

    def _flush(self, command: Flush, now: float) -> None:
        """End the open utterances, and confirm it for each channel, or for one."""
        is_spared = self._is_spared(command.spares)
        outputs: list[Output] = []
        if not is_spared:
            is_onset_spared = command.spares is Spare.ONSET
            outputs = self._end(command.channel, now, spares_onset=is_onset_spared)
        self._mark()
        at_sample = self.received_sample
        if is_spared:
            self._spared = at_sample, now + SPARED_S
        self._spare_onset(outputs, now)
        ended = {output.channel for output in outputs if isinstance(output, SpeechEnded)}
        for number, channel in self._chosen(command.channel):
            name = number if self.parameters.multichannel else None
            self._put(Flushed(at_sample, name in ended, name, channel.segmenter.is_open))
            self._flushes.add(Finalized(at_sample, name), self._numbers.last)

    def _end(self, only: int | None, now: float, *, spares_onset: bool = False) -> list[Output]:
        """End the open utterances, or one channel's, after all buffered audio."""
        outputs = self._segment(self._intake.receive_rest(now), now)
        return outputs + self._put_all(
            channel.flush(now, spares_onset=spares_onset) for _, channel in self._chosen(only)
        )

    def _chosen(self, only: int | None) -> list[tuple[int, Channel]]:
        """Return a channel with its number; ``None``: all of them."""
        return [each for each in enumerate(self._channels) if only in (None, each[0])]

    def _is_spared(self, spares: Spare) -> bool:
        """Return whether a flush spares what may be open."""
        match spares:
            case Spare.NOTHING | Spare.ONSET:
                return False
            case Spare.SPEECH:
                return any(each.segmenter.is_speaking for each in self._channels)
            case Spare.UTTERANCE:
                return True

    def _spare_onset(self, outputs: Iterable[Output], now: float) -> None:
        """Wait for audio after a sound that a request has spared, to end it if none follows."""
        if any(isinstance(output, SpeechStarted) for output in outputs):
            self._spared = self.received_sample, now + SPARED_S

    def _end_spared(self, now: float) -> None:
        """End the utterances that a request has spared, if no audio has followed."""
        if self._spared is None:
            return
        at_sample, until = self._spared
        if self.received_sample == at_sample and now < until:
            return
        self._spared = None
        if self.received_sample == at_sample:
            self._end(None, now)
            self._mark()

    def _discard(self) -> None:
        self._put_all(each.discard() for each in self._channels)
        self._mark()
        self._put(Discarded(self.received_sample))

    def _configure(self, command: Configure, now: float) -> None:
        choice = self._choice.after(command, self._models)
        if command.endpoint_ms is not UNSET:
            for channel in self._channels:
                channel.segmenter.configure(command.endpoint_ms)
        self._segment(self._intake.configure(command, now), now)
        self._choice = choice
        for channel in self._channels:
            channel.use(choice)
        if isinstance(command, UpdateConfig) and command.speakers is not UNSET:
            self._request_speakers(SpeakerOptions() if command.speakers else None)
        if isinstance(command, UpdateConfig) and command.turns is not UNSET:
            self._request_turns(command.turns)

    def _settle(self) -> None:
        """Emit the finals, jobs, warnings and marks that are due after a change."""
        for channel in self._channels:
            if channel.recognition.turn_end.take_failure():
                self._warn_of_turns()
            channel.recognition.read_ended(self._now)
        self._report_finalized()
        while final := self._next_final():
            self._journal.add(final)
            self._put(final)
            self._mark()
            self._report_finalized()
        if self._speakers.has_started:
            self._compare_speakers()
        self._put_all(each.recognition.poll(self._now) for each in self._channels)
        self._outbox.warn(self.received_sample)
        if self._marks.are_due:
            self._mark()
        self._close_if_done()

    def _next_final(self) -> Final | None:
        """Return the next final of any channel, with its speakers if they are known soon enough."""
        for channel in self._channels:
            utterance = channel.recognition.ready_utterance
            if utterance is not None:
                break
        else:
            return None
        if self._speakers.hold(utterance, self._now, self._load):
            return None
        final = channel.recognition.next_final(self._journal.next_id, self._now)
        assert final is not None, "it is ready"
        self._warn_of_language(channel)
        if not self._speakers.has_started:
            return final
        return self._sent(self._speakers.labelled(final))

    def _sent(self, final: Final) -> Final:
        """Return a labelled final as the client gets it: with words only if it requested them."""
        return final if self.parameters.word_timestamps else replace(final, words=None)

    def _warn_of_language(self, channel: Channel) -> None:
        """Warn, before a final, that it is probably not in the requested language."""
        warning = channel.recognition.language_warning
        if warning is not None:
            self._outbox.hold(Warned(WarningCode.LANGUAGE_IMPROBABLE, warning))
            self._outbox.warn(self.received_sample)

    def _warn_of_similarity(self, similar: SimilarChannels | None) -> None:
        if similar is not None:
            self._outbox.hold(Warned(WarningCode.SIMILAR_CHANNELS, similar.message))

    def _compare_speakers(self) -> None:
        """Emit the jobs for voices that are due, and the speakers that have changed."""
        speakers = self._speakers
        for job in speakers.due_jobs(self._now, is_live=not self.is_ahead):
            self._put(Submit(job))
        if revised := speakers.revised(is_over=self._may_close):
            self._put(revision(revised))
            self._put(Revised(tuple(revised)))
        for final in revised:
            self._journal.replace(self._sent(final))
        if (warning := speakers.take_warning()) is not None:
            self._outbox.hold(warning)

    def _request_speakers(self, options: SpeakerOptions | None) -> None:
        """Label later utterances, or stop to."""
        output = self._speakers.request(options)
        if isinstance(output, Warned):
            self._outbox.hold(output)
        elif output is not None:
            self._put(output)

    def _request_turns(self, turns: TurnDetection | None) -> None:
        """End later utterances by how they sound, or by silence only."""
        if turns is not None and not self._judges_turns:
            self._warn_of_turns()
        asks = turns is not None and self._judges_turns
        if asks:
            self._put(Prepare(TurnJob))
        for channel in self._channels:
            channel.detect_turns(turns, asks=asks)

    def _warn_of_turns(self) -> None:
        """Warn once that silence ends utterances."""
        if not self._has_warned_of_turns:
            self._has_warned_of_turns = True
            self._outbox.hold(NO_TURNS)

    def _report_finalized(self) -> None:
        for finalized in self._flushes.take_finalized():
            self._put(finalized)

    def _mark(self) -> None:
        self._put(self._marks.advance())

    @property
    def _may_close(self) -> bool:
        """Whether all finals were sent, and their speakers are known or have had their time."""
        if not self._is_stopping or not self._is_done:
            return False
        return not self._speakers.delay_end(self._stopped_at, self._now)

    def _close_if_done(self) -> None:
        if self._is_closed or not self._outbox.is_attached or not self._may_close:
            return
        self._outbox.warn(inf)
        self._is_closed = True
        self._put(self._marks.finish())
        counts = self._intake.counts
        self._put(
            Closed(
                reason="stop",
                audio_samples=self.received_sample - self.parameters.start_sample,
                packets=counts.packets,
                lost_packets=counts.lost_packets,
                decode_errors=counts.decode_errors,
            )
        )

    def _put(self, output: Output) -> None:
        """Emit an output; the words of an eager final only if the client requested them."""
        if isinstance(output, EagerFinal) and not self.parameters.word_timestamps:
            output = replace(output, words=None)
        self._outbox.put(output)

    def _put_all(self, groups: Iterable[Iterable[Output]]) -> list[Output]:
        """Emit outputs in order, and return them."""
        outputs = [output for group in groups for output in group]
        for output in outputs:
            self._put(output)
        return outputs
