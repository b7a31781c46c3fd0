"""Live streams under faults, and the transcripts that the server keeps of them."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from auricle.client import ClientRules
from auricle.values.types import SAMPLE_RATE_HZ
from tests.resilience.chaos.recordings import Recording
from tests.resilience.durable.jobs import JobClient
from tests.resilience.live_chaos import Take, take

RULES = ClientRules(max_delay_s=2.0, first_patience_s=300.0, patience_s=300.0, silence_s=2.0)
SAMPLES_PER_MS = SAMPLE_RATE_HZ // 1000
PAGE = 1000

Segment = tuple[int, int, str]
"""Start and end in ms, and the text."""


@dataclass(frozen=True, slots=True)
class LiveTake:
    """A recording that was sent live once; times are Unix times in seconds."""

    stream: int
    began_at: float
    ended_at: float
    take: Take

    @property
    def segments(self) -> Counter[Segment]:
        """The finals with text that the client received."""
        finals = [received.final for received in self.take.finals if received.final.text]
        return Counter(
            (final.start_sample // SAMPLES_PER_MS, final.end_sample // SAMPLES_PER_MS, final.text)
            for final in finals
        )


@dataclass
class LiveStream:
    """A client that sends the same recording again and again.

    Attributes:
        number: Of the stream.
        url: Of its gateway.
        key: Its API key.
        recording: What it sends.
        takes: The results.
        failures: Descriptions of takes that ended with an error.
    """

    number: int
    url: str
    key: str
    recording: Recording
    takes: list[LiveTake] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    async def once(self) -> None:
        """Send the recording once."""
        began_at = time.time()
        try:
            done = await take(self.url, self.recording.pcm, api_key=self.key, rules=RULES)
        except Exception as error:
            self.failures.append(f"stream {self.number}: {error!r}")
        else:
            self.takes.append(LiveTake(self.number, began_at, time.time(), done))

    async def repeat(self, seconds: float) -> None:
        """Send the recording until the time is over; the last one is sent to its end."""
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            await self.once()


@dataclass(frozen=True, slots=True)
class KeptTranscript:
    """A transcript that the server kept."""

    started_at: float
    segments: tuple[Segment, ...]


async def kept_transcripts(client: JobClient) -> list[KeptTranscript]:
    """Return all transcripts of live sessions that a key may read."""
    kept: list[KeptTranscript] = []
    before = ""
    while True:
        page = await client.get(f"/v1/transcripts?source=native&limit={PAGE}{before}")
        for summary in page["transcripts"]:
            body = await client.get(f"/v1/transcripts/{summary['id']}")
            segments = tuple(
                (segment["start_ms"], segment["end_ms"], segment["text"])
                for segment in body["segments"]
            )
            kept.append(KeptTranscript(body["started_at"], segments))
        if page["next"] is None:
            return kept
        before = f"&before={page['next']}"


@dataclass(frozen=True, slots=True)
class KeptFigures:
    """How received finals compare with kept ones."""

    received: int
    missing: int
    besides: int
    """Kept, but not received: the server died before it sent them, and they were said again."""

    def __add__(self, other: "KeptFigures") -> "KeptFigures":
        return KeptFigures(
            self.received + other.received,
            self.missing + other.missing,
            self.besides + other.besides,
        )


def compare_kept(takes: Sequence[LiveTake], kept: Sequence[KeptTranscript]) -> KeptFigures:
    """Compare the finals of one stream with its transcripts.

    A take that is interrupted by the death of its server has several transcripts. All those that
    began during the take belong to it.
    """
    figures = KeptFigures(0, 0, 0)
    for one in takes:
        own = Counter(
            segment
            for transcript in kept
            if one.began_at <= transcript.started_at <= one.ended_at
            for segment in transcript.segments
        )
        received = one.segments
        figures += KeptFigures(received.total(), (received - own).total(), (own - received).total())
    return figures
