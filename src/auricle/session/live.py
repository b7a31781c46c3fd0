"""One live session: client messages and job results in, events and jobs out.

It does no I/O and reads no clock: the caller passes the time. After each call, the caller drains
:meth:`LiveSession.next_output` until ``None``, then checks :attr:`LiveSession.wants_data`, and
calls :meth:`LiveSession.poll` at :attr:`LiveSession.wake_at`. Both may have changed.

::

    messages → intake (wire format, clock) → channels (endpoints, recognition) → finals → journal
                                                           ↓ ↑                               ↓
                                                       jobs, results                events, replays

A channel (:mod:`.channel`) has its own utterances, and its own order of finals. What joins several
channels: one sequence of all finals (:mod:`.finals`), requests to end utterances
(:mod:`.end_requests`), and what the client has configured (:mod:`.configuration`). The session
decides when each of them gets audio, commands, results and time.

A session outlives its connections. Without a connection, it continues to process the audio that it
has received, and keeps only finals, to replay them later.
"""

from collections.abc import Callable, Mapping
from math import inf

from msgspec import structs

from auricle.audio.channel_comparison import ChannelComparison, SimilarChannels
from auricle.audio.gate import SpeechProbabilities, VoiceDetector
from auricle.audio.opus import LibOpus
from auricle.config.sections.live import LiveSettings
from auricle.engines.models import Models
from auricle.session.channels import open_channels
from auricle.session.choice import ModelChoice
from auricle.session.configuration import Configuration
from auricle.session.end_requests import EndRequests
from auricle.session.finals import Finals
from auricle.session.flushes import PendingFlushes
from auricle.session.intake import MAX_STEP_SAMPLES, Intake, IntakeEvent, OrderedCommand
from auricle.session.journal import Journal
from auricle.session.marks import Marks
from auricle.session.outbox import Outbox
from auricle.session.output import JobResult, Output, Submit
from auricle.session.speakers import SessionSpeakers
from auricle.session.utterances.utterance import Caller, UtteranceNumbers
from auricle.values.commands import (
    Ack,
    Configure,
    Discard,
    Finalize,
    Flush,
    Keepalive,
    SessionCommand,
    Stop,
    StreamParameters,
)
from auricle.values.errors import AuricleError
from auricle.values.events import Closed, Discarded, Ready, Warned, WarningCode
from auricle.values.speakers import NO_SPEAKERS, SpeakerLabelling
from auricle.values.types import SAMPLE_RATE_HZ, ClientId, JobId, SpeakerEmbeddings, Transcript
from auricle.values.wording import WordingOf, no_wording

