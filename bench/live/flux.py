"""Turns of Flux and finals of ``/v1/listen``: how long after speech an agent may answer.

    python -m bench.live.flux --model DIR [--corpus DIR] [--doors v1,flux] [--streams 1,8]
        [--seconds 150] [--out docs/benchmarks/flux]

Each stream plays read sentences in real time with pauses of 3.5 to 4.5 s, in which an agent would
answer; both doors get the same streams. ``v1`` ends an utterance after 300 ms of silence, the
minimum, and its answer is ``speech_final``. ``flux`` has Deepgram's thresholds, an eager one of
0.5, and a timeout of 3 s.

A delay is measured from the end of a sentence's last word, when that sample is sent, to the
arrival of the message that ends its turn. A sentence is cut if a turn ends within it. Runs are
merged into the existing JSON, so that each can have an idle machine.
"""

import asyncio
import json
import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection

from auricle.cli.bench.score import percentile
from auricle.cli.bench.stream import Played, framed
from auricle.client.connection import open_websocket
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.lib.charts import Bars
from bench.lib.report import command_line, publish, read_json
from bench.lib.scoring import total, word_errors
from bench.lib.service import running
from bench.lib.speech import CORPUS
from bench.live.play import Caption, Running, play
from bench.live.speech import AlignedClip, Spoken, Talk, aligned_clips, talk

PAUSE_S = (3.5, 4.5)
OPEN_LIMIT_S = 10.0
EAGER, RESUMED, STARTED = "EagerEndOfTurn", "TurnResumed", "StartOfTurn"
NO_END = "is_final"
"""A final result of ``/v1/listen`` after which the speaker continued."""
STEP_SAMPLES = SAMPLE_RATE_HZ * 80 // 1000  # as Deepgram advises
RAW = {"encoding": "linear16", "sample_rate": SAMPLE_RATE_HZ}
QUERIES = {
    "v1": "/v1/listen?" + urlencode(RAW | {"punctuate": "true", "interim_results": "true"}),
    "flux": "/v2/listen?"
    + urlencode(RAW | {"model": "flux-general-en"})
    + "&eager_eot_threshold=0.5&eot_timeout_ms=3000",
}


