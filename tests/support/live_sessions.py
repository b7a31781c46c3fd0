"""Live sessions on fakes, without a server around them."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

import anyio
from anyio.abc import TaskGroup
from prometheus_client import CollectorRegistry

from auricle.audio.opus import find_libopus
from auricle.config.sections.live import LiveSettings
from auricle.engines.models import ModelTable
from auricle.server.access.rate_limits import NO_OWN_LIMITS, KeyLimits, RateLimiter
from auricle.server.live.admission.memory import CapacityMemory, Machine
from auricle.server.live.followers import SessionFollowers
from auricle.server.live.registry import LiveSessions
from auricle.server.live.runner import LiveRunner
from auricle.server.live.session_secrets import SessionSecrets
from auricle.server.telemetry.live_metrics import LiveMetrics
from auricle.values.commands import StreamParameters
from auricle.values.events import Wire
from auricle.values.optional_workers import NO_OPTIONAL_WORKERS, OptionalWorkers
from auricle.values.types import ClientId
from auricle.values.voice_keeper import NO_VOICE_STORE
from auricle.values.wording import NO_WORDINGS, Wordings
from tests.support.models import models_of
from tests.support.scripted_engine import SPEC
from tests.support.transcriber import FakeTranscriber

ALICE = ClientId("alice")


@dataclass
class Sessions:
    live: LiveSessions
    transcriber: FakeTranscriber
    registry: CollectorRegistry
    group: TaskGroup
    directory: Path
    """Where what was learned of the machine is kept."""

    async def open(
        self, parameters: StreamParameters | None = None, client: ClientId = ALICE
    ) -> LiveRunner:
        """Start a session of PCM16 with positions, if nothing else is wanted."""
        wanted = parameters or StreamParameters(format=Wire.PCM16, seq=True)
        place = self.live.places.admit(client, None)
        return await self.live.open(self.group, client, wanted, place)

    def figure(self, name: str, **labels: str) -> float:
        """Return one of the metrics."""
        value = self.registry.get_sample_value(name, labels)
        return 0.0 if value is None else value


@asynccontextmanager
async def sessions(
    settings: LiveSettings | None = None,
    limits: KeyLimits = NO_OWN_LIMITS,
    id_prefix: str = "",
    models: ModelTable | None = None,
    workers: OptionalWorkers = NO_OPTIONAL_WORKERS,
    followers: Mapping[str, SessionFollowers] = MappingProxyType({}),
    wordings: Wordings = NO_WORDINGS,
) -> AsyncIterator[Sessions]:
    registry, transcriber = CollectorRegistry(), FakeTranscriber()
    metrics = LiveMetrics(registry)
    rate_limiter = RateLimiter(limits, lambda client: NO_OWN_LIMITS)
    settings = settings or LiveSettings()
    with TemporaryDirectory() as name:
        directory = Path(name)
        live = LiveSessions(
            settings,
            models or models_of(SPEC),
            transcriber,
            workers,
            find_libopus(),
            metrics,
            rate_limiter,
            SessionSecrets(b"a key of this server" * 2, time.monotonic(), id_prefix),
            CapacityMemory(directory, Machine(), settings.live_speakers),
            workers.speakers.keep_voices(NO_VOICE_STORE),
            followers,
            wordings,
        )
        async with anyio.create_task_group() as group:
            group.start_soon(live.watch)
            yield Sessions(live, transcriber, registry, group, directory)
            group.cancel_scope.cancel()
