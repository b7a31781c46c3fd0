"""The result of ``auricle bench`` as lines, as advice and as a JSON document. No I/O."""

import math
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

from auricle.cli.bench.score import MAX_P95_S, LevelResult
from auricle.cli.bench.yardstick import Yardstick
from auricle.config.capacity import Capacity, Measured
from auricle.config.section import variable
from auricle.config.settings import Settings

MAX_OTHER_CORES_SHARE = 0.1
"""Other programs that use more of the machine's cores make the figures too low."""
MAX_LATE_S = 0.1
"""Packets that were sent later make delays too long: this program got too little CPU time."""
TABLE_HEAD = (
    f"{'live streams':>14} {'partials':>8} {'final p50':>10} {'p95':>7} {'partials/s':>10}"
    f" {'cores':>6}"
)


@dataclass(slots=True)
class BenchResult:
    """Everything that was measured; fields are filled one by one.

    Attributes:
        version: Auricle's version.
        measured_at: Wall-clock time in seconds since 1970.
        of: Machine, model and workers.
        is_quick: Whether few and short levels were played.
        yardstick: faster-whisper's speed on one core.
        file_speed: Seconds of a recording that are transcribed in a second.
        file_s: Length of that recording.
        levels: All levels in their order.
        streams: Live streams that are held with partials.
        streams_without: The same without partials; ``None``: not measured.
    """

    version: str
    measured_at: float
    of: Measured
    is_quick: bool
    yardstick: Yardstick = Yardstick(0.0)
    file_speed: float = 0.0
    file_s: float = 0.0
    levels: list[LevelResult] = field(default_factory=list)
    streams: int = 0
    streams_without: int | None = None

    @property
    def yardsticks(self) -> float:
        """The yardstick's speed on all cores; 0: not measured."""
        return self.yardstick.speed * self.of.cores

    @property
    def is_busy(self) -> bool:
        """Whether other programs used too much of the machine, so that the figures are too low."""
        others = max((level.other_cores for level in self.levels), default=0.0)
        return others > MAX_OTHER_CORES_SHARE * self.of.cores

    def capacity(self) -> Capacity:
        """Return what ``auricle serve`` needs of it."""
        return Capacity(
            of=self.of,
            live_sessions=self.streams,
            file_speed=round(self.file_speed, 2),
            yardstick_speed=round(self.yardstick.speed, 2),
            version=self.version,
            measured_at=round(self.measured_at),
        )

    def document(self) -> dict[str, object]:
        """Return the JSON document; a figure that is infinite is ``null``."""
        levels = [
            {name: _rounded(value) for name, value in asdict(level).items()}
            | {"is_held": level.is_held}
            for level in self.levels
        ]
        return {
            "version": self.version,
            "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.measured_at)),
            "quick": self.is_quick,
            "of": msgspec.structs.asdict(self.of),
            "yardstick": {
                "speed_per_core": _rounded(self.yardstick.speed) or None,
                "problem": self.yardstick.problem or None,
            },
            "file": {"seconds": round(self.file_s, 1), "speed": _rounded(self.file_speed)},
            "max_p95_s": MAX_P95_S,
            "levels": levels,
            "live_streams": {"with_partials": self.streams, "without": self.streams_without},
            "per_yardstick": self._per_yardstick(),
            "busy": self.is_busy,
        }

    def _per_yardstick(self) -> dict[str, float] | None:
        if not self.yardsticks:
            return None
        return {
            "file_speed": round(self.file_speed / self.yardsticks, 2),
            "live_streams": round(self.streams / self.yardsticks, 2),
        }


def _rounded(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return round(value, 3) if math.isfinite(value) else None


def heading(result: BenchResult) -> list[str]:
    """Return the lines before the table: machine, server, yardstick and file."""
    of = result.of
    workers, threads = _number(of.workers, "worker"), _number(of.worker_threads, "thread")
    speed = result.yardstick.speed
    of_yardstick = f"; {result.file_speed / result.yardsticks:.1f} x the yardstick" if speed else ""
    return [
        f"machine      {of.processor}, {_number(of.cores, 'core')}",
        f"model        {of.model} ({of.engine}, {of.compute_type}, {of.device}), {workers} of "
        f"{threads}",
        f"yardstick    {speed:.1f} x real time on one core: faster-whisper, Whisper base"
        if speed
        else f"yardstick    not measured: {result.yardstick.problem}",
        f"recording    {result.file_speed:.1f} x real time ({result.file_s:.0f} s){of_yardstick}",
    ]


def row(level: LevelResult) -> str:
    """Return a level's line of the table."""
    partials = "yes" if level.has_partials else "no"
    per_s = f"{level.partials_per_s:.2f}" if level.has_partials else ""
    verdict = "" if level.is_held else "  late"
    if level.refused:
        verdict = f"  {level.refused} refused"
    return (
        f"{level.streams:14} {partials:>8} {_delay(level.p50_s):>10} {_delay(level.p95_s):>7}"
        f" {per_s:>10} {level.cores:6.1f}{verdict}"
    )


def conclusion(result: BenchResult) -> list[str]:
    """Return the lines after the table."""
    rate = ""
    if result.yardsticks:
        rate = f" ({result.streams / result.yardsticks:.1f} per core and yardstick)"
    condition = f": 95 % of finals arrive within {MAX_P95_S:g} s after the end of speech."
    if result.streams:
        held = _number(result.streams, "live stream")
        lines = [f"This machine holds {held} with partials{rate}{condition}"]
    else:
        fewest = min(level.streams for level in result.levels if level.has_partials)
        failed = _number(fewest, "live stream")
        lines = [f"This machine does not hold {failed} with partials. Held is a number{condition}"]
    if result.streams_without is not None:
        lines.append(f"Without partials it holds {result.streams_without}.")
    if result.is_busy:
        lines.append("Other programs used the machine: the figures are too low.")
    if any(level.late_p99_s > MAX_LATE_S for level in result.levels):
        lines.append("The bench got too little CPU time to play in real time: delays are too long.")
    if result.is_quick:
        lines.append("A quick run is coarse; run `auricle bench` without --quick for planning.")
    return lines


def advice(result: BenchResult, settings: Settings, saved: str | None) -> list[str]:
    """Return what to do so that a server admits what the machine holds.

    Args:
        result: The result.
        settings: All settings.
        saved: The file that holds the result; ``None``: it is not saved.
    """
    if not result.streams:
        return ["Choose a smaller model, or a faster machine."]
    if saved is None:
        return ["`auricle bench --save` lets a new server begin with this number."]
    lines = [f"Saved in {saved}: `auricle serve` begins with this number and learns from there."]
    if result.streams > settings.live.max_sessions:
        lines.append(f"Raise {variable('max_sessions')}, which is {settings.live.max_sessions}.")
    return lines


def _delay(seconds: float) -> str:
    return f"{seconds:.2f} s" if math.isfinite(seconds) else "never"


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
