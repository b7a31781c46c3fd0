"""Live sessions of some seconds of speech, on raw sockets.

Their frames are made once, and each session writes them in real time, so hundreds of sessions cost
little compared to the server.
"""

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from auricle.cli.bench.stream import Played, StreamPlayer
from auricle.protocol.framing import pack
from auricle.values.errors import ServerFull
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.lib.audio import opus_packets
from bench.lib.posting import Outcome, read_response
from bench.lib.raw_stream import SWITCHED, TEXT, frame, handshake, messages

STEP_S = 0.1
STEP_SAMPLES = int(STEP_S * SAMPLE_RATE_HZ)
OPEN_LIMIT_S = 20.0
LAST_FINAL_LIMIT_S = 60.0
BROKEN = 0
UNFINISHED = "unfinished"
"""Code of a session whose connection was lost, or whose last final did not come in time."""
REFUSED_LATER = ServerFull.close_code
"""Status of an admitted session that may not begin to speak: its connection is closed with it."""
STOP = frame(b'{"type":"stop"}', TEXT)


@dataclass(frozen=True, slots=True)
class Talk:
    """The speech of one session: a frame for each step, and its length."""

    name: str
    audio_s: float
    frames: tuple[bytes, ...]


def talk(name: str, pcm: Pcm16) -> Talk:
    """Return speech as the frames of a session, in whole steps."""
    steps = pcm.size // STEP_SAMPLES
    packets = opus_packets(pcm[: steps * STEP_SAMPLES])
    numbered = [pack(packet, seq) for seq, packet in enumerate(packets)]
    size = len(packets) // steps
    parts = (b"".join(numbered[at : at + size]) for at in range(0, len(numbered), size))
    return Talk(name, steps * STEP_S, tuple(frame(part) for part in parts))


@dataclass
class Sessions:
    """Live sessions, one after another or many at once.

    Args:
        host: With its port.
        talks: Used in turn, one for each session.
        settle_s: As in :class:`bench.overload.work.Work`.
        flood_s: As in :class:`bench.overload.work.Work`.
        query: Of the URL, besides the format.
    """

    host: str
    talks: Sequence[Talk]
    settle_s: float
    flood_s: float
    query: str = "language=en"
    name: str = "live sessions"
    jobs_each: float | None = None
    expected: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.audio_s = sum(talk.audio_s for talk in self.talks) / len(self.talks)
        self._source = itertools.cycle(self.talks)

    async def do(self, key: str | None) -> Outcome:
        """Run one session from its handshake to its last final; it may be refused."""
        return await self.hold(next(self._source), key)

    async def learn_texts(self, key: str | None) -> None:
        """See :class:`bench.overload.work.Work`."""
        outcomes = await asyncio.gather(*(self.hold(talk, key) for talk in self.talks))
        for outcome in outcomes:
            if not outcome.is_done:
                raise RuntimeError(f"{outcome.clip}: {outcome.status} {outcome.code}")
            self.expected[outcome.clip] = outcome.text

    async def hold(self, talk: Talk, key: str | None) -> Outcome:
        """Run one session; its status is 200, that of a refusal, or 0 for a broken one."""
        host, _, port = self.host.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        sent_at = time.monotonic()

        def outcome(status: int, retry_after_s: int | None = None, **results: Any) -> Outcome:
            took_s = time.monotonic() - sent_at
            first = talk.name, talk.audio_s, key, sent_at, took_s
            return Outcome(*first, status, retry_after_s, **results)

        try:
            async with asyncio.timeout(OPEN_LIMIT_S):
                writer.write(handshake(self.host, self.query, key))
                response = await read_response(reader)
            if response.status != SWITCHED:
                code = json.loads(response.content)["error"]["code"]
                return outcome(response.status, response.retry_after_s, code=code)
            player = StreamPlayer(
                writer.transport,
                messages(reader),
                talk.frames,
                Played(STEP_SAMPLES),
                ending=STOP,
                is_last=lambda message: '"type":"closed"' in message,
            )
            await player.play(asyncio.get_running_loop().time(), LAST_FINAL_LIMIT_S)
            return _outcome(outcome, player.played)
        except (OSError, EOFError, TimeoutError) as error:
            return outcome(BROKEN, code=type(error).__name__)
        finally:
            writer.close()


def _outcome(outcome: Callable[..., Outcome], played: Played) -> Outcome:
    """Return the outcome of an admitted session from its messages."""
    texts, delays_s, code, retry_after_s, is_closed = [], [], "", None, False
    for at_s, text in played.received:
        message = json.loads(text)
        match message["type"]:
            case "final":
                texts.append(message["text"])
                delays_s.append(at_s - played.began_at - message["end_s"])
                code = code or message["error"] or ""
            case "error":
                code, retry_after_s = message["code"], message["retry_after_s"]
            case "closed":
                is_closed = True
    if not is_closed:
        code = code or UNFINISHED
    status = BROKEN if code else 200
    if code == ServerFull.code and not texts:
        status = REFUSED_LATER
    return outcome(
        status,
        retry_after_s,
        text=" ".join(texts),
        code=code,
        final_delays_s=tuple(delays_s),
    )
