"""One live session: client messages and job results in, events and jobs out.

It does no I/O and reads no clock: the caller passes the time. After each call, the caller drains
:meth:`LiveSession.next_output` until ``None``, then checks :attr:`LiveSession.wants_data`, and
calls :meth:`LiveSession.poll` at :attr:`LiveSession.wake_at`. Both may have changed.

::

    messages → intake (wire format → clock → voice → endpoints) → recognition → finals → journal
                                                                      ↓ ↑                    ↓
                                                                  jobs, results      events, replays

Channels that are transcribed apart (:mod:`.channels.recognition`) have their own utterances, and
share the rest.

A session outlives its connections. Without a connection, it continues to process the audio that it
has received, and keeps only finals, to replay them later.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import inf

from msgspec import UNSET, structs

from auricle.audio.endpointer import (
    EndpointRules,
    Pause,
    SpeechStart,
    TurnQuestion,
    UtteranceEnd,
)
from auricle.audio.gate import SpeechProbabilities, VoiceDetector
from auricle.audio.opus import LibOpus
from auricle.config.settings import NO_PARTIALS, LiveSettings
from auricle.engines.models import Models, ServedModel
from auricle.session.arrivals import SafeMark
from auricle.session.channels.recognition import ChannelRecognition
from auricle.session.channels.segmenters import ChannelEvent
from auricle.session.intake import MAX_STEP_SAMPLES, Intake, IntakeEvent, OrderedCommand
from auricle.session.journal import Journal
from auricle.session.output import (
    Cancel,
    Embed,
    Judge,
    Output,
    PrepareEmbedder,
    PrepareJudge,
    Revised,
    Submit,
    UnfinishedAudio,
)
from auricle.session.speaker_labels import LAST_PATIENCE_S, SpeakerLabels, revision
from auricle.session.turn_end import ASK_MS
from auricle.session.utterances.utterance import Caller
from auricle.session.warnings import HeldWarnings
from auricle.speakers.known_voices import KnownVoices
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
    AudioProgress,
    Closed,
    Discarded,
    EagerFinal,
    Final,
    Finalized,
    Flushed,
    Ready,
    SwitchFormat,
    Warned,
    WarningCode,
)
from auricle.values.types import (
    LIVE_BEAM_SIZE,
    SAMPLE_RATE_HZ,
    ClientId,
    JobId,
    JobKind,
    Options,
    SpeakerEmbeddings,
    SpeakerOptions,
    Transcript,
    TurnDetection,
)

__all__ = ["Cancel", "Embed", "LiveSession", "Output", "PrepareEmbedder", "Submit"]

MAX_UNFINISHED_SAMPLES = 60 * SAMPLE_RATE_HZ
"""With more audio than this pending in the utterances of a channel, no messages are read."""
MAX_PATIENT_LOAD = 0.5
"""Load up to which a final waits for its speaker. Above it, most workers are busy: finals wait for
each other, and voices are late, too."""
MAX_FLUSHES = 100
"""Flushes that may wait for their finals; at this number, no messages are read."""
SPARED_S = 0.3
"""Wait for audio after a request that spared an utterance; live audio continues within 0.1 s."""
MARK_EVERY_SAMPLES = SAMPLE_RATE_HZ
BITE_STEPS = 100
"""Maximum packets or container slices processed in one step, regardless of their duration."""

NO_SPEAKERS = Warned(
    WarningCode.SPEAKERS_UNAVAILABLE,
    "The voices can't be compared now; some text has no speakers.",
)
NO_TURNS = Warned(
    WarningCode.TURNS_UNAVAILABLE,
    "The end of turns can't be judged now; silence ends utterances.",
)
_WORK = Submit | Cancel | PrepareEmbedder | Embed | PrepareJudge | Judge | Revised


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
        embeds_voices: Whether :class:`.Embed` can be executed; otherwise speakers stay unknown.
        judges_turns: Whether :class:`.Judge` can be executed; otherwise silence ends utterances.
        known_voices: The voices of a lost session, whose speakers' numbers continue.
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
        embeds_voices: bool = False,
        judges_turns: bool = False,
        is_resuming: bool = False,
        known_voices: KnownVoices | None = None,
        detector: Callable[[], SpeechProbabilities] = VoiceDetector,
    ) -> None:
        self.id = id
        self.secret = secret
        if parameters.max_lag_s is None and settings.max_lag_s:
            parameters = structs.replace(parameters, max_lag_s=settings.max_lag_s)
        self.parameters = parameters
        self._models = models
        choice = models.choose(parameters.model)
        self.model = choice.model.name
        """Name of the model of later utterances."""
        self._requested = Options(
            model=choice.option,
            language=parameters.language,
            languages=parameters.languages,
            task=parameters.task,
            beam_size=LIVE_BEAM_SIZE,
            initial_prompt=parameters.prompt or None,
            hotwords=parameters.hotwords,
            word_timestamps=parameters.word_timestamps,
            strict_language=parameters.strict_language,
        )
        engine = choice.model.engine
        self._options = engine.fit(self._requested)
        rules = EndpointRules(endpoint_ms=parameters.endpoint_ms or settings.endpoint_ms)
        rules = rules.within(engine.max_audio_s)
        self._intake = Intake(parameters, rules, libopus, now, detector, is_resuming=is_resuming)
        self._recognition = ChannelRecognition(
            Caller(id, client, reservations),
            self._intake.segmenters.all,
            self._intake.arrivals,
            is_apart=parameters.multichannel,
            wants_partials=parameters.partials and settings.partial_model != NO_PARTIALS,
            has_word_times=engine.has_word_times,
            streamed_languages=streamed_languages,
            redact=parameters.redact,
            max_lag_s=parameters.max_lag_s,
        )
        self._client = client
        self._embeds_voices = embeds_voices
        self._known_voices = known_voices
        self._speakers: SpeakerLabels | None = None
        self._wants_speakers = False
        self._has_word_times = engine.has_word_times
        self._load = 0.0
        self._stopped_at = inf
        self._step_samples = MAX_STEP_SAMPLES // parameters.separate_channels
        self._journal = Journal()
        self._outputs: deque[Output] = deque()
        self._flushes: deque[tuple[Finalized, int]] = deque()  # and the last utterance before it
        self._spared: tuple[int, float] | None = None  # at which position, until when
        self._safe = SafeMark(parameters.resume_sample)
        self._marked_sample = parameters.start_sample
        self._warnings = HeldWarnings()
        self._now = now
        self._is_attached = self._was_attached = False
        self._is_behind = False
        self._is_stopping = self._is_closed = False
        self._judges_turns = judges_turns
        self._has_warned_of_turns = False
        self._request_speakers(parameters.speaker_options)
        self._request_turns(parameters.turns)

    # State.

    @property
    def is_stopping(self) -> bool:
        """Whether the client has ended the audio."""
        return self._is_stopping

    @property
    def owes_finals(self) -> bool:
        """Whether the final of an ended utterance is pending."""
        return self._recognition.owes_finals

    @property
    def owed_since(self) -> float:
        """When the oldest utterance without a final ended; infinity if there is none.

        In monotonic seconds. It is infinity for a stream that is ahead of real time, too, which
        waits for live speech.
        """
        return inf if self.is_ahead else self._recognition.owed_since

    @property
    def busy_channels(self) -> int:
        """Number of channels with an open utterance or a pending final."""
        return self._recognition.busy_channels

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
        return self._safe.sample

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
        return 0 if self._speakers is None else self._speakers.labelled_finals

    @property
    def has_voices(self) -> bool:
        """Whether there are known voices."""
        return self._known_voices is not None or self.labelled_finals > 0

    def known_voices(self) -> KnownVoices | None:
        """Return the voices of all speakers so far, also of a lost session; ``None``: no voice."""
        if self._speakers is None or not self._speakers.labelled_finals:
            return self._known_voices
        return self._speakers.known_voices()

    @property
    def wake_at(self) -> float:
        """When to call :meth:`poll` next; infinity if there is nothing to do."""
        if self._is_behind and self._has_room:
            return self._now
        wake_at = self._recognition.wake_at(is_ahead=self.is_ahead)
        if self._spared is not None:
            wake_at = min(wake_at, self._spared[1])
        if self._speakers is None:
            return wake_at
        last = inf if self._may_close else self._stopped_at + LAST_PATIENCE_S
        return min(wake_at, self._speakers.wake_at, last if self._recognition.is_done else inf)

    def unfinished_audio(self, written: Mapping[int, int]) -> list[UnfinishedAudio]:
        """Return the utterances without a final, in the order of each channel.

        Args:
            written: Samples of them that were written, by the number of the utterance; the audio
                after them is returned.
        """
        return self._recognition.unfinished_audio(written)

    # Input.

    def attach(self, now: float, last_result: int | None = None) -> None:
        """Attach a connection, the first or a later one.

        Emits ``Ready``, then every final after ``last_result``. A partial message of the previous
        connection is dropped, because the client sends it again.
        """
        self._tick(now)
        self._drop_events()
        if self._was_attached:
            if self._is_attached and not self.is_resumable:  # taken over; see detach
                self.conclude(now)
            self._intake.reconnect()
            self._is_behind = False
        self._journal.acknowledge(last_result or 0)
        missed = self._journal.finals
        self._is_attached = True
        # Until the client has the missed finals, it must keep their audio.
        safe_sample = min([self._safe.sample, *(final.start_sample for final in missed)])
        self._put(
            Ready(
                session=self.id,
                secret=self.secret,
                resumed=self._was_attached,
                resumable=self.is_resumable,
                received_sample=self.received_sample,
                safe_sample=safe_sample,
                model=self.model,
                speakers_continue=self._known_voices is not None and self._embeds_voices,
            )
        )
        for final in missed:
            self._put(final)
        if self._speakers is not None and (
            known := self._speakers.revised_before(last_result or 0)
        ):
            self._put(revision(known))
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
        self._is_attached = False
        self._drop_events()

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
                self._configured(command)
                self._intake.put(command)
            case Finalize() | Stop() | Flush() | Discard():
                self._intake.put(command)
        self._go_on(now)

    def conclude(self, now: float) -> None:
        """End the open utterance now, even after a protocol error."""
        self._tick(now)
        endpointings = [] if self._is_stopping else self._intake.segmenters.finalize()
        if endpointings:
            self._take_endpointings(endpointings, now)
            self._mark()
            self._settle()

    def job_done(self, job_id: JobId, result: Transcript | AuricleError, now: float) -> None:
        """Receive the result of a job; results of unknown jobs are ignored."""
        self._tick(now)
        for output in self._recognition.job_done(job_id, result, now):
            self._put(output)
        self._settle()

    def embed_done(
        self, job_id: JobId, result: SpeakerEmbeddings | AuricleError, now: float
    ) -> None:
        """Receive the result of an :class:`.Embed`; results of unknown jobs are ignored."""
        self._tick(now)
        if self._speakers is not None:
            self._speakers.job_done(job_id, result, now)
        self._settle()

    def turn_judged(self, job_id: JobId, result: float | AuricleError, now: float) -> None:
        """Receive the probability that a turn has ended; results of unknown jobs are ignored."""
        self._tick(now)
        self._take_endpointings(self._recognition.turn_judged(job_id, result), now)
        self._settle()

    def set_load(self, load: float, *, has_streams: bool = False) -> None:
        """Set the load of the recognisers: 0 is idle, 1 is full.

        Args:
            load: The load.
            has_streams: Whether partials are recognised apart from all other jobs now.
        """
        self._load = min(max(load, 0.0), 1.0)
        self._recognition.set_load(self._load, has_streams=has_streams)

    def poll(self, now: float) -> None:
        """Perform all work that is due.

        Raises:
            RemoteProtocolError: As for :meth:`receive_data`, for data that was not processed yet.
        """
        self._go_on(now)

    def remark(self) -> None:
        """Send the marks again, as a sign of life while the server does not read."""
        self._put_marks()

    def next_output(self) -> Output | None:
        """Return the next output; ``None`` when there is none left."""
        return self._outputs.popleft() if self._outputs else None

    # Implementation.

    @property
    def _has_room(self) -> bool:
        is_full = self._recognition.unfinished_samples > MAX_UNFINISHED_SAMPLES
        return not is_full and len(self._flushes) < MAX_FLUSHES

    def _go_on(self, now: float) -> None:
        """Process one step of the received data, and all other work that is due."""
        self._tick(now)
        self._take_endpointings(self._recognition.drop_overdue_turns(now), now)
        segmenters = self._intake.segmenters
        until_sample = segmenters.received_sample + self._step_samples
        steps, self._is_behind = 0, not self._has_room
        try:
            while not self._is_behind and (event := self._intake.next_event(now)) is not None:
                self._take(event, now)
                steps += event.steps
                is_done = steps >= BITE_STEPS or segmenters.received_sample >= until_sample
                self._is_behind = is_done or not self._has_room
            self._end_spared(now)
        finally:
            segmenters.forget(self._recognition.unread_samples)
            self._settle()

    def _tick(self, now: float) -> None:
        if not self._has_room:
            self._intake.pace.rest(now)
        self._now = now

    def _take(self, event: IntakeEvent, now: float) -> None:
        self._take_endpointings(event.endpointings, now)
        if isinstance(event.notice, Warned):
            self._warnings.add(event.notice)
            self._warn(self.received_sample)
        elif isinstance(event.notice, SwitchFormat):
            self._put(event.notice)
        if event.command is not None:
            self._do(event.command, now)

    def _take_endpointings(self, endpointings: Sequence[ChannelEvent], now: float) -> None:
        for channel, event in endpointings:
            if not isinstance(event, TurnQuestion):
                self._pause = event if isinstance(event, Pause) else None
            for output in self._recognition.receive(
                channel, event, self._utterance_options(), now, is_ahead=self.is_ahead
            ):
                self._put(output)
            if isinstance(event, UtteranceEnd):
                self._embed(event, now)

    def _utterance_options(self) -> Options:
        """Return the options of an utterance that starts now.

        Word times, which split a final between speakers, cost a tenth of its recognition. While
        other work waits, only a client that requested them gets them.
        """
        is_labelled = self._speakers is not None and self._wants_speakers
        splits = is_labelled and self._has_word_times and not self._load
        options = self._options
        return replace(options, word_timestamps=options.word_timestamps or splits)

    def _embed(self, event: Pause | UtteranceEnd, now: float) -> None:
        """Embed the voice of an utterance that pauses or has ended, if speakers are requested."""
        speakers = self._speakers
        if speakers is None or not self._wants_speakers:
            return
        (segmenter,) = self._intake.segmenters.all  # separate channels have no speakers
        pcm = segmenter.read(event.start_sample, event.end_sample)
        number = self._recognition.utterances
        is_over = isinstance(event, UtteranceEnd)
        receive = speakers.utterance_ended if is_over else speakers.utterance_paused
        receive(number, pcm, event.start_sample, event.voiced, now)

    def _do(self, command: OrderedCommand, now: float) -> None:
        if self._is_stopping:
            return
        match command:
            case Finalize():
                endpointings = self._intake.segmenters.finalize(spares_onset=True)
                self._take_endpointings(endpointings, now)
                self._mark()
                self._spare_onset(endpointings, now)
            case Flush():
                self._flush(command, now)
            case Discard():
                self._discard()
            case Configure():
                self._configure(command, now)
            case Stop():
                self._is_stopping, self._stopped_at = True, now
                self._take_endpointings(self._intake.finish(now), now)
                if (warning := self._intake.segmenters.end_comparison()) is not None:
                    self._warnings.add(warning)

    def _flush(self, command: Flush, now: float) -> None:
        """End the open utterances, and confirm it for each channel, or for one."""
        only, endpointings = command.channel, list[ChannelEvent]()
        is_spared = self._is_spared(command.spares)
        if not is_spared:
            spares_onset = command.spares is Spare.ONSET
            endpointings = self._intake.flush(only, now, spares_onset=spares_onset)
        self._take_endpointings(endpointings, now)
        self._mark()
        at_sample = self.received_sample
        if is_spared:
            self._spared = at_sample, now + SPARED_S
        self._spare_onset(endpointings, now)
        for channel in range(self.parameters.separate_channels):
            if only not in (None, channel):
                continue
            events = [event for at, event in endpointings if at == channel]
            ended = any(isinstance(event, UtteranceEnd) for event in events)
            name = channel if self.parameters.multichannel else None
            is_open = self._intake.segmenters.all[channel].is_open
            self._put(Flushed(at_sample, ended, name, is_open))
            finalized = Finalized(at_sample, name)
            self._flushes.append((finalized, self._recognition.utterances))

    def _is_spared(self, spares: Spare) -> bool:
        """Return whether a flush spares what may be open."""
        match spares:
            case Spare.NOTHING | Spare.ONSET:
                return False
            case Spare.SPEECH:
                return any(each.is_speaking for each in self._intake.segmenters.all)
            case Spare.UTTERANCE:
                return True

    def _spare_onset(self, endpointings: Sequence[ChannelEvent], now: float) -> None:
        """Wait for audio after a sound that a request has spared, to end it if none follows."""
        if any(isinstance(event, SpeechStart) for _, event in endpointings):
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
            self._take_endpointings(self._intake.flush(None, now), now)
            self._mark()

    def _discard(self) -> None:
        self._intake.segmenters.discard()
        for cancel in self._recognition.discard():
            self._put(cancel)
        self._mark()
        self._put(Discarded(self.received_sample))

    def _configure(self, command: Configure, now: float) -> None:
        requested, model = self._configured(command)
        self._take_endpointings(self._intake.configure(command, now), now)
        self._requested, self._options = requested, model.engine.fit(requested)
        self.model = model.name
        self._has_word_times = model.engine.has_word_times
        self._recognition.set_word_times(has_word_times=self._has_word_times)
        self._intake.segmenters.limit(model.engine.max_audio_s)
        if isinstance(command, UpdateConfig) and command.speakers is not UNSET:
            self._request_speakers(SpeakerOptions() if command.speakers else None)
        if isinstance(command, UpdateConfig) and command.turns is not UNSET:
            self._request_turns(command.turns)

    def _configured(self, command: Configure) -> tuple[Options, ServedModel]:
        """Return the requested options and the model after a command.

        Raises:
            ModelNotFound: There is no such model.
            BadRequest: The model does not support the language or the task, or the format does not
                have the channels.
        """
        self._intake.configured(command)
        options, model = self._requested, self._models.find(self._requested.model)
        if command.model is not UNSET:
            choice = self._models.choose(command.model)
            options, model = replace(options, model=choice.option), choice.model
        if command.language is not UNSET:
            options = replace(options, language=command.language)
        if command.languages is not UNSET:
            options = replace(options, languages=command.languages)
        if command.strict_language is not UNSET:
            options = replace(options, strict_language=command.strict_language)
        if command.task is not UNSET:
            options = replace(options, task=command.task)
        if command.prompt is not UNSET:
            options = replace(options, initial_prompt=command.prompt or None)
        if command.hotwords is not UNSET:
            options = replace(options, hotwords=command.hotwords)
        model.engine.fit(options)
        return options, model

    def _settle(self) -> None:
        """Emit the finals, jobs, warnings and marks that are due after a change."""
        if self._recognition.take_turn_failure():
            self._warn_of_turns()
        self._recognition.read_ended(self._now)
        self._tell_finalized()
        while final := self._next_final():
            self._warn_of_language()
            self._journal.add(final)
            self._put(final)
            self._mark()
            self._tell_finalized()
        self._compare_speakers()
        for submit in self._recognition.poll(self._now, is_ahead=self.is_ahead):
            self._put(submit)
        self._warn(self.received_sample)
        if self.received_sample - self._marked_sample >= MARK_EVERY_SAMPLES:
            self._mark()
        self._close_if_done()

    def _next_final(self) -> Final | None:
        """Return the next final, with its speakers if they are known soon enough.

        While recognition is behind, it does not wait for them: a revision follows.
        """
        speakers, utterance = self._speakers, self._recognition.ready_utterance
        if utterance is None:
            return None
        is_busy = self._load > MAX_PATIENT_LOAD
        if speakers is not None and not is_busy and speakers.holds(utterance, self._now):
            return None
        final = self._recognition.next_final(self._journal.next_id, self._now)
        if final is None or speakers is None:
            return final
        final = speakers.labelled(final)
        return final if self.parameters.word_timestamps else replace(final, words=None)

    def _warn_of_language(self) -> None:
        """Warn, before a final, that it is probably not in the requested language."""
        warning = self._recognition.take_language_warning()
        if warning is not None:
            self._warnings.add(Warned(WarningCode.LANGUAGE_IMPROBABLE, warning))
            self._warn(self.received_sample)

    def _compare_speakers(self) -> None:
        """Emit the jobs for voices that are due, and the speakers that have changed."""
        speakers = self._speakers
        if speakers is None:
            return
        for job in speakers.due_jobs(self._now, is_live=not self.is_ahead):
            self._put(Embed(job))
        if self._may_close:
            speakers.finish()
        if revised := speakers.revised():
            self._put(revision(revised))
            self._put(Revised(tuple(revised)))
        for final in revised:
            has_words = self.parameters.word_timestamps
            self._journal.replace(final if has_words else replace(final, words=None))
        if speakers.has_unknown:
            speakers.has_unknown = False
            self._warnings.add(NO_SPEAKERS)

    def _request_speakers(self, options: SpeakerOptions | None) -> None:
        """Label later utterances, or stop to."""
        self._wants_speakers = options is not None
        if options is None:
            return
        if not self._embeds_voices:
            self._warnings.add(NO_SPEAKERS)
        elif self._speakers is None:
            self._speakers = SpeakerLabels(self.id, self._client, options, self._known_voices)
            self._put(PrepareEmbedder())

    def _request_turns(self, turns: TurnDetection | None) -> None:
        """End later utterances by how they sound, or by silence only."""
        if turns is not None and not self._judges_turns:
            self._warn_of_turns()
        self._recognition.set_turns(turns)
        asks = turns is not None and self._judges_turns
        if asks:
            self._put(PrepareJudge())
        self._intake.segmenters.ask_after(ASK_MS if asks else None)

    def _warn_of_turns(self) -> None:
        """Warn once that silence ends utterances."""
        if not self._has_warned_of_turns:
            self._has_warned_of_turns = True
            self._warnings.add(NO_TURNS)

    def _tell_finalized(self) -> None:
        for flush in tuple(self._flushes):
            finalized, utterance = flush
            if not self._recognition.owes(utterance, finalized.channel or 0):
                self._flushes.remove(flush)
                self._put(finalized)

    def _mark(self) -> None:
        mark = self._intake.arrivals.settle(
            # An utterance may end in the silence that pads the last window.
            min(self._recognition.needed_sample, self.received_sample)
        )
        if mark.sample >= self._safe.sample:  # a session may start before its first safe mark
            self._safe = mark
        self._marked_sample = self.received_sample
        self._put_marks()

    def _put_marks(self) -> None:
        received_seq = self._intake.received_seq
        safe_seq = None if received_seq is None else self._safe.seq
        self._put(
            AudioProgress(
                self.received_sample, self._safe.sample, received_seq, safe_seq, self._channels_safe
            )
        )

    @property
    def _channels_safe(self) -> tuple[int, ...]:
        """The positions up to which the speech of each separate channel is in finals."""
        if not self.parameters.multichannel:
            return ()
        if self._is_closed:
            return (self._safe.sample,) * self.parameters.separate_channels
        return tuple(
            max(self._safe.sample, min(sample, self.received_sample))
            for sample in self._recognition.needed_samples
        )

    @property
    def _may_close(self) -> bool:
        """Whether all finals were sent, and their speakers are known or have had their time."""
        if not self._is_stopping or not self._recognition.is_done:
            return False
        if self._speakers is None or self._speakers.is_settled:
            return True
        return self._now >= self._stopped_at + LAST_PATIENCE_S

    def _close_if_done(self) -> None:
        if self._is_closed or not self._is_attached or not self._may_close:
            return
        self._warn(inf)
        self._is_closed = True
        safe_sample = max(self.received_sample, self._safe.sample)
        self._safe = SafeMark(safe_sample, self._intake.received_seq)
        self._put_marks()
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

    def _warn(self, until_sample: float) -> None:
        """Send the warnings that are due; without a connection they are held."""
        if self._is_attached:
            for warning in self._warnings.due(until_sample):
                self._put(warning)

    def _put(self, output: Output) -> None:
        """Emit a job for the recogniser, or an event if a connection is attached."""
        if isinstance(output, Submit) and output.job.kind is JobKind.SPECULATIVE and self._pause:
            self._embed(self._pause, self._now)
        if isinstance(output, EagerFinal) and not self.parameters.word_timestamps:
            output = replace(output, words=None)
        if self._is_attached or isinstance(output, _WORK):
            self._outputs.append(output)

    def _drop_events(self) -> None:
        """Drop the events of an old connection; finals are in the journal."""
        self._outputs = deque(o for o in self._outputs if isinstance(o, _WORK))
