"""Known voices by telephone, through a server: live streams against files, in 8 kHz mu-law.

    python -m bench.voice_calls [--corpus DIR] [--out docs/benchmarks/voice_calls]

A key stores four voices on which nothing was tuned, from up to 20 s of speech by telephone. Then
calls of two voices, known or not, are sent as WAV files and played in real time: in mu-law to
Deepgram's API, which has no revisions, and as 8 kHz samples to the native one. Each word counts,
with the name of its speaker; words of files and of Deepgram's API while both speak do not. Labels
that are late on a busy machine count as missing until they are revised.
"""

import asyncio
import io
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import av
import httpx2
import numpy as np
import soxr
from websockets.asyncio.client import ClientConnection

from auricle.client.connection import open_websocket
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.lib.report import command_line, publish
from bench.lib.service import Server, running
from bench.lib.speech import CORPUS, Clip
from bench.speakers.conversations import (
    REPORTED,
    Conversation,
    by_telephone,
    converse,
    load_voices,
)
from bench.voices import PHONE, Count, divided, in_band, main_speaker

KNOWN = ("LJ001", "fvap", "joe", "mmxg")
PAIRS = (("LJ001", "joe"), ("fvap", "mjgm"), ("mmxg", "LJ001"))
SECONDS = 30
FILE, DEEPGRAM = "file, Deepgram's API", "live, Deepgram's API, as sent"
SENT, REVISED = "live, native API, as sent", "live, native API, revised"
CALL_RATE_HZ = 8000
CHUNK_S = 0.1
LIMIT_S = 600.0
LISTEN = "/v1/listen?diarize=true&language=en"


def mu_law(pcm: Pcm16, container: str) -> bytes:
    """Return audio in 8 kHz mu-law, as a WAV file (``wav``) or without a header (``mulaw``)."""
    narrow = soxr.resample(pcm, SAMPLE_RATE_HZ, CALL_RATE_HZ)
    output = io.BytesIO()
    with av.open(output, "w", format=container) as file:
        stream = file.add_stream("pcm_mulaw", rate=CALL_RATE_HZ, layout="mono")
        frame = av.AudioFrame.from_ndarray(narrow[None], "s16", "mono")
        frame.sample_rate = CALL_RATE_HZ
        file.mux([*stream.encode(frame), *stream.encode(None)])
    return output.getvalue()


