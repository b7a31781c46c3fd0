"""Press-and-hold dictation: the time from the release of the key to the text, on an idle server.

    python -m bench.dictation [--corpus DIR] [--clips 10] [--out docs/benchmarks/dictation]

Real speech is cut to about 1 to 5 s, at the end of a word; the key is released a moment later. It
is sent as dictation programs send it: a WAV or WebM file to OpenAI's API over a connection that
stays open, or live in real time to OpenAI's Realtime API, with a commit at the release. Then
presses without speech: the text must be empty. The yardstick is faster-whisper in this process
with the same model, one thread for each core, and nothing but the recognition; it also says where
the words end.
"""

import io
import json
import os
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx2
import numpy as np
import numpy.typing as npt
import soxr
from faster_whisper import WhisperModel
from websockets.sync.client import ClientConnection, connect

from auricle.engines.whisper.models.bundled import ensure_bundled_base
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.lib.audio import as_file, as_wav
from bench.lib.charts import Bars
from bench.lib.report import ROOT, command_line, publish, show_targets
from bench.lib.scoring import Errors, total, word_errors
from bench.lib.service import Server, running
from bench.lib.speech import CORPUS, READ, corpus, in_room

LENGTHS_S = (1, 2, 3, 4, 5)
LIMIT_S = 0.5
RELEASE_S = 0.2
"""From the end of the last word to the release."""
REALTIME_HZ, CHUNK_S = 24_000, 0.08
MANUAL = None
BY_SILENCE = {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 500}
QUIET = 3.0
"""Standard deviation of the noise of a quiet room."""

Json = dict[str, Any]
Dictate = Callable[[Pcm16], tuple[str, float]]
"""Sends speech; returns the text, and the seconds from the release to the text."""


def presses(model: WhisperModel, directory: Path, clips: int) -> dict[int, list[Pcm16]]:
    """Return the beginnings of read sentences by their length in seconds."""
    longest = max(LENGTHS_S) + 1
    read = [clip for clip in corpus(directory) if clip.kind == READ and clip.seconds >= longest]
    found: dict[int, list[Pcm16]] = {length: [] for length in LENGTHS_S}
    for clip in read[:clips]:
        segments, _ = model.transcribe(io.BytesIO(as_wav(clip.pcm)), word_timestamps=True)
        ends_s = [word.end for segment in segments for word in segment.words or ()]
        for length, cut in found.items():
            end_s = min(ends_s, key=lambda end_s: abs(end_s - length))
            cut.append(with_release(clip.pcm, int(end_s * SAMPLE_RATE_HZ)))
    return found


def with_release(pcm: Pcm16, end_sample: int) -> Pcm16:
    """Return speech up to the end of a word, and what is recorded until the release."""
    return np.concatenate([pcm[:end_sample], _room(RELEASE_S, pcm.size)])


def _room(seconds: float, seed: int) -> Pcm16:
    """Return the noise of a quiet room."""
    return in_room(_silence(seconds), QUIET, np.random.default_rng(seed))


def as_webm(pcm: Pcm16) -> bytes:
    return as_file(pcm, "webm", "libopus")


def posted(
    http: httpx2.Client, encode: Callable[[Pcm16], bytes], kind: str, pcm: Pcm16
) -> tuple[str, float]:
    """Send a recording, as a form."""
    file = (f"audio.{kind}", encode(pcm), f"audio/{kind}")
    began_at = time.monotonic()
    response = http.post(
        "/v1/audio/transcriptions", files={"file": file}, data={"model": "whisper-1"}
    )
    seconds = time.monotonic() - began_at
    assert response.status_code == 200, response.text
    return str(response.json()["text"]), seconds


def live(server: Server, turns: Json | None, pcm: Pcm16) -> tuple[str, float]:
    """Send speech in real time over a connection that was opened before."""
    with connect(f"ws://127.0.0.1:{server.port}/v1/realtime?intent=transcription") as socket:
        audio_input = {
            "format": {"type": "audio/pcm", "rate": REALTIME_HZ},
            "transcription": {"model": "whisper-1"},
            "turn_detection": turns,
        }
        session = {"type": "transcription", "audio": {"input": audio_input}}
        socket.send(json.dumps({"type": "session.update", "session": session}))
        _until(socket, "session.updated")
        samples = soxr.resample(pcm.astype(np.float32), SAMPLE_RATE_HZ, REALTIME_HZ)
        _speak(socket, np.clip(samples, -32768, 32767).astype("<i2"))
        released_at = time.monotonic()
        socket.send('{"type": "input_audio_buffer.commit"}')
        texts = _texts(socket)
        return " ".join(filter(None, texts)), time.monotonic() - released_at


def _speak(socket: ClientConnection, samples: npt.NDArray[np.int16]) -> None:
    began_at, step = time.monotonic(), int(CHUNK_S * REALTIME_HZ)
    for at in range(0, samples.size, step):
        chunk = samples[at : at + step]
        time.sleep(max(began_at + (at + chunk.size) / REALTIME_HZ - time.monotonic(), 0))
        audio = b64encode(chunk.tobytes()).decode()
        socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))


def _texts(socket: ClientConnection) -> Iterable[str]:
    """Return the texts of all items, after the one of the commit is complete."""
    open_items, texts, is_committed = set[str](), [], False
    while open_items or not is_committed:
        event = json.loads(socket.recv(timeout=30))
        match event["type"]:
            case "input_audio_buffer.committed":
                open_items.add(event["item_id"])
                is_committed = True
            case "conversation.item.input_audio_transcription.completed":
                open_items.discard(event["item_id"])
                texts.append(str(event["transcript"]))
            case "error":
                assert event["error"]["code"] == "input_audio_buffer_commit_empty", event
                is_committed = True
    return texts


