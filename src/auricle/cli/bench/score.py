"""Delays of finals from the messages of live streams. No I/O."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

MAX_P95_S = 2.0
"""A level is held if 95 of 100 finals arrive within this time after the end of speech."""
PATIENCE_S = 3.0
"""How long streams continue after the last sentence that counts. Later finals count as missing."""
INSIDE_S = 0.3
"""This long before the end of its sound a sentence surely belongs to the final with its end."""
NEAR_S = 0.3
"""Tolerance for a final's end."""


@dataclass(frozen=True, slots=True)
class ReceivedFinal:
    """A final with text: when it arrived, and its part of the stream; in seconds of the stream."""

    at_s: float
    start_s: float
    end_s: float


@dataclass(slots=True)
class PlayedStream:
    """What was sent and received in one stream.

    Attributes:
        ends_s: Where the sound of each sentence that counts ends, in seconds of the stream.
        late_s: How late each packet was sent, in seconds.
        finals: Finals with text.
        partials: Number of partials.
        is_refused: Whether the server refused the stream.
    """

    ends_s: tuple[float, ...]
    late_s: list[float] = field(default_factory=list)
    finals: list[ReceivedFinal] = field(default_factory=list)
    partials: int = 0
    is_refused: bool = False

    def delays_s(self) -> Iterator[float]:
        """Yield the delay of each sentence's final in seconds; infinite if there was none."""
        for end_s in self.ends_s:
            inside_s = end_s - INSIDE_S
            arrivals_s = [
                final.at_s
                for final in self.finals
                if final.start_s <= inside_s <= final.end_s + NEAR_S
            ]
            yield min(arrivals_s, default=math.inf) - end_s


@dataclass(frozen=True, slots=True)
class LevelResult:
    """The figures of one level.

    Attributes:
        streams: Number of streams.
        has_partials: Whether the streams requested partials.
        finals: Number of sentences.
        p50_s, p95_s: Delay of finals from the end of speech, in seconds; infinite: missing.
        partials_per_s: Partials per second and stream.
        cores: Cores that the server used.
        other_cores: Cores that other programs used, without this one.
        late_p99_s: How late this program sent packets, in seconds.
        refused: Streams that the server refused; their finals are missing.
    """

    streams: int
    has_partials: bool
    finals: int
    p50_s: float
    p95_s: float
    partials_per_s: float
    cores: float
    other_cores: float
    late_p99_s: float
    refused: int = 0

    @property
    def is_held(self) -> bool:
        """Whether the machine holds this number of streams."""
        return self.p95_s <= MAX_P95_S


def level_result(
    played: Sequence[PlayedStream],
    *,
    has_partials: bool,
    seconds: float,
    cores: float,
    other_cores: float,
) -> LevelResult:
    """Return the figures of a level.

    Args:
        played: Its streams; the finals of refused ones are missing.
        has_partials: Whether partials were requested.
        seconds: Length of each stream.
        cores: Cores that the server used.
        other_cores: Cores that other programs used.
    """
    delays_s = [delay_s for stream in played for delay_s in stream.delays_s()]
    partials = sum(stream.partials for stream in played)
    return LevelResult(
        len(played),
        has_partials,
        len(delays_s),
        percentile(delays_s, 50),
        percentile(delays_s, 95),
        partials / seconds / len(played),
        cores,
        other_cores,
        percentile([late_s for stream in played for late_s in stream.late_s] or [0.0], 99),
        sum(stream.is_refused for stream in played),
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that this share of all values does not exceed; may be infinite."""
    if not values:
        return math.inf
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
