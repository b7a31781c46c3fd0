"""What was learned of the machine, kept in the state directory over restarts.

The file ``speakers.json`` holds the estimate with the machine, model and version that it applies
to, and the ids of open live sessions, which are admitted first after a restart.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

from auricle.server.live.admission.admission import LiveAdmission
from auricle.server.live.admission.capacity import SPEAKERS_PER_WORKER, SpeakerCapacity
from auricle.system.atomic_file import replacing

FILE = "speakers.json"
MAX_FILE_BYTES = 1_000_000
"""A larger file is not ours."""
MAX_SESSIONS = 5000
"""Maximum number of ids in the file."""
RETURN_S = 300.0
"""Sessions of a server that stopped longer ago than this are not expected back."""

log = structlog.get_logger("auricle.server")


@dataclass(frozen=True, slots=True)
class Machine:
    """What a capacity depends on.

    Attributes:
        of: Identifies processor, model, workers and version.
        workers: Number of workers.
        measured: Live sessions that ``auricle bench --save`` has measured; 0: not measured.
    """

    of: str = ""
    workers: int = 1
    measured: int = 0


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    of: str
    speakers: float
    is_learned: bool
    measured: int
    sessions: tuple[str, ...]
    at: float


class CapacityMemory:
    """Reads and writes the file.

    Args:
        directory: The state directory; it is created when something is written.
        machine: What the capacity is of.
        live_speakers: What the operator has set instead; 0: nothing.

    Attributes:
        last_sessions: Ids of the sessions that the last run had open; known once restored.
    """

    def __init__(self, directory: Path, machine: Machine, live_speakers: int = 0) -> None:
        self._path = directory / FILE
        self._machine = machine
        self._live_speakers = live_speakers
        self.last_sessions: frozenset[str] = frozenset()
        self._has_failed = False
        self._learned: SpeakerCapacity | None = None  # which the operator's number hides

    def restored(self) -> LiveAdmission:
        """Return the admission with what is known of this machine. Blocks."""
        machine, kept = self._machine, self._read()
        is_ours = kept is not None and kept.of == machine.of
        if kept is not None and is_ours and kept.measured == machine.measured:
            capacity = SpeakerCapacity(kept.speakers, is_learned=kept.is_learned)
        elif machine.measured:  # for the first time, or again
            capacity = SpeakerCapacity(machine.measured, is_learned=True)
        else:
            capacity = SpeakerCapacity(SPEAKERS_PER_WORKER * machine.workers)
        if self._live_speakers:
            self._learned = capacity
            capacity = SpeakerCapacity(self._live_speakers, is_fixed=True)
        is_recent = kept is not None and 0 <= time.time() - kept.at < RETURN_S
        if kept is not None:
            self.last_sessions = frozenset(kept.sessions)
        return LiveAdmission(capacity, returning=len(self.last_sessions) if is_recent else 0)

    def store(self, capacity: SpeakerCapacity, sessions: Sequence[str]) -> None:
        """Write what is known now, and the ids of open live sessions. Blocks."""
        capacity = self._learned or capacity
        kept = _Kept(
            of=self._machine.of,
            speakers=round(capacity.known, 1),
            is_learned=capacity.is_learned,
            measured=self._machine.measured,
            sessions=tuple(sessions[:MAX_SESSIONS]),
            at=time.time(),
        )
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with replacing(self._path, 0o600) as file:
                file.write(msgspec.json.encode(kept) + b"\n")
            self._has_failed = False
        except OSError as error:  # the server works without; say so once
            if not self._has_failed:
                log.warning("capacity_not_kept", error=type(error).__name__)
            self._has_failed = True

    def _read(self) -> _Kept | None:
        try:
            with self._path.open("rb") as file:
                return msgspec.json.decode(file.read(MAX_FILE_BYTES), type=_Kept)
        except (OSError, msgspec.DecodeError):
            return None
