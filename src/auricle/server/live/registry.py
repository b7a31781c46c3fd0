"""All live sessions of one server: who is let in, who comes back, who is given up.

A session is admitted before it starts: it holds one of ``max_sessions`` places and, in the queue of
the recognisers, standing room for its finals. Both are given back when it is over. A session whose
connection is lost is kept for the grace time, and so are the last finals of one that has ended.
"""

import hmac
import random
import secrets
import time
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from auricle.audio.opus import LibOpus
from auricle.config import LiveSettings
from auricle.errors import Draining, Overloaded, RateLimited
from auricle.protocol.native.stream import Resume, StreamParameters
from auricle.server.access.connection_limits import network_of
from auricle.server.access.rate_limits import Allowances
from auricle.server.http.client_address import Address, Network
from auricle.server.http.errors import log_unexpected
from auricle.server.live.load_meter import LoadMeter
from auricle.server.live.runner import LiveRunner
from auricle.server.telemetry.live_metrics import LiveMetrics
from auricle.session.live import LiveSession
from auricle.transcriber import Transcriber
from auricle.types import SAMPLE_RATE_HZ, ClientId

SESSION_AUDIO_S = 7.5
"""Room in the queue for a session's finals, beside the one that always has it: 36 sessions in a
queue of 300 s, with the tenth that is kept for those who come back; 24 of one key. Two workers do
37 s of speech a second (``bench/overload``): of 54 who spoke at once some had finals 10 s late."""
LATE_S = 5.0
"""When a new session's first final would take so long, there are too many sessions already."""
PLACE_RETRY_S = 10
TICK_S = 0.5
"""How often the load is measured, and sessions are looked for whose time is over."""

FIRST_RETURN_S = 0.5
RETURNS_PER_S = 20
"""When the server restarts, its clients come back at times that are spread: so many a second."""


@dataclass(frozen=True, slots=True)
class _Room:
    """Who holds one."""

    client: ClientId
    network: Network | None


