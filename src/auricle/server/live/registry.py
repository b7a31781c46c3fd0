"""All live sessions of one server: admission, resuming and expiry.

A session is admitted before it starts: it holds one of ``max_sessions`` slots, and a standing queue
reservation for its finals. Both are released when it is over. After a disconnect a session is kept
for the grace period, and so are the last finals of a session that has ended.
"""

import hmac
import math
import random
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import anyio
from anyio.abc import TaskGroup

from auricle.audio.opus import LibOpus
from auricle.commands import StreamParameters
from auricle.config.settings import LiveSettings
from auricle.engine.models import Models
from auricle.errors import BadRequest, Draining, Overloaded, RateLimited
from auricle.limits import SESSION_AUDIO_S, queue_audio_s
from auricle.protocol.native.stream import Resume
from auricle.server.access.connection_limits import network_of
from auricle.server.access.rate_limits import RateLimiter
from auricle.server.http.client_address import Address, Network
from auricle.server.http.errors import log_unexpected
from auricle.server.live.audio_journal.journal import AudioJournal
from auricle.server.live.load_meter import LoadMeter
from auricle.server.live.readers.feeds import Feeds
from auricle.server.live.runner import LiveRunner
from auricle.server.live.transcript_keeper import SessionIdentity, TranscriptKeeper
from auricle.server.telemetry.live_metrics import LiveMetrics
from auricle.session.intake import check_channels
from auricle.session.live import LiveSession
from auricle.transcriber import (
    FrameDecoder,
    PartialTranscriber,
    Transcriber,
    TurnJudge,
    VoiceEmbedder,
)
from auricle.types import SAMPLE_RATE_HZ, ClientId, Options, ReservationRequest

LATE_S = 5.0
"""Reject a new session if its first final would take longer than this, in seconds."""
PLACE_RETRY_S = 10
NATIVE = "native"
"""The API whose sessions can be resumed."""
TICK_S = 0.5
"""Interval for measuring the load and expiring sessions, in seconds."""

FIRST_RETURN_S = 0.5
RETURNS_PER_S = 20
"""Reconnections per second over which clients are spread when the server restarts."""


@dataclass(frozen=True, slots=True)
class _Room:
    """The holder of a reservation."""

    client: ClientId
    network: Network | None


