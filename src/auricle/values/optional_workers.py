"""Workers that a server can do without, and what stands in for those that it does not have."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

from auricle.values.errors import NoWorkerReady, TurnsUnavailable, UnsupportedFormat
from auricle.values.speakers import NO_SPEAKERS, Speakers
from auricle.values.transcriber import (
    DecodingStream,
    FrameDecoder,
    PartialTranscriber,
    Stats,
    TurnJudge,
)
from auricle.values.types import ClientId, FrameCodec, Job, Transcript, TurnJob


class _NoWorkers:
    def stats(self) -> Stats:
        """Return that there are no workers."""
        return Stats()


class NoPartialTranscriber(_NoWorkers):
    """Recognises nothing, so that the transcriber of finals recognises partials as well."""

    languages: frozenset[str] = frozenset()
    is_ready = False

    def recognises(self, job: Job) -> bool:
        """Return that it does not."""
        return False

    async def transcribe(self, job: Job) -> Transcript:
        """Raise ``NoWorkerReady``."""
        raise NoWorkerReady("This server has no workers for partials.", 5)


class NoTurnJudge(_NoWorkers):
    """Judges no turn, so that silence ends utterances."""

    def prepare(self) -> None:
        """Do nothing."""

    async def judge(self, job: TurnJob) -> float:
        """Raise ``TurnsUnavailable``."""
        raise TurnsUnavailable


class NoFrameDecoder(_NoWorkers):
    """Rejects live streams of compressed audio."""

    def open(self, codec: FrameCodec, header: bytes, *, client: ClientId) -> DecodingStream:
        """Raise ``UnsupportedFormat``."""
        raise UnsupportedFormat("This server decodes no live MP3, FLAC or AAC.")


NO_PARTIAL_TRANSCRIBER = NoPartialTranscriber()
NO_TURN_JUDGE = NoTurnJudge()
NO_FRAME_DECODER = NoFrameDecoder()


@dataclass(frozen=True, slots=True)
class OptionalWorkers:
    """The optional workers of a server; their owner starts and stops them.

    Attributes:
        partials: Recognises partials apart from all other jobs.
        speakers: Distinguishes speakers.
        turns: Judges the ends of turns.
        frames: Decodes live MP3, FLAC and AAC.
    """

    partials: PartialTranscriber = NO_PARTIAL_TRANSCRIBER
    speakers: Speakers = NO_SPEAKERS
    turns: TurnJudge = NO_TURN_JUDGE
    frames: FrameDecoder = NO_FRAME_DECODER

    @property
    def judges_turns(self) -> bool:
        """Whether the ends of turns can be judged."""
        return self.turns is not NO_TURN_JUDGE

    def statistics(self) -> Mapping[str, Callable[[], Stats]]:
        """Return what reports the workers that there are, by the name of their kind."""
        return {
            kind.name: getattr(self, kind.name).stats
            for kind in fields(self)
            if getattr(self, kind.name) is not kind.default
        }


OPTIONAL_KINDS = tuple(field.name for field in fields(OptionalWorkers))
NO_OPTIONAL_WORKERS = OptionalWorkers()
