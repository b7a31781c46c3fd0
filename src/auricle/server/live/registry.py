"""All live sessions of one server: opening, resuming and expiry.

A session is admitted before it starts (:mod:`.places`), and holds one of ``max_sessions`` places
until it is over. After a disconnect a session is kept for the grace period,
and so are the last finals of a session that has ended.
"""

import contextlib
import itertools
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import ceil, inf
from types import MappingProxyType

import anyio
import structlog
from anyio import to_thread
from anyio.abc import TaskGroup

from auricle.audio.opus import LibOpus
from auricle.config.sections.live import LiveSettings
from auricle.engines.models import Models
from auricle.ledger.databases.database import REFUSALS
from auricle.server.access.rate_limits import RateLimiter
from auricle.server.live.admission.capacity import Sample
from auricle.server.live.admission.memory import CapacityMemory
from auricle.server.live.followers import SessionFollowers
from auricle.server.live.load_meter import LoadMeter
from auricle.server.live.places import Places
from auricle.server.live.runner import MIN_SLEEP_S, LiveRunner
from auricle.server.live.session_secrets import RETURN_S, SessionSecrets
from auricle.server.telemetry.live_metrics import LiveMetrics
from auricle.session.intake import check_channels
from auricle.session.live import LiveSession
from auricle.session.output import UnfinishedAudio
from auricle.system.logs import log_unexpected
from auricle.system.machine import available_memory_bytes
from auricle.text.filters.registry import hides_text, open_filters
from auricle.values.commands import StreamParameters
from auricle.values.errors import Draining, NotFound, TakenOver
from auricle.values.optional_workers import OptionalWorkers
from auricle.values.transcriber import Transcriber
from auricle.values.types import SAMPLE_RATE_HZ, ClientId, Options
from auricle.values.voice_keeper import VoiceKeeper
from auricle.values.wording import NO_WORDINGS, WordingOf, Wordings, no_wording

NATIVE = "native"
"""The API whose sessions can be resumed."""
READ_INTERVAL_PER_CLIENT_S, MAX_READ_INTERVAL_S = 0.004, 0.1
"""Interval of reads from each connection: one client sends every 20 ms and is read at once, 25 are
read every 0.1 s. Packets that are read together take a third of the time."""
MAX_SILENT_READ_INTERVAL_S = 0.3
"""The same for a session that has been silent for some seconds, reached with 75 clients."""
BUSY_LOAD = 0.5
"""Load at which all workers are busy almost all the time; finals that are late are so for load."""
STORE_S = 10.0
"""Interval at which what was learned of the machine is stored, in seconds."""
TICK_S = 0.5
"""Interval for measuring the load and expiring sessions, in seconds."""

LOG_INTERVAL_S = 10.0
"""Minimum time between two log lines on the load, in seconds."""

AWAY_S = 3.0
"""Time without a connection after which followers learn that the speaker is away, in seconds."""
TAKEOVER_S = 5.0
"""Longest time for the end of a session whose client has not got its secret, in seconds."""

FIRST_RETURN_S = 0.5
RETURNS_PER_S = 20
"""Reconnections per second over which clients are spread when the server restarts."""