class LiveSessions:
    """The registry of live sessions; see the module.

    Args:
        settings: The settings of live sessions.
        models: The models of the transcriber.
        transcriber: Runs the sessions' jobs and holds their reservations.
        libopus: Decodes Opus packets.
        metrics: Metrics of live sessions.
        rate_limiter: Rate limits per key.
        gateway_id: Prefix of session ids (letters and digits, or empty), by which a load balancer
            routes a resuming client to its gateway.
    """

    def __init__(
        self,
        settings: LiveSettings,
        models: Models,
        transcriber: Transcriber,
        libopus: LibOpus,
        metrics: LiveMetrics,
        rate_limiter: RateLimiter,
        gateway_id: str = "",
    ) -> None:
        self.settings = settings
        self.metrics = metrics
        self.draining = anyio.Event()
        self.feeds = Feeds(settings.max_readers)
        self._models = models
        self.keeper: TranscriptKeeper | None = None
        """Stores the finals of sessions with an owner; ``None``: nothing is kept."""
        self.journal: AudioJournal | None = None
        """Keeps their unfinished audio on the disk; ``None``: it is in memory only."""
        self.partials: PartialTranscriber | None = None
        """Recognises partials apart from all other jobs; ``None``: the transcriber does."""
        self.embedder: VoiceEmbedder | None = None
        """Embeds voices; ``None``: speakers stay unknown."""
        self.judge: TurnJudge | None = None
        """Judges the ends of turns; ``None``: silence ends utterances."""
        self.frames: FrameDecoder | None = None
        """Decodes live MP3, FLAC and AAC; ``None``: they are rejected."""
        self._transcriber = transcriber
        self._libopus = libopus
        self._allowances = rate_limiter
        self._id_prefix = f"{gateway_id}-" if gateway_id else ""
        self._rooms: dict[str, _Room] = {}
        self._runners: dict[str, LiveRunner] = {}
        self._kept: dict[str, SessionIdentity] = {}
        self._rooms_of: dict[str, dict[str, str]] = {}
        """Reservations of each session, by the name of the model in its jobs' options."""
        self._charged_samples: dict[str, int] = {}
        self._meter = LoadMeter(models.default.engine.costs.job_overhead_s)
        metrics.connected.set_function(lambda: self.connected)
        metrics.waiting.set_function(lambda: self.waiting)
        metrics.load.set_function(lambda: self._meter.load)
        metrics.readers.set_function(lambda: self.feeds.readers)

    @property
    def connected(self) -> int:
        """Number of sessions with a connection."""
        return sum(runner.detached_at is None for runner in self._runners.values())

    @property
    def waiting(self) -> int:
        """Number of sessions without a connection, which a client may resume."""
        return len(self._runners) - self.connected - self.finishing

    @property
    def finishing(self) -> int:
        """Number of sessions whose clients are gone for good, and whose last finals are pending."""
        return sum(runner.is_finishing for runner in self._runners.values())

    @property
    def load(self) -> float:
        """The load of the workers, from 0 (idle) to 1 (full)."""
        return self._meter.load

    @property
    def free_share(self) -> float:
        """Share of session slots that are free, from 0 to 1; detached sessions keep theirs."""
        return 1.0 - len(self._rooms) / self.settings.max_sessions

    # Admission.

    def check(self, parameters: StreamParameters) -> None:
        """Check the channels, and that the requested model knows the language and the task.

        Raises:
            ModelNotFound: There is no such model.
            BadRequest: The model does not support the language or the task, the numbers of speakers
                are impossible, a number of turn detection is out of range, or the format does not
                have the channels.
        """
        _ = parameters.speaker_options, parameters.turns
        check_channels(parameters)
        self._models.choose(parameters.model).model.engine.fit(
            Options(
                language=parameters.language, languages=parameters.languages, task=parameters.task
            )
        )

    def admit(
        self,
        client: ClientId,
        address: Address | None,
        *,
        is_resuming: bool,
        model: str = "",
        channels: int = 1,
    ) -> str:
        """Reserve a slot and queue room; pass the result to :meth:`open` or :meth:`leave`.

        Args:
            client: The client whose share of the queue is used.
            address: Its address.
            is_resuming: Whether it resumes a session.
            model: The model that it requested.
            channels: Channels that are transcribed apart; each needs queue room.

        Raises:
            ModelNotFound: There is no such model.
            BadRequest: The whole queue has no room for as many channels.
            Overloaded: There is no free slot or queue room, or no worker is ready.
            RateLimited: The client has used up its crash budget, its audio quota or its sessions,
                or its address has too many sessions.
        """
        option = self._models.choose(model).option
        self._refuse_channels(channels)
        network, rooms = network_of(address), self._rooms.values()
        self._allowances.check_sessions(client, sum(room.client == client for room in rooms))
        self._allowances.check_audio(client, time.monotonic())
        limit = self.settings.max_sessions_per_address
        if network and limit and sum(room.network == network for room in rooms) >= limit:
            raise RateLimited(
                f"This address has reached its limit of {limit} concurrent live sessions.",
                PLACE_RETRY_S,
            )
        if len(self._rooms) >= self.settings.max_sessions:
            raise Overloaded(
                "The server's limit of live sessions is reached; try again later.", PLACE_RETRY_S
            )
        room = self._transcriber.reserve(
            ReservationRequest(
                client,
                SESSION_AUDIO_S * channels,
                max_wait_s=None if is_resuming else LATE_S,
                standing=True,
                resumed=is_resuming,
                model=option,
            )
        )
        self._rooms[room] = _Room(client, network)
        return room

    def _refuse_channels(self, channels: int) -> None:
        """Refuse what will not fit later either, as a client would try it again and again."""
        room_s = self._transcriber.stats().queue.max_audio_s if channels > 1 else 0.0
        if room_s and (needed_s := queue_audio_s(channels)) > room_s:
            raise BadRequest(
                f"The queue of this server is too small for {channels} channels in a session; "
                f"AURICLE_QUEUE_AUDIO_S={math.ceil(needed_s)} allows them."
            )

    def leave(self, room: str) -> None:
        """Release a reservation; idempotent."""
        self._rooms.pop(room, None)
        self._transcriber.release(room)

    def _reserve(self, client: ClientId, rooms: dict[str, str], channels: int, model: str) -> None:
        """Reserve queue room for a session that changes its model, unless it has some."""
        option = self._models.choose(model).option
        if option not in rooms:
            rooms[option] = self._transcriber.reserve(
                ReservationRequest(
                    client, SESSION_AUDIO_S * channels, standing=True, resumed=True, model=option
                )
            )

    def _leave_all(self, rooms: dict[str, str]) -> None:
        for room in rooms.values():
            self.leave(room)

    def has_waiting_session(self, client: ClientId) -> bool:
        """Return whether a client has any session that it could resume."""
        return any(
            runner.client == client and not runner.is_finishing for runner in self._runners.values()
        )

    # Sessions.

    async def open(
        self,
        group: TaskGroup,
        client: ClientId,
        parameters: StreamParameters,
        room: str,
        *,
        source: str = NATIVE,
        owner: ClientId | None = None,
        request_id: str = "",
    ) -> LiveRunner:
        """Start a session with a reservation from :meth:`admit`, released when it is over.

        Args:
            group: Runs the session.
            client: The client whose share of the queue is used.
            parameters: The parameters of the session.
            room: The reservation, for the model of the parameters.
            source: The API that the session uses.
            owner: The key that may read the session and its kept transcript; ``None``: no key may,
                and it is not kept.
            request_id: Id of the speaker's request, by which its session is found in a list.

        Raises:
            ModelNotFound: There is no such model.
            BadRequest: The parameters are incompatible with each other or with the model.
        """
        streamed = frozenset[str]() if self.partials is None else self.partials.languages
        try:
            rooms = {self._models.choose(parameters.model).option: room}
            session = LiveSession(
                parameters,
                self.settings,
                self._libopus,
                id=self._id_prefix + secrets.token_hex(8),
                secret=secrets.token_urlsafe(24),
                client=client,
                reservations=rooms,
                now=time.monotonic(),
                models=self._models,
                streamed_languages=streamed,
                embeds_voices=self.embedder is not None,
                judges_turns=self.judge is not None,
            )
        except BaseException:
            self.leave(room)
            raise
        keep = revise = until_kept = None
        if self.keeper is not None and owner is not None:
            identity = SessionIdentity(session.id, owner, source, time.time())
            self._kept[session.id] = identity
            keep = partial(self.keeper.keep, identity)
            revise = partial(self.keeper.revise, identity)
            until_kept = partial(self.keeper.until_stored, session.id)
        runner = LiveRunner(
            session,
            client=client,
            transcriber=self._transcriber,
            metrics=self.metrics,
            reserve=partial(self._reserve, client, rooms, parameters.separate_channels),
            keep=keep,
            revise=revise,
            until_kept=until_kept,
            partials=self.partials,
            embedder=self.embedder,
            judge=self.judge,
            feed=self.feeds.open(session.id, owner, source, session.received_sample, request_id),
        )
        runner.set_load(self._meter.load)
        self._runners[session.id], self._rooms_of[session.id] = runner, rooms
        self._charged_samples[session.id] = session.received_sample
        await group.start(self._run, runner)
        return runner

    def find(self, client: ClientId, resume: Resume) -> LiveRunner | None:
        """Return the session to resume if it is the client's and the secret matches.

        The time taken does not reveal whether the session id or the secret is wrong.
        """
        runner = self._runners.get(resume.session)
        secret = secrets.token_urlsafe(24) if runner is None else runner.session.secret
        is_right = hmac.compare_digest(secret.encode(), resume.secret.encode())
        if runner is None or not is_right or runner.client != client:
            return None
        if runner.is_over or runner.is_finishing:
            return None
        return runner

    def unresumable(self) -> Iterator[tuple[SessionIdentity, LiveSession]]:
        """Iterate over the kept sessions whose clients can't send unfinished audio again."""
        for id, identity in self._kept.items():
            runner = self._runners[id]
            is_native = identity.source == NATIVE
            if not (is_native and runner.session.is_resumable) or runner.is_finishing:
                yield identity, runner.session

    # Background work.

    async def watch(self) -> None:
        """Measure the load and expire sessions until cancelled."""
        while True:
            await anyio.sleep(TICK_S)
            try:
                load = self._meter.observe(self._transcriber.stats())
            except Exception as error:  # a failed measurement must not end sessions
                log_unexpected(error)
                load = self._meter.load
            for runner in self._runners.values():
                try:
                    runner.set_load(load)
                except Exception as error:
                    runner.fail(error)
                self._charge(runner)
            now = time.monotonic()
            self._end_expired(now)
            self._feed_readers(now)

    def drain(self) -> None:
        """Signal every connection to close; sessions can't be resumed here any more."""
        self.draining.set()
        for runner in self._runners.values():
            if runner.detached_at is not None and runner.was_attached:
                runner.finish()

    def closing_messages(self) -> tuple[Draining, float]:
        """Return the error that announces the shutdown, and the retry delay in seconds."""
        spread_s = len(self._runners) / RETURNS_PER_S
        after_s = round(FIRST_RETURN_S + random.uniform(0.0, max(1.0, spread_s)), 1)
        return Draining("The server is restarting; reconnect and resume.", 1), after_s

    async def _run(self, runner: LiveRunner, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        self.metrics.clients.session_started(runner.client)
        try:
            await runner.run(task_status=task_status)
            if self.journal is not None:  # not if the server is stopped: its next start continues
                self.journal.abandon(runner.session.id)
        finally:
            self.metrics.clients.session_ended(runner.client)
            self._charge(runner)
            self._end_feed(runner)
            del self._charged_samples[runner.session.id]
            del self._runners[runner.session.id]
            self._kept.pop(runner.session.id, None)
            self._leave_all(self._rooms_of.pop(runner.session.id))

    def _feed_readers(self, now: float) -> None:
        for runner in self._runners.values():
            if (
                self.draining.is_set()
                and runner.detached_at is not None
                and not runner.is_finishing
            ):
                self._end_feed(runner)
            else:
                self.feeds.complete(runner.session.id, runner.session.safe_sample)
        self.feeds.tick(now)

    def _end_feed(self, runner: LiveRunner) -> None:
        session = runner.session
        reason = "draining" if self.draining.is_set() else "speaker_left"
        self.feeds.end(
            session.id,
            "closed" if session.is_closed else reason,
            session.received_sample,
            time.monotonic(),
        )

    def _charge(self, runner: LiveRunner) -> None:
        """Charge the audio of all separate channels received since the last charge."""
        session = runner.session
        samples = session.received_sample - self._charged_samples[session.id]
        self._charged_samples[session.id] += samples
        audio_s = samples * session.parameters.separate_channels / SAMPLE_RATE_HZ
        self._allowances.charge_audio(runner.client, audio_s, time.monotonic())
        self.metrics.clients.count_audio(runner.client, audio_s)

    def _end_expired(self, now: float) -> None:
        """End expired sessions, and release the reservations of sessions that have ended."""
        kept = 0
        for runner in reversed(self._runners.values()):
            session, detached_at = runner.session, runner.detached_at
            is_resumable = session.is_resumable and not session.is_closed
            is_resumable = is_resumable and not runner.is_finishing
            if detached_at is None and not session.is_closed:
                continue
            if not is_resumable and runner.was_attached:  # only its last finals are left to replay
                self._leave_all(self._rooms_of[session.id])
                kept += 1
            if detached_at is None:
                continue
            is_told = session.is_closed and not session.unacknowledged
            is_late = now - detached_at >= self.settings.resume_grace_s
            if kept > self.settings.max_sessions:
                runner.end()
            elif is_told or is_late:
                runner.finish()