MAX_UNFINISHED_SAMPLES = 60 * SAMPLE_RATE_HZ
"""With more audio than this pending in the utterances of a channel, no messages are read."""
MAX_STEPS_AT_ONCE = 100
"""Maximum packets or container slices processed in one step, regardless of their duration."""


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
        wording: What is known of the speech besides the parameters.
        detector: Creates the detector of speech of a channel.

    Attributes:
        channels: The channels.
        speakers: Its speakers, and the voices of them.
        journal: The finals that were not acknowledged.
        is_stopping: Whether the client has ended the audio.
        is_closed: Whether all finals and then ``Closed`` were sent.

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
        wording: WordingOf = no_wording,
        detector: Callable[[], SpeechProbabilities] = VoiceDetector,
    ) -> None:
        self.id = id
        self.secret = secret
        if parameters.max_lag_s is None and settings.max_lag_s:
            parameters = structs.replace(parameters, max_lag_s=settings.max_lag_s)
        self.parameters = parameters
        choice = ModelChoice.of(parameters, models, wording)
        self._intake = Intake(
            parameters, libopus, now, lambda: self.channels.is_any_open, is_resuming=is_resuming
        )
        self.speakers = SessionSpeakers(speakers, id, client, known_voices)
        numbers = UtteranceNumbers()
        self.channels = open_channels(
            parameters,
            settings,
            choice,
            self._intake,
            self.speakers,
            numbers,
            Caller(id, client, reservations),
            streamed_languages,
            detector,
        )
        self._comparison = ChannelComparison(len(self.channels))
        self._load = 0.0
        self._stopped_at = inf
        self._step_samples = MAX_STEP_SAMPLES // parameters.separate_channels
        has_words = parameters.word_timestamps
        self._outbox = Outbox(has_words=has_words)
        self.journal = Journal()
        self._finals = Finals(
            self.channels, self.speakers, self._intake, self.journal, self._outbox, has_words
        )
        self._flushes = PendingFlushes(self.channels)
        self._marks = Marks(parameters, self._intake, self.channels)
        self._end_requests = EndRequests(
            self.channels,
            self._intake,
            numbers,
            self._flushes,
            self._marks,
            self._outbox,
            parameters.multichannel,
        )
        self._configuration = Configuration(
            choice, models, self._intake, self.channels, self.speakers, self._outbox, judges_turns
        )
        self._now = now
        self._was_attached = False
        self._is_behind = False
        self.is_stopping = self.is_closed = False
        self._configuration.request_speakers(parameters.speaker_options)
        self._configuration.request_turns(parameters.turns)

    # State.

    @property
    def model(self) -> str:
        """Name of the model of later utterances."""
        return self._configuration.choice.model.name

    @property
    def pending_since(self) -> float:
        """When the oldest utterance without a final ended; infinity if there is none.

        In monotonic seconds. It is infinity for a stream that is ahead of real time, too, which
        waits for live speech.
        """
        if self.is_ahead:
            return inf
        return self.channels.pending_since

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
    def wake_at(self) -> float:
        """When to call :meth:`poll` next; infinity if there is nothing to do."""
        if self._is_behind and self._has_room:
            return self._now
        due = [channel.recognition.wake_at(self._now) for channel in self.channels]
        wake_at = min(self._end_requests.wake_at, *due)
        if not self.speakers.has_started:
            return wake_at
        stopped_at = self._stopped_at if self.channels.are_done else inf
        return min(wake_at, self.speakers.wake_at(stopped_at, self._now))

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
        self.journal.acknowledge(last_result or 0)
        missed = self.journal.finals
        self._outbox.is_attached = True
        # Until the client has the missed finals, it must keep their audio.
        safe_sample = min([self.safe_sample, *(final.start_sample for final in missed)])
        self._outbox.put(
            Ready(
                session=self.id,
                secret=self.secret,
                resumed=self._was_attached,
                resumable=self.is_resumable,
                received_sample=self.received_sample,
                safe_sample=safe_sample,
                model=self.model,
                speakers_continue=self.speakers.continue_known,
            )
        )
        for final in missed:
            self._outbox.put(final)
        if (revised := self.speakers.revision_until(last_result or 0)) is not None:
            self._outbox.put(revised)
        if missed:
            self._mark()
        self._was_attached = True
        self.is_closed = False
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
                self.journal.acknowledge(result)
            case Keepalive():
                pass
            case Configure():
                self._configuration.check(command)
                self._intake.put(command)
            case Finalize() | Stop() | Flush() | Discard():
                self._intake.put(command)
        self._go_on(now)

    def conclude(self, now: float) -> None:
        """End the open utterance now, even after a protocol error."""
        self._tick(now)
        if self.is_stopping:
            return
        if self._outbox.put_all(each.finalize(now) for each in self.channels):
            self._mark()
            self._settle()

    def job_done(self, job_id: JobId, result: JobResult, now: float) -> None:
        """Receive the result of a job; results of unknown jobs are ignored."""
        self._tick(now)
        if isinstance(result, Transcript | AuricleError):
            self._outbox.put_all(
                each.recognition.job_done(job_id, result, now) for each in self.channels
            )
        if isinstance(result, SpeakerEmbeddings | AuricleError):
            self.speakers.labeller.job_done(job_id, result, now)
        if isinstance(result, float | AuricleError):
            self._outbox.put_all(each.turn_judged(job_id, result, now) for each in self.channels)
        self._settle()

    def set_load(self, load: float, *, has_streams: bool = False) -> None:
        """Set the load of the recognisers: 0 is idle, 1 is full.

        Args:
            load: The load.
            has_streams: Whether partials are recognised apart from all other jobs now.
        """
        self._load = min(max(load, 0.0), 1.0)
        for channel in self.channels:
            channel.recognition.load, channel.recognition.has_streams = self._load, has_streams

    def poll(self, now: float) -> None:
        """Perform all work that is due.

        Raises:
            RemoteProtocolError: As for :meth:`receive_data`, for data that was not processed yet.
        """
        self._go_on(now)

    def remark(self) -> None:
        """Send the marks again, as a sign of life while the server does not read."""
        self._outbox.put(self._marks.progress())

    def next_output(self) -> Output | None:
        """Return the next output; ``None`` when there is none left."""
        return self._outbox.next()

    # Implementation.

    @property
    def _has_room(self) -> bool:
        if self._flushes.is_full:
            return False
        for channel in self.channels:
            if channel.recognition.unfinished_samples > MAX_UNFINISHED_SAMPLES:
                return False
        return True

    def _go_on(self, now: float) -> None:
        """Process one step of the received data, and all other work that is due."""
        self._tick(now)
        self._outbox.put_all(each.drop_overdue_turn(now) for each in self.channels)
        intake = self._intake
        until_sample = intake.clock_sample + self._step_samples
        steps, self._is_behind = 0, not self._has_room
        try:
            while not self._is_behind and (event := intake.next_event(now)) is not None:
                self._take(event, now)
                steps += event.steps
                is_done = steps >= MAX_STEPS_AT_ONCE or intake.clock_sample >= until_sample
                self._is_behind = is_done or not self._has_room
            self._end_requests.end_spared(now)
        finally:
            for channel in self.channels:
                channel.forget()
            self._settle()

    def _tick(self, now: float) -> None:
        if not self._has_room:
            self._intake.pace.rest(now)
        self._now = now

    def _take(self, event: IntakeEvent, now: float) -> None:
        if event.pcm.size:
            self._outbox.put_all(self.channels.receive(event.pcm, now))
            if event.pcm.ndim > 1:
                self._warn_of_similarity(self._comparison.receive(event.pcm))
        elif event.skipped_samples:
            for channel in self.channels:
                channel.segmenter.skip(event.skipped_samples)
        if isinstance(event.notice, Warned):
            self._outbox.hold(event.notice)
            self._outbox.warn(self.received_sample)
        elif event.notice is not None:
            self._outbox.put(event.notice)
        if event.command is not None:
            self._do(event.command, now)

    def _do(self, command: OrderedCommand, now: float) -> None:
        if self.is_stopping:
            return
        match command:
            case Finalize():
                self._end_requests.finalize(now)
            case Flush():
                self._end_requests.flush(command, now)
            case Discard():
                self._outbox.put_all(each.discard() for each in self.channels)
                self._mark()
                self._outbox.put(Discarded(self.received_sample))
            case Configure():
                self._configuration.apply(command, now)
            case Stop():
                self.is_stopping, self._stopped_at = True, now
                self._end_requests.forget_spared()
                self._outbox.put_all(self.channels.receive(self._intake.finish(now), now))
                self._outbox.put_all(each.finish(now) for each in self.channels)
                self._warn_of_similarity(self._comparison.finish())

    def _settle(self) -> None:
        """Emit the finals, jobs, warnings and marks that are due after a change."""
        for channel in self.channels:
            if channel.recognition.turn_end.take_failure():
                self._configuration.warn_of_turns()
            channel.recognition.read_ended(self._now)
        self._report_finalized()
        while self._finals.emit_next(self._now, self._load):
            self._mark()
            self._report_finalized()
        if self.speakers.has_started:
            jobs = self.speakers.labeller.due_jobs(self._now, is_live=not self.is_ahead)
            self._outbox.put_all([map(Submit, jobs)])
            self._finals.revise(is_over=self._may_close)
        self._outbox.put_all(each.recognition.poll(self._now) for each in self.channels)
        self._outbox.warn(self.received_sample)
        if self._marks.are_due:
            self._mark()
        self._close_if_done()

    def _warn_of_similarity(self, similar: SimilarChannels | None) -> None:
        if similar is not None:
            self._outbox.hold(Warned(WarningCode.SIMILAR_CHANNELS, similar.message))

    def _report_finalized(self) -> None:
        for finalized in self._flushes.take_finalized():
            self._outbox.put(finalized)

    def _mark(self) -> None:
        self._outbox.put(self._marks.advance())

    @property
    def _may_close(self) -> bool:
        """Whether all finals were sent, and their speakers are known or have had their time."""
        if not self.is_stopping or not self.channels.are_done:
            return False
        return not self.speakers.delay_end(self._stopped_at, self._now)

    def _close_if_done(self) -> None:
        if self.is_closed or not self._outbox.is_attached or not self._may_close:
            return
        self._outbox.warn(inf)
        self.is_closed = True
        self._outbox.put(self._marks.finish())
        counts = self._intake.counts
        self._outbox.put(
            Closed(
                reason="stop",
                audio_samples=self.received_sample - self.parameters.start_sample,
                packets=counts.packets,
                lost_packets=counts.lost_packets,
                decode_errors=counts.decode_errors,
            )
        )