log = structlog.get_logger("auricle.server")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a client has proved of a session that it has lost.

    Attributes:
        lost: The session's id; empty: nothing is proved.
        id: The same id if the new session gets it, to have the same readers; empty: a new one.
        ends: What :meth:`.SessionFollowers.end_of` returns of that id, by the name of the API.
    """

    lost: str = ""
    id: str = ""
    ends: Mapping[str, object] = field(default_factory=dict)


NO_CLAIM = Claim()


class LiveSessions:
    """The registry of live sessions; see the module.

    Args:
        settings: The settings of live sessions.
        models: The models of the transcriber.
        transcriber: Runs the sessions' jobs and holds their reservations.
        workers: Run the jobs that the sessions can do without.
        libopus: Decodes Opus packets.
        metrics: Metrics of live sessions.
        rate_limiter: Rate limits per key.
        secrets: Derives the secrets of sessions.
        memory: Keeps what was learned of the machine.
        voices: Keeps the voices of the sessions' speakers.
        followers: Who follows the sessions besides their speakers, by the name of the API.
        wordings: What is known of the speech of all keys.
    """

    def __init__(
        self,
        settings: LiveSettings,
        models: Models,
        transcriber: Transcriber,
        workers: OptionalWorkers,
        libopus: LibOpus,
        metrics: LiveMetrics,
        rate_limiter: RateLimiter,
        secrets: SessionSecrets,
        memory: CapacityMemory,
        voices: VoiceKeeper,
        followers: Mapping[str, SessionFollowers] = MappingProxyType({}),
        wordings: Wordings = NO_WORDINGS,
    ) -> None:
        self.settings = settings
        self.admission = memory.restored()
        self.places = Places(
            settings, models, transcriber, rate_limiter, self.admission, self._abandoned
        )
        self._secrets = secrets
        self._memory = memory
        self._kept_ids: tuple[str, ...] = ()  # of the sessions that were open at the drain
        self.metrics = metrics
        self.draining = anyio.Event()
        self.followers = followers
        self.workers = workers
        self._voices = voices
        self._wordings = wordings
        self._models = models
        self._read_interval_s = 0.0  # before it is limited
        self._transcriber = transcriber
        self._libopus = libopus
        self._allowances = rate_limiter
        self._ids = itertools.count(1)
        self._runners: dict[str, LiveRunner] = {}
        self._claims: dict[str, object] = {}  # the newest of each lost session
        self._meter = LoadMeter(models.default.engine.costs.job_overhead_s)
        self._log_at, self._logged = 0.0, "live_on_time"
        metrics.connected.set_function(lambda: self.connected)
        metrics.waiting.set_function(lambda: self.waiting)
        metrics.load.set_function(lambda: self._meter.load)
        admission = self.admission
        metrics.speakers.set_function(lambda: admission.load().speakers)
        metrics.capacity.set_function(lambda: admission.load().capacity)
        metrics.late.set_function(lambda: admission.load().is_late)
        metrics.waiting_clients.set_function(lambda: admission.load().waiting)

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

    def check(self, parameters: StreamParameters) -> None:
        """Check the channels, and that the requested model knows the language and the task.

        Raises:
            UnsupportedOption: This installation lacks a text filter.
            ModelNotFound: There is no such model.
            BadRequest: The model does not support the language or the task, the numbers of speakers
                are impossible, a number of turn detection is out of range, or the format does not
                have the channels.
        """
        _ = parameters.speaker_options, parameters.turns
        open_filters(parameters.filters)
        check_channels(parameters)
        self._models.choose(parameters.model).model.engine.fit(
            Options(
                language=parameters.language, languages=parameters.languages, task=parameters.task
            )
        )

    def _abandoned(self) -> LiveRunner | None:
        """Return the session whose client has been gone for longest; ``None`` if there is none."""
        gone = [
            runner
            for runner in self._runners.values()
            if runner.detached_at is not None
            and runner.was_attached
            and runner.place in self.places
            and not runner.session.channels.busy
        ]
        return min(gone, key=lambda runner: runner.detached_at or 0.0, default=None)

    def has_waiting_session(self, client: ClientId) -> bool:
        """Return whether a client has a session without a connection, which it may resume."""
        own = (runner for runner in self._runners.values() if runner.client == client)
        return any(runner.detached_at is not None and not runner.is_finishing for runner in own)

    # Sessions.

    async def open(
        self,
        group: TaskGroup,
        client: ClientId,
        parameters: StreamParameters,
        place: str,
        *,
        source: str = NATIVE,
        owner: ClientId | None = None,
        request_id: str = "",
        is_resuming: bool = False,
        claim: Claim = NO_CLAIM,
        wording: WordingOf = no_wording,
    ) -> LiveRunner:
        """Start a session with a place from :meth:`.Places.admit`, which is free when it is over.

        Args:
            group: Runs the session.
            client: The client whose share of the queue is used.
            parameters: The parameters of the session.
            place: The place, with the model of the parameters.
            source: The API that the session uses.
            owner: The key that may read the session and what is kept of it; ``None``: no key may,
                and nothing is kept.
            request_id: Id of the speaker's request, by which its session is found in a list.
            is_resuming: Whether it replaces a session that is lost.
            claim: Result of :meth:`reclaim`, if it replaces a session that is lost.
            wording: Result of :meth:`wording_of`.

        Raises:
            ModelNotFound: There is no such model.
            BadRequest: The parameters are incompatible with each other or with the model.
            TakenOver: Another connection has the claimed session.
        """
        try:
            if claim.id in self._runners:
                raise _taken_over()
            id = claim.id or self._secrets.new_id()
            known_voices = self._voices.find(client, claim.lost)
            session = LiveSession(
                parameters,
                self.settings,
                self._libopus,
                id=id,
                secret=self._secrets.new_secret(id, client),
                client=client,
                reservations=self.places.reservations_of(place),
                now=time.monotonic(),
                models=self._models,
                streamed_languages=self.workers.partials.languages,
                speakers=self.workers.speakers,
                judges_turns=self.workers.judges_turns,
                is_resuming=is_resuming,
                known_voices=known_voices,
                wording=wording,
            )
            can_return = source == NATIVE and session.is_resumable and owner is not None
            followers = [
                each.open(
                    session.id,
                    owner,
                    source,
                    session.received_sample,
                    request_id,
                    can_return=can_return,
                    end_before=claim.ends.get(name),
                    unfinished_audio=partial(self._unfinished_audio, session, source),
                )
                for name, each in self.followers.items()
            ]
            if can_return:
                self._voices.open(session.id, session.speakers, client, claim.lost)
            runner = LiveRunner(
                session,
                place,
                client=client,
                transcriber=self._transcriber,
                workers=self.workers,
                metrics=self.metrics,
                reserve=partial(self.places.change_model, place),
                followers=followers,
                may_speak=partial(self.places.check_first_words, place),
            )
            runner.set_load(self._meter.load)
        except BaseException:
            self.places.leave(place)
            raise
        self._runners[session.id] = runner
        await group.start(self._run, runner)
        return runner

    async def wording_of(
        self, owner: ClientId | None, parameters: StreamParameters, *, is_resuming: bool = False
    ) -> WordingOf:
        """Return what is known of the speech of a session that is to be opened.

        Args:
            owner: The key.
            parameters: The parameters of the session.
            is_resuming: Whether the session replaces one that is lost, and continues in any case.

        Raises:
            AuricleError: See :meth:`.Wordings.find`.
        """
        try:
            return await self._wordings.find(owner, parameters.vocabulary)
        except (NotFound, *REFUSALS):
            if not is_resuming:
                raise
            return await self._wordings.find(None, "")

    def find(self, client: ClientId, session_id: str, secret: str) -> LiveRunner | None:
        """Return the session to resume if it is the client's and the secret matches.

        The time taken does not reveal whether the session id or the secret is wrong.
        """
        runner = self._runners.get(session_id)
        is_right = self._secrets.is_genuine(session_id, secret, client)
        if not is_right or runner is None or runner.session.secret != secret:
            return None
        if runner.is_over or runner.is_finishing:
            return None
        return runner

    def returns(self, client: ClientId, session_id: str, secret: str) -> bool:
        """Return whether a client returns with a session that the server's last run had open."""
        if session_id not in self._memory.last_sessions:
            return False
        return self._secrets.returns(session_id, secret, client, time.monotonic())

    async def reclaim(self, client: ClientId, session_id: str, secret: str) -> Claim:
        """Return what a client may continue of a lost session: its readers, and its voices.

        A session of that id exists if its client has not got its secret, as the connection was lost
        before. It ends; it has received nothing. Of claims that arrive together, the last counts.

        Raises:
            TakenOver: Another connection claims the session.
        """
        if not self._secrets.is_genuine(session_id, secret, client):
            return NO_CLAIM
        own = self._claims[session_id] = object()
        try:
            claim = await self._claim(client, session_id, secret)
            if self._claims.get(session_id) is not own:
                raise _taken_over()
            return claim
        finally:
            if self._claims.get(session_id) is own:
                del self._claims[session_id]

    async def _claim(self, client: ClientId, session_id: str, secret: str) -> Claim:
        runner = self._runners.get(session_id)
        if runner is not None and runner.session.secret != secret:
            for each in self.followers.values():
                each.await_speaker(session_id, time.monotonic() + RETURN_S)
            runner.end(_taken_over())
            with anyio.move_on_after(TAKEOVER_S):
                while self._runners.get(session_id) is runner:  # noqa: ASYNC110  # no event
                    await anyio.sleep(MIN_SLEEP_S)
        is_free = session_id not in self._runners
        if not is_free or not self._is_awaited(client, session_id):
            return Claim(session_id)
        followers = self.followers.items()
        ends = {name: await each.end_of(client, session_id) for name, each in followers}
        return Claim(session_id, session_id, ends)

    def _is_awaited(self, client: ClientId, session_id: str) -> bool:
        """Return whether followers wait for another session of a client's speaker."""
        return any(each.is_waiting(client, session_id) for each in self.followers.values())

    def _unfinished_audio(
        self, session: LiveSession, source: str, written: Mapping[int, int]
    ) -> Sequence[UnfinishedAudio] | None:
        """Return a session's audio without a final; ``None`` if its client can send it again.

        Neither is the audio of a session that hides private data stored: it has that data.
        """
        can_resend = source == NATIVE and session.is_resumable
        runner = self._runners.get(session.id)
        if can_resend and not (runner is not None and runner.is_finishing):
            return None
        if hides_text(session.parameters.filters):
            return None
        return session.channels.unfinished_audio(written)

    def read_interval_s(self, runner: LiveRunner) -> float:
        """Return the minimum time between two reads from a session's connection, in seconds."""
        is_silent = self.admission.is_silent(runner.place) and not runner.session.channels.busy
        longest_s = MAX_SILENT_READ_INTERVAL_S if is_silent else MAX_READ_INTERVAL_S
        return min(longest_s, self._read_interval_s)

    # Background work.

    async def watch(self) -> None:
        """Measure the load and expire sessions until cancelled."""
        store_at = time.monotonic() + STORE_S
        try:
            while True:
                await anyio.sleep(TICK_S)
                now = time.monotonic()
                self._tick(now)
                if now >= store_at:
                    await self.store_capacity()
                    store_at = now + STORE_S
        finally:
            with anyio.CancelScope(shield=True):
                await self.store_capacity()

    def _tick(self, now: float) -> None:
        for work in self._measure, self._look_at, self._end_expired, self._inform_followers:
            try:
                work(now)
            except Exception as error:  # one failure must not end all sessions
                log_unexpected(error)

    def _look_at(self, now: float) -> None:
        """Say to all sessions what the load is, and charge what they have received."""
        self._read_interval_s = READ_INTERVAL_PER_CLIENT_S * self.connected
        for runner in self._runners.values():
            try:
                runner.set_load(self._meter.load)
                self._charge(runner, now)
            except Exception as error:
                runner.fail(error)

    async def store_capacity(self) -> None:
        """Keep what was learned of the machine, and which sessions may return."""
        ids = self._kept_ids if self.draining.is_set() else self._returning_ids()
        try:
            await to_thread.run_sync(self._memory.store, self.admission.capacity, ids)
        except Exception as error:
            log_unexpected(error)

    def _returning_ids(self) -> tuple[str, ...]:
        """Return the ids of open sessions that may return, of each key at most its part."""
        ids: dict[ClientId, list[str]] = {}
        for runner in self._runners.values():
            session = runner.session
            if session.is_resumable and not (session.is_closed or runner.is_finishing):
                ids.setdefault(runner.client, []).append(session.id)
        part = ceil(self.admission.load().capacity / max(1, len(ids)))
        return tuple(id for own in ids.values() for id in own[:part])

    def _measure(self, now: float) -> None:
        """Measure the load, and what it says of the machine."""
        stats = self._transcriber.stats()
        load = self._meter.observe(stats)
        with contextlib.suppress(OSError):  # no free descriptor
            self.places.free_mb = available_memory_bytes() / 1e6
        self.admission.tick(now)
        if stats.is_working:
            self.admission.start(now)
        pending_s = []
        live_jobs = 0
        for runner in self._runners.values():
            session, is_gone = runner.session, runner.detached_at is not None
            busy, live_jobs = session.channels.busy, live_jobs + runner.running_jobs
            self.admission.observe(runner.place, busy, now, is_abandoned=is_gone)
            if session.pending_since < inf:
                pending_s.append(now - session.pending_since)
        jobs = stats.queue.running_jobs + stats.queue.waiting_jobs - stats.queue.waiting_file_jobs
        self.admission.capacity.observe(
            Sample(
                self.admission.speakers,
                tuple(pending_s),
                self._meter.wait_s,
                is_busy=load >= BUSY_LOAD,
                is_whole=all(
                    worker.state.is_up and not worker.overdue
                    for worker in stats.workers
                    if not worker.model
                ),
                is_live=2 * live_jobs >= jobs,
            ),
            now,
        )
        self._log_load(now)

    def _log_load(self, now: float) -> None:
        """Log when finals become late, when speakers have to wait, and when neither is so."""
        load = self.admission.load()
        event = "live_full" if load.waiting else "live_on_time"
        event = "live_late" if load.is_late else event
        if event == self._logged or now < self._log_at:
            return
        self._logged, self._log_at = event, now + LOG_INTERVAL_S
        write = log.info if event == "live_on_time" else log.warning
        write(
            event,
            speakers=round(load.speakers, 1),
            capacity=round(load.capacity, 1),
            waiting=load.waiting,
        )

    def drain(self) -> None:
        """Signal every connection to close; sessions can't be resumed here any more."""
        self._kept_ids = self._kept_ids or self._returning_ids()
        self.draining.set()
        for followers in self.followers.values():
            followers.suspend_waiting()
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
        is_over = False  # not if the server is stopped: its next start continues
        try:
            await runner.run(task_status=task_status)
            is_over = True
        finally:
            self._end(runner, is_over=is_over)

    def _end(self, runner: LiveRunner, *, is_over: bool) -> None:
        """Release all that a session holds, whatever fails."""
        session, now = runner.session, time.monotonic()
        until = None if session.is_closed else now + RETURN_S

        def end_for(followers: SessionFollowers) -> None:
            if is_over or not followers.is_logged(session.id):
                self._end_for(followers, runner)

        for step in (
            partial(self.metrics.clients.session_ended, runner.client),
            partial(self._charge, runner, now),
            partial(self._voices.end, session.id, until),
            *(partial(end_for, each) for each in self.followers.values()),
            partial(runner.release, is_over=is_over),
        ):
            try:
                step()
            except Exception as error:
                log_unexpected(error, session=session.id)
        del self._runners[session.id]
        self.places.leave(runner.place)

    def _inform_followers(self, now: float) -> None:
        for followers in self.followers.values():
            for runner in self._runners.values():
                try:
                    self._inform(followers, runner, now)
                except Exception as error:
                    runner.fail(error)
            followers.tick(now)

    def _inform(self, followers: SessionFollowers, runner: LiveRunner, now: float) -> None:
        session, detached_at = runner.session, runner.detached_at
        if self.draining.is_set() and detached_at is not None and not runner.is_finishing:
            self._end_for(followers, runner)
        else:
            followers.complete(session.id, session.safe_sample)
        if session.is_resumable and not session.is_closed and not runner.is_finishing:
            is_away = detached_at is not None and now - detached_at >= AWAY_S
            followers.set_away(session.id, is_away=is_away)

    def _end_for(self, followers: SessionFollowers, runner: LiveRunner) -> None:
        """End a session for its followers, unless another one of its speaker may continue it."""
        session = runner.session
        if followers.is_waiting(runner.client, session.id):
            return
        is_draining = self.draining.is_set()
        if is_draining and not session.is_closed and followers.is_logged(session.id):
            followers.suspend(session.id)
            return
        reason = "draining" if is_draining else "speaker_left"
        followers.end(
            session.id,
            "closed" if session.is_closed else reason,
            session.received_sample,
            time.monotonic(),
        )

    def _charge(self, runner: LiveRunner, now: float) -> None:
        """Charge the audio of all separate channels received since the last charge."""
        session = runner.session
        samples = session.received_sample - runner.charged_sample
        runner.charged_sample += samples
        audio_s = samples * session.parameters.separate_channels / SAMPLE_RATE_HZ
        self._allowances.charge_audio(runner.client, audio_s, now)
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
                self.places.leave(runner.place)
                kept += 1
            if detached_at is None:
                continue
            is_acknowledged = session.is_closed and not session.journal.finals
            is_late = now - detached_at >= self.settings.resume_grace_s
            if kept > self.settings.max_sessions:
                runner.end()
            elif is_acknowledged or is_late:
                runner.finish()


def _taken_over() -> TakenOver:
    return TakenOver("Another connection has continued this session.")