def enrol(server: Server, name: str, clips: Sequence[Clip]) -> bool:
    """Store a voice by telephone; return ``False`` if the recording is refused."""
    pause = np.zeros(SAMPLE_RATE_HZ // 2, np.int16)
    pcm = np.concatenate([part for c in clips for part in (in_band(c.pcm, PHONE, 0), pause)])
    answer = httpx2.post(
        f"{server.url}/v1/voices?name={name}&consent=true",
        content=mu_law(pcm, "wav"),
        headers={"content-type": "audio/wav"},
        timeout=LIMIT_S,
    )
    if answer.status_code == 400 and answer.json()["error"]["code"] == "voice_unusable":
        return False
    answer.raise_for_status()
    return True


def count_words(
    count: Count, alternative: Mapping[str, Any], call: Conversation, known: Collection[str]
) -> None:
    """Count the names of the speakers of words."""
    names = {each["speaker"]: each["name"] for each in alternative.get("speakers", ())}
    for word in alternative["words"]:
        at = int((word["start"] + word["end"]) / 2 * SAMPLE_RATE_HZ)
        said = {turn.speaker for turn in call.turns if turn.start_sample <= at < turn.end_sample}
        if len(said) == 1:
            truth = said.pop()
            count.add(names.get(word.get("speaker")), truth, is_known=truth in known)


def read_file(server: Server, call: Conversation, known: Collection[str], count: Count) -> None:
    """Count the words of a call that is sent as a file."""
    answer = httpx2.post(
        server.url + LISTEN,
        content=mu_law(call.pcm, "wav"),
        headers={"content-type": "audio/wav"},
        timeout=LIMIT_S,
    )
    answer.raise_for_status()
    (channel,) = answer.json()["results"]["channels"]
    count_words(count, channel["alternatives"][0], call, known)


async def _play(socket: ClientConnection, audio: bytes, bytes_per_s: int, ending: str) -> None:
    step = int(bytes_per_s * CHUNK_S)
    started_s = asyncio.get_running_loop().time()
    for at in range(0, len(audio), step):
        await socket.send(audio[at : at + step])
        due_s = started_s + (at + step) / bytes_per_s
        await asyncio.sleep(max(0.0, due_s - asyncio.get_running_loop().time()))
    await socket.send(ending)


async def listen(server: Server, call: Conversation, known: Collection[str], count: Count) -> None:
    """Count the words of a call that is played to Deepgram's API."""
    query = f"{LISTEN}&encoding=mulaw&sample_rate={CALL_RATE_HZ}"
    socket = await open_websocket(server.url.replace("http", "ws") + query, LIMIT_S)
    audio = mu_law(call.pcm, "mulaw")
    playing = asyncio.create_task(_play(socket, audio, CALL_RATE_HZ, '{"type": "CloseStream"}'))
    async for text in socket:
        message = json.loads(text)
        if message["type"] == "Results" and message["is_final"]:
            count_words(count, message["channel"]["alternatives"][0], call, known)
    await playing


async def stream(
    server: Server, call: Conversation, known: Collection[str], sent: Count, revised: Count
) -> None:
    """Count the words of a call that is played to the native API, as sent and as revised."""
    query = f"/v1/stream?format=pcm16&sample_rate={CALL_RATE_HZ}&language=en&speakers=true"
    socket = await open_websocket(server.url.replace("http", "ws") + query, LIMIT_S)
    audio = soxr.resample(call.pcm, SAMPLE_RATE_HZ, CALL_RATE_HZ).astype("<i2").tobytes()
    playing = asyncio.create_task(_play(socket, audio, 2 * CALL_RATE_HZ, '{"type": "stop"}'))
    finals: dict[int, dict[str, Any]] = {}
    async for text in socket:
        message = json.loads(text)
        if message["type"] == "final":
            finals[message["id"]] = message
            count_final(sent, message, call, known)
        elif message["type"] == "speaker_revision":
            for change in message["finals"]:
                for name in ("speaker", "segments", "speakers"):
                    finals[change["id"]].pop(name, None)
                finals[change["id"]] |= change
    await playing
    for final in finals.values():
        count_final(revised, final, call, known)


def count_final(
    count: Count, final: Mapping[str, Any], call: Conversation, known: Collection[str]
) -> None:
    """Count the words of a final by the main speaker of each of its segments."""
    names = {each["speaker"]: each["name"] for each in final.get("speakers", ())}
    whole = {**final, "start": final["start_s"], "end": final["end_s"]}
    for part in final.get("segments") or (whole,):
        span = [(int(part["start"] * SAMPLE_RATE_HZ), int(part["end"] * SAMPLE_RATE_HZ))]
        truth = main_speaker(call, span)
        for _ in part["text"].split():
            count.add(names.get(part.get("speaker")), truth, is_known=truth in known)


async def play(
    server: Server, call: Conversation, known: Collection[str], counts: Mapping[str, Count]
) -> None:
    """Count the words of a call that is played to both APIs at a time."""
    await asyncio.gather(
        listen(server, call, known, counts[DEEPGRAM]),
        stream(server, call, known, counts[SENT], counts[REVISED]),
    )


def measure(server: Server, directory: Path) -> dict[str, Any]:
    """Return the figures of all calls."""
    voices = load_voices(directory, REPORTED)
    parts = {
        name: divided(clips, [clip.seconds for clip in clips], f"0 {name}")
        for name, clips in voices.items()
    }
    known = [name for name in KNOWN if enrol(server, name, parts[name][0])]
    counts = {name: Count() for name in (FILE, DEEPGRAM, SENT, REVISED)}
    for number, pair in enumerate(PAIRS):
        call = converse({name: parts[name][1] for name in pair}, 2, SECONDS, 700 + number)
        call = by_telephone(call)
        read_file(server, call, known, counts[FILE])
        asyncio.run(play(server, call, known, counts))
        print(pair, {name: count.to_json() for name, count in counts.items()}, flush=True)
    rows = {name: count.to_json() for name, count in counts.items()}
    return {"calls": PAIRS, "asked_to_know": KNOWN, "known": known, "words": rows}


def main() -> None:
    parser = command_line(__doc__, "voice_calls")
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    options = parser.parse_args()
    with running(known_voices="*", workers=1) as server:
        publish(options.out, measure(server, options.corpus))


if __name__ == "__main__":
    main()