class LiveSessions:
    """See the module.

    Args:
        settings: The section of live sessions.
        transcriber: Does their jobs, and keeps room for them.
        libopus: Decodes their packets.
        metrics: Counts.
        allowances: What each key may use.
        gateway_id: What the ids of sessions begin with, so that a load balancer can tell where a
            client is to come back to; letters and digits, or nothing.
    """

    def __init__(
        self,
        settings: LiveSettings,
        transcriber: Transcriber,
        libopus: LibOpus,
        metrics: LiveMetrics,
        allowances: Allowances,
        gateway_id: str = "",
    ) -> None:
        self.settings = settings
        self.metrics = metrics
        self.draining = anyio.Event()
        self._transcriber = transcriber
        self._libopus = libopus
        self._allowances = allowances
        self._id_prefix = f"{gateway_id}-" if gateway_id else ""
        self._rooms: dict[str, _Room] = {}
        self._runners: dict[str, LiveRunner] = {}
        self._room_of: dict[str, str] = {}
        self._charged_samples: dict[str, int] = {}
        self._meter = LoadMeter()
        metrics.connected.set_function(lambda: self.connected)
        metrics.waiting.set_function(lambda: self.waiting)
        metrics.load.set_function(lambda: self._meter.load)

    @property
    def connected(self) -> int:
        """Sessions with a connection."""
        return sum(runner.detached_at is None for runner in self._runners.values())

    @property
    def waiting(self) -> int:
        """Sessions that a client may come back to."""
        return len(self._runners) - self.connected

    @property
    def load(self) -> float:
        """How busy the recognisers are, from 0 (idle) to 1 (full)."""
        return self._meter.load

    @property
    def free_share(self) -> float:
        """How many of the places are free, from 0 to 1; kept sessions have theirs."""
        return 1.0 - len(self._rooms) / self.settings.max_sessions

    # Admission.

    def admit(self, client: ClientId, address: Address | None, *, is_resuming: bool) -> str:
        """Return a new session's room; to be given to :meth:`open` or :meth:`leave`.

        Raises:
            Overloaded: There is no place or no room, or no worker is ready.
            RateLimited: The client's budget of crashes, or its allowance of audio or sessions, is
                used up, or its address has too many sessions.
        """
        network, rooms = network_of(address), self._rooms.values()
        self._allowances.check_sessions(client, sum(room.client == client for room in rooms))
        self._allowances.check_audio(client, time.monotonic())
        most = self.settings.max_sessions_per_address
        if network and most and sum(room.network == network for room in rooms) >= most:
            raise RateLimited(f"An address may have {most} live sessions at once.", PLACE_RETRY_S)
        if len(self._rooms) >= self.settings.max_sessions:
            raise Overloaded("As many live sessions as the server takes are open.", PLACE_RETRY_S)
        room = self._transcriber.reserve(
            client,
            SESSION_AUDIO_S,
            max_wait_s=None if is_resuming else LATE_S,
            standing=True,
            resumed=is_resuming,
        )
        self._rooms[room] = _Room(client, network)
        return room

    def leave(self, room: str) -> None:
        """Give a room back; again does no harm."""
        self._rooms.pop(room, None)
        self._transcriber.release(room)

    def may_return(self, client: ClientId) -> bool:
        """Whether a client has any session that it could come back to."""
        return any(runner.client == client for runner in self._runners.values())

    # Sessions.

    async def open(
        self, group: TaskGroup, client: ClientId, parameters: StreamParameters, room: str
    ) -> LiveRunner:
        """Start a session in a room; it gives the room back when it is over.

        Raises:
            BadRequest: The parameters can't be used together.
        """
        try:
            session = LiveSession(
                parameters,
                self.settings,
                self._libopus,
                id=self._id_prefix + secrets.token_hex(8),
                secret=secrets.token_urlsafe(24),
                client=client,
                reservation=room,
                now=time.monotonic(),
            )
        except BaseException:
            self.leave(room)
            raise
        session.set_load(self._meter.load)
        runner = LiveRunner(
            session, client=client, transcriber=self._transcriber, metrics=self.metrics
        )
        self._runners[session.id], self._room_of[session.id] = runner, room
        self._charged_samples[session.id] = session.received_sample
        await group.start(self._run, runner)
        return runner

    def find(self, client: ClientId, resume: Resume) -> LiveRunner | None:
        """Return the session that is asked for, if the secret is right and it is the client's.

        Whether the session or the secret is wrong can't be told from how long this takes.
        """
        found = self._runners.get(resume.session)
        secret = secrets.token_urlsafe(24) if found is None else found.session.secret
        is_right = hmac.compare_digest(secret.encode(), resume.secret.encode())
        if found is None or not is_right or found.client != client or found.is_over:
            return None
        return found

    # Its own work.

    async def watch(self) -> None:
        """Measure the load, and give up sessions whose time is over, for ever."""
        while True:
            await anyio.sleep(TICK_S)
            try:
                load = self._meter.observe(self._transcriber.stats())
            except Exception as error:  # sessions do without rather than end with it
                log_unexpected(error)
                load = self._meter.load
            for runner in self._runners.values():
                try:
                    runner.set_load(load)
                except Exception as error:
                    runner.fail(error)
                self._charge(runner)
            self._give_up_old(time.monotonic())

    def drain(self) -> None:
        """Tell every connection to close; sessions are not kept."""
        self.draining.set()

    def closing_messages(self) -> tuple[Draining, float]:
        """Return what a connection is told when the server goes, and when it is to come back."""
        spread_s = len(self._runners) / RETURNS_PER_S
        after_s = round(FIRST_RETURN_S + random.uniform(0.0, max(1.0, spread_s)), 1)
        return Draining("The server restarts; come back and resume.", 1), after_s

    async def _run(self, runner: LiveRunner, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        self.metrics.clients.session_started(runner.client)
        try:
            await runner.run(task_status=task_status)
        finally:
            self.metrics.clients.session_ended(runner.client)
            self._charge(runner)
            del self._charged_samples[runner.session.id]
            del self._runners[runner.session.id]
            self.leave(self._room_of.pop(runner.session.id))

    def _charge(self, runner: LiveRunner) -> None:
        """Charge what was taken since the last time."""
        session = runner.session
        samples = session.received_sample - self._charged_samples[session.id]
        self._charged_samples[session.id] += samples
        audio_s = samples / SAMPLE_RATE_HZ
        self._allowances.charge_audio(runner.client, audio_s, time.monotonic())
        self.metrics.clients.count_audio(runner.client, audio_s)

    def _give_up_old(self, now: float) -> None:
        """End sessions whose time is over, and give back rooms where no audio comes any more."""
        kept = 0
        for runner in reversed(self._runners.values()):
            session, detached_at = runner.session, runner.detached_at
            is_resumable = session.is_resumable and not session.is_closed
            if detached_at is None and not session.is_closed:
                continue
            if not is_resumable and runner.was_attached:  # only its last finals can be asked for
                self.leave(self._room_of[session.id])
                kept += 1
            if detached_at is None:
                continue
            is_told = session.is_closed and not session.unacknowledged
            is_late = now - detached_at >= self.settings.resume_grace_s
            if is_told or is_late or kept > self.settings.max_sessions:
                runner.end()