def _until(socket: ClientConnection, kind: str) -> None:
    while json.loads(socket.recv(timeout=30))["type"] != kind:
        pass


def recognised(model: WhisperModel, pcm: Pcm16) -> tuple[str, float]:
    """Recognise speech in this process, as the yardstick."""
    began_at = time.monotonic()
    segments, _ = model.transcribe(io.BytesIO(as_wav(pcm)))
    return "".join(segment.text for segment in segments).strip(), time.monotonic() - began_at


def figures(seconds: Sequence[float]) -> Json:
    """Return the usual and the slow cases."""
    steps = quantiles(seconds, n=20, method="inclusive")
    return {
        "p50_s": round(steps[9], 3),
        "p95_s": round(steps[18], 3),
        "max_s": round(max(seconds), 3),
        "within_limit_percent": round(100 * np.mean(np.array(seconds) <= LIMIT_S).item(), 1),
    }


def measured(
    route: str, dictate: Dictate, spoken: dict[int, list[Pcm16]], yard: dict[int, list[str]]
) -> Json:
    """Return the figures of a route by length, and how many words differ from the yardstick's."""
    dictate(spoken[LENGTHS_S[0]][0])  # the first request of a connection
    by_length: Json = {}
    everything: list[float] = []
    differences: list[Errors] = []
    for length, clips in spoken.items():
        found = [dictate(pcm) for pcm in clips]
        texts, seconds = [text for text, _ in found], [each for _, each in found]
        by_length[str(length)] = figures(seconds)
        everything += seconds
        differences += map(word_errors, yard.setdefault(length, texts), texts)
        print(route, length, by_length[str(length)], flush=True)
    unlike = round(total(differences).percent, 1)
    return {
        "route": route,
        "all": figures(everything),
        "by_length_s": by_length,
        "words_unlike_yardstick_percent": unlike,
    }


def nothing_said() -> dict[str, Pcm16]:
    """Return presses without speech."""
    silence = {f"silence, {seconds} s": _silence(seconds) for seconds in (0.1, 1, 3)}
    return silence | {f"quiet room, {seconds} s": _room(seconds, 1) for seconds in (0.1, 1, 3)}


def _silence(seconds: float) -> Pcm16:
    return np.zeros(int(seconds * SAMPLE_RATE_HZ), np.int16)


def without_speech(route: str, dictate: Dictate) -> list[Json]:
    """Return the texts of presses without speech, and how long they took."""
    found = []
    for press, pcm in nothing_said().items():
        text, seconds = dictate(pcm)
        found.append({"route": route, "press": press, "text": text, "s": round(seconds, 3)})
    return found


def served(
    spoken: dict[int, list[Pcm16]], texts: dict[int, list[str]], **settings: Any
) -> tuple[list[Json], list[Json]]:
    """Return the figures of a server with some settings: of speech, and of presses without."""
    name = "".join(f" ({key}={value})" for key, value in settings.items())
    cache = ROOT / ".cache/auricle"
    with (
        running(engine="whisper", model="base", cache_dir=cache, **settings) as server,
        httpx2.Client(base_url=server.url, timeout=60) as http,
    ):
        routes: dict[str, Dictate] = {
            "REST, WAV": partial(posted, http, as_wav, "wav"),
            "REST, WebM": partial(posted, http, as_webm, "webm"),
            "Realtime, commit": partial(live, server, MANUAL),
            "Realtime, turns": partial(live, server, BY_SILENCE),
        }
        rows = [measured(f"{route}{name}", each, spoken, texts) for route, each in routes.items()]
        empty = [each for route in routes for each in without_speech(route, routes[route])]
    return rows, empty


def main() -> None:
    parser = command_line(__doc__, "dictation")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="folder of a manifest.jsonl")
    parser.add_argument("--clips", type=int, default=10, help="sentences, for each length")
    arguments = parser.parse_args()
    path = str(ensure_bundled_base(ROOT / ".cache/auricle"))
    model = WhisperModel(path, "cpu", compute_type="int8", cpu_threads=os.cpu_count() or 1)
    spoken = presses(model, arguments.corpus, arguments.clips)
    texts: dict[int, list[str]] = {}
    yardstick = measured("faster-whisper", partial(recognised, model), spoken, texts)
    del model
    rows, empty = served(spoken, texts)
    medians = {
        row["route"]: [each["p50_s"] for each in row["by_length_s"].values()]
        for row in [yardstick, *rows]
    }
    rows += served(spoken, texts, workers=1)[0]
    publish(
        arguments.out,
        {
            "clips": arguments.clips,
            "limit_s": LIMIT_S,
            "routes": [yardstick, *rows],
            "nothing_said": empty,
        },
        "From the release of the key to the text: median, in seconds",
        [Bars("by length of the speech", [f"{length} s" for length in LENGTHS_S], medians)],
    )
    for each in empty:
        print(each)
    show_targets(
        {
            f"text within {LIMIT_S} s (p50)": all(row["all"]["p50_s"] <= LIMIT_S for row in rows),
            f"text within {LIMIT_S} s (p95)": all(row["all"]["p95_s"] <= LIMIT_S for row in rows),
            "no text without speech": not any(each["text"] for each in empty),
            "no speech is answered as fast": all(each["s"] <= LIMIT_S for each in empty),
        }
    )


if __name__ == "__main__":
    main()