class Door:
    """One of Deepgram's protocols, as a client speaks it.

    Args:
        name: A key of ``QUERIES``.
        model: Folder of the model.
    """

    step_samples = STEP_SAMPLES

    def __init__(self, name: str, model: Path) -> None:
        self.name = name
        self._model = model

    @contextmanager
    def running(self, streams: int) -> Iterator[Running]:
        """Start the server, and let it load all that a session needs."""
        with running(engine="whisper", model=self._model, live_speakers=streams + 1) as server:
            url = server.url.replace("http", "ws", 1) + QUERIES[self.name]
            asyncio.run(self._warm_up(url))
            yield Running(url, server.process, dict)

    async def _warm_up(self, url: str) -> None:
        connection = await self.open(url)
        assert connection is not None
        await asyncio.sleep(5)  # the workers that judge turns start with the first session
        await connection.close()

    def messages(self, pcm: Pcm16) -> list[bytes]:
        """Return raw samples."""
        whole = pcm[: pcm.size // STEP_SAMPLES * STEP_SAMPLES]
        return [part.tobytes() for part in whole.reshape(-1, STEP_SAMPLES)]

    async def open(self, url: str) -> ClientConnection | None:
        """Open a stream."""
        return await open_websocket(url, OPEN_LIMIT_S)

    def end_message(self) -> str | bytes | None:
        """Return the message that ends a stream."""
        return '{"type":"CloseStream"}'

    def is_last(self, message: str) -> bool:
        """Whether nothing but the end of the connection follows; Flux has no last message."""
        return '"type":"Metadata"' in message

    def captions(self, received: Sequence[tuple[float, str]]) -> list[Caption]:
        """Return the ends of turns."""
        return [end for _, end in ends_of(received)]

    def packets(self, received: Sequence[tuple[float, str]]) -> dict[str, int] | None:
        """Return nothing: there are no packets."""
        return None


def ends_of(received: Sequence[tuple[float, str]]) -> list[tuple[str, Caption]]:
    """Return the messages about ends, with what each is called."""
    ends = []
    for at_s, text in received:
        message = json.loads(text)
        match message["type"]:
            case "Results" if message["is_final"]:
                start_s, duration_s = message["start"], message["duration"]
                said = message["channel"]["alternatives"][0]["transcript"]
                span = (start_s, start_s + duration_s)
                kind = "speech_final" if message["speech_final"] else NO_END
                ends.append((kind, Caption(at_s, True, said, *span)))
            case "TurnInfo" if message["words"] and message["event"] != "Update":
                words = message["words"]
                kind = message.get("trigger", message["event"])
                said = message["transcript"]
                span = (words[0]["start"], words[-1]["end"])
                ends.append((kind, Caption(at_s, True, said, *span)))
    return [(kind, end) for kind, end in ends if end.text]


def _answer_s(spoken: Spoken, played: Played, ends: Sequence[Caption]) -> float:
    """Return the delay of the message that ends a sentence; infinite if there is none."""
    last = spoken.words[-1].middle_s
    at_s = min(
        (end.at_s for end in ends if end.start_s < last <= end.end_s + 0.3), default=math.inf
    )
    return at_s - played.sent(spoken.end_s)


def _is_cut(spoken: Spoken, ends: Sequence[Caption]) -> bool:
    first, last = spoken.words[0].middle_s, spoken.words[-1].middle_s
    return any(first <= end.end_s < last - 0.3 for end in ends)


def _spread(delays_s: Sequence[float]) -> dict[str, float | None]:
    spread = {f"p{p}": percentile(delays_s, p) for p in (50, 95)} if delays_s else {}
    return {name: round(d, 2) if math.isfinite(d) else None for name, d in spread.items()}


def figures_of(talks: Sequence[Talk], played: Sequence[Played]) -> dict[str, Any]:
    """Return the figures of a run."""
    errors, cut, delays_s, eager_s = [], [], [], []
    kinds: Counter[str] = Counter()
    for one, stream in zip(talks, played, strict=True):
        named = ends_of(stream.received)
        kinds.update(kind for kind, _ in named)
        finals = [(kind, end) for kind, end in named if kind not in (EAGER, RESUMED, STARTED)]
        ends = [end for kind, end in finals if kind != NO_END]
        eager = [end for kind, end in named if kind == EAGER]
        errors.append(word_errors(one.text, " ".join(end.text for _, end in finals)))
        cut += [_is_cut(spoken, ends) for spoken in one.spoken]
        delays_s += [_answer_s(spoken, stream, ends) for spoken in one.spoken]
        eager_s += [_answer_s(spoken, stream, [*eager, *ends]) for spoken in one.spoken]
    return {
        "sentences": len(delays_s),
        "wer_percent": round(total(errors).percent, 2),
        "cut_percent": round(100 * sum(cut) / len(cut), 1),
        "answer_delay_s": _spread(delays_s),
        "first_answer_delay_s": _spread(eager_s),
        "messages": dict(sorted(kinds.items())),
    }


def measure(
    door: Door, clips: Sequence[AlignedClip], streams: int, seconds: float
) -> dict[str, Any]:
    """Play a number of streams to a new server."""
    talks = [talk(clips, i, seconds, PAUSE_S) for i in range(streams)]
    frames = [framed(door.messages(one.pcm)) for one in talks]
    with door.running(streams) as server:
        run = asyncio.run(play(door, server, frames, [one.seconds for one in talks]))
    late_s = [late for played in run.played for late in played.late_s]
    return {
        "door": door.name,
        "streams": streams,
        "seconds": round(run.wall_s, 1),
        **figures_of(talks, run.played),
        "cpu_s_per_audio_s": round(run.cpu_s / run.audio_s, 4),
        "generator_late_p99_ms": round(1000 * percentile(late_s, 99), 1),
        "load_average": round(os.getloadavg()[0], 1),  # the bench itself is a part of it
    }


def _chart(results: Sequence[dict[str, Any]]) -> Bars:
    names = [f"{each['door']}, {each['streams']} streams" for each in results]
    series = {
        f"{label} {p}": [each[figure][p] or 0.0 for each in results]
        for label, figure in (
            ("answer", "answer_delay_s"),
            ("eager or answer", "first_answer_delay_s"),
        )
        for p in ("p50", "p95")
    }
    return Bars("End of speech to the message that an agent may answer, in seconds", names, series)


def main() -> None:
    parser = command_line(__doc__, "flux")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--doors", default=",".join(QUERIES))
    parser.add_argument("--streams", default="1,8")
    parser.add_argument("--seconds", type=float, default=150.0)
    arguments = parser.parse_args()
    clips = aligned_clips(arguments.corpus, arguments.model)
    results = {
        (each["door"], each["streams"]): each
        for each in read_json(arguments.out).get("results", [])
    }
    for streams in map(int, arguments.streams.split(",")):
        for name in arguments.doors.split(","):
            door = Door(name, arguments.model)
            result = measure(door, clips, streams, arguments.seconds)
            print(json.dumps(result), flush=True)
            results[name, streams] = result
    ordered = [results[key] for key in sorted(results, key=lambda key: (key[1], key[0] != "v1"))]
    publish(arguments.out, {"results": ordered}, "Flux and /v1/listen", [_chart(ordered)])


if __name__ == "__main__":
    main()
