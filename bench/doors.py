"""The same speech at every API: word errors, and speech in another language than the requested one.

    python -m bench.doors [--clips 40] [--out docs/benchmarks/doors]

Each clip is sent to each API: files as WAV, live speech in real time as 16-bit samples, some clips
at a time. Read sentences are scored by words, spelled letters and numbers by characters. Then some
English sentences are sent with the code of a language that they are not in: no text may be empty,
and each answer must say that the speech is in another language.
"""

import asyncio
import base64
import json
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

import httpx2
import numpy as np
import soxr
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from auricle.apis.wyoming.wire.framing import EventFramer
from auricle.cli.bench.stream import Played, frame_of, framed, play_stream
from auricle.client.connection import open_websocket
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.lib.audio import as_wav
from bench.lib.report import command_line, publish, require
from bench.lib.scoring import Errors, character_errors, total, word_errors
from bench.lib.service import Server, free_port, running
from bench.lib.speech import AN4, CORPUS, READ, Clip, corpus
from tests.apis.wyoming.service import MONO_16, event

LIMIT_S = 120.0
BUSY = (503, 504)
AT_A_TIME = 4
CHUNK_S = 0.1
END_SILENCE_S = 1.5
"""After the speech of an API whose turns end by silence only."""
WRONG_LANGUAGES = ("ja", "ko", "ar", "th")
WRONG_CLIPS = 3
SAYS = "transcribed as spoken"
"""In the warning that the speech is in another language."""
MAX_DIFFERENCE = 0.005
REALTIME_HZ = 24_000

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an API returned.

    Attributes:
        text: The transcript.
        says: Whether a header or message says that the speech is in another language.
    """

    text: str
    says: bool


@dataclass(frozen=True, slots=True)
class Door:
    """An API.

    Attributes:
        name: As in the table.
        transcribe: Sends speech with the code of a language, and returns the answer.
    """

    name: str
    transcribe: Callable[[Pcm16, str], Answer]


def of_file(server: Server, path: str, field: str | None, pcm: Pcm16, language: str) -> Answer:
    """Post a WAV file, as a form with this field or as the body."""
    url, wav = server.url + path.format(language=language), as_wav(pcm)
    form = {"model": "whisper-1", "language": language, "response_format": "json"}
    upload: Json = (
        {"content": wav, "headers": {"content-type": "audio/wav"}}
        if field is None
        else {"files": {field: ("speech.wav", wav, "audio/wav")}, "data": form}
    )
    while (response := httpx2.post(url, timeout=LIMIT_S, **upload)).status_code in BUSY:
        time.sleep(float(response.headers.get("retry-after", 1)))
    response.raise_for_status()
    body = response.json()
    if "results" in body:  # Deepgram
        text = body["results"]["channels"][0]["alternatives"][0]["transcript"]
    else:
        text = body["text"]
    said = response.text + " ".join(response.headers.values())
    return Answer(text, SAYS in said)


@dataclass(frozen=True, slots=True)
class Live:
    """A live API over a WebSocket.

    Attributes:
        url: Its URL, with ``{port}`` and ``{language}``.
        ending: The messages after the audio.
        final: Returns the text of a final message; ``None`` for other messages.
        is_last: Whether a message is the last one.
        opening: Returns the message before the audio for a language; ``None``: there is none.
        framed: Returns the message with some samples.
        rate_hz: Sample rate.
        silence_s: Silence after the speech.
    """

    url: str
    ending: str
    final: Callable[[Json], str | None]
    is_last: Callable[[Json], bool]
    opening: Callable[[str], str] | None = None
    framed: Callable[[bytes], str | bytes] = bytes
    rate_hz: int = SAMPLE_RATE_HZ
    silence_s: float = 0.0


def chunks_of(pcm: Pcm16, rate_hz: int, silence_s: float) -> Iterator[bytes]:
    """Yield speech and silence in chunks."""
    samples = soxr.resample(pcm, SAMPLE_RATE_HZ, rate_hz) if rate_hz != SAMPLE_RATE_HZ else pcm
    samples = np.concatenate([samples, np.zeros(int(silence_s * rate_hz), np.int16)])
    step = int(rate_hz * CHUNK_S)
    for at in range(0, samples.size, step):
        yield samples[at : at + step].astype("<i2").tobytes()


async def opened(url: str) -> ClientConnection:
    """Return an open connection; a busy server is asked again."""
    while True:
        try:
            return await open_websocket(url, LIMIT_S)
        except InvalidStatus as error:
            if error.response.status_code not in BUSY:
                raise
            await asyncio.sleep(float(error.response.headers.get("Retry-After", 1)))


async def played(live: Live, url: str, pcm: Pcm16, language: str) -> Played:
    """Stream speech over a WebSocket."""
    connection = await opened(url)
    if live.opening is not None:
        await connection.send(live.opening(language))
    return await play_stream(
        connection,
        framed(map(live.framed, chunks_of(pcm, live.rate_hz, live.silence_s))),
        int(CHUNK_S * SAMPLE_RATE_HZ),
        LIMIT_S,
        ending=frame_of(live.ending),
        is_last=lambda text: live.is_last(json.loads(text)),
    )


def of_live(port: int, live: Live, pcm: Pcm16, language: str) -> Answer:
    """Stream speech over a WebSocket, and return the finals."""
    url = live.url.format(port=port, language=language)
    messages = [text for _, text in asyncio.run(played(live, url, pcm, language)).received]
    finals = [live.final(json.loads(text)) for text in messages]
    return Answer(" ".join(filter(None, finals)), any(SAYS in text for text in messages))


def of_wyoming(port: int, pcm: Pcm16, language: str) -> Answer:
    """Send a spoken command over Wyoming's TCP connection."""
    framer, says = EventFramer(), False
    with socket.create_connection(("127.0.0.1", port), LIMIT_S) as connection:
        connection.sendall(event("transcribe", {"language": language}))
        connection.sendall(event("audio-start", MONO_16))
        began_at = time.monotonic()
        for number, chunk in enumerate(chunks_of(pcm, SAMPLE_RATE_HZ, 0.0), 1):
            time.sleep(max(0.0, began_at + number * CHUNK_S - time.monotonic()))
            connection.sendall(event("audio-chunk", MONO_16, chunk))
        connection.sendall(event("audio-stop"))
        while data := connection.recv(65_536):
            says |= SAYS.encode() in data
            framer.receive_data(data)
            for received in iter(framer.next_event, None):
                if received.type == "transcript":
                    return Answer(str(received.data["text"]), says)
    raise ConnectionError("Wyoming's connection ended without a transcript")


def _deepgram_final(message: Json) -> str | None:
    if message["type"] != "Results" or not message["is_final"]:
        return None
    return str(message["channel"]["alternatives"][0]["transcript"])


def _realtime_opening(language: str) -> str:
    transcription = {"model": "whisper-1", "language": language}
    sound = {"format": {"type": "audio/pcm", "rate": REALTIME_HZ}, "transcription": transcription}
    audio = {"input": sound | {"turn_detection": None}}
    return json.dumps(
        {"type": "session.update", "session": {"type": "transcription", "audio": audio}}
    )


NATIVE = Live(
    "ws://127.0.0.1:{port}/v1/stream?format=pcm16&language={language}",
    '{"type": "stop"}',
    lambda message: message["text"] if message["type"] == "final" else None,
    lambda message: message["type"] == "closed",
)
REALTIME = Live(
    "ws://127.0.0.1:{port}/v1/realtime?intent=transcription",
    '{"type": "input_audio_buffer.commit"}',
    lambda message: message.get("transcript") if message["type"].endswith(".completed") else None,
    lambda message: message["type"].endswith((".completed", ".failed")),
    _realtime_opening,
    lambda pcm: json.dumps(
        {"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()}
    ),
    REALTIME_HZ,
)
DEEPGRAM = Live(
    "ws://127.0.0.1:{port}/v1/listen?encoding=linear16&sample_rate=16000&punctuate=true"
    "&language={language}",
    '{"type": "CloseStream"}',
    _deepgram_final,
    lambda message: message["type"] == "Metadata",
)
LONGER_DEEPGRAM = replace(DEEPGRAM, url=f"{DEEPGRAM.url}&endpointing=500")
"""With the silence that ends an utterance at the other APIs; Deepgram's default is shorter."""
FLUX = Live(
    "ws://127.0.0.1:{port}/v2/listen?model=flux-general-multi&encoding=linear16&sample_rate=16000"
    "&language_hint={language}",
    '{"type": "CloseStream"}',
    lambda message: message["transcript"] if message.get("event") == "EndOfTurn" else None,
    lambda message: False,  # the server closes the connection
    silence_s=END_SILENCE_S,
)
VOSK = Live(
    "ws://127.0.0.1:{port}/{language}",
    '{"eof" : 1}',
    lambda message: message.get("text"),
    lambda message: False,
    lambda language: '{"config": {"sample_rate": 16000}}',
)


def doors(server: Server, wyoming_port: int, vosk_port: int) -> list[Door]:
    """Return every API of a server."""
    azure = "/openai/deployments/whisper-1/audio/transcriptions?api-version=2024-06-01"
    deepgram = "/v1/listen?punctuate=true&language={language}"
    asr = "/asr?" + urlencode({"output": "json", "language": "LANGUAGE"})
    file, live = partial(of_file, server), partial(of_live, server.port)
    return [
        Door("native file", partial(file, "/utterance?language={language}", None)),
        Door("OpenAI file", partial(file, "/v1/audio/transcriptions", "file")),
        Door("Azure file", partial(file, azure, "file")),
        Door("Deepgram file", partial(file, deepgram, None)),
        Door("ASR webservice", partial(file, asr.replace("LANGUAGE", "{language}"), "audio_file")),
        Door("native live", partial(live, NATIVE)),
        Door("OpenAI Realtime", partial(live, REALTIME)),
        Door("Deepgram live", partial(live, DEEPGRAM)),
        Door("Deepgram live, endpointing=500", partial(live, LONGER_DEEPGRAM)),
        Door("Deepgram Flux", partial(live, FLUX)),
        Door("Wyoming", partial(of_wyoming, wyoming_port)),
        Door("Vosk", partial(of_live, vosk_port, VOSK)),
    ]


def answers(door: Door, requests: Sequence[tuple[Pcm16, str]]) -> list[Answer]:
    """Return the answers to some speech, some at a time."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return list(pool.map(lambda request: door.transcribe(*request), requests))


def scored(clips: Sequence[Clip], texts: Sequence[str]) -> tuple[Errors, Errors]:
    """Return the word errors of the read sentences, and the character errors of the rest."""
    pairs = list(zip(clips, texts, strict=True))
    words = [word_errors(clip.text, text) for clip, text in pairs if clip.kind == READ]
    letters = [character_errors(clip.text, text) for clip, text in pairs if clip.kind == AN4]
    return total(words), total(letters)


def measure(door: Door, clips: Sequence[Clip], wrong: Sequence[tuple[Pcm16, str]]) -> Json:
    """Return the row of an API."""
    words, letters = scored(
        clips, [one.text for one in answers(door, [(c.pcm, "en") for c in clips])]
    )
    found = answers(door, wrong)
    row = {
        "api": door.name,
        "words": words.reference,
        "word_errors": words.total,
        "wer_percent": round(words.percent, 2),
        "character_errors": letters.total,
        "cer_percent": round(letters.percent, 2),
        "wrong_language": len(wrong),
        "empty": sum(not answer.text for answer in found),
        "unsaid": sum(not answer.says for answer in found),
    }
    print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    return row


def main() -> None:
    parser = command_line(__doc__, "doors")
    parser.add_argument("--clips", type=int, default=40, help="of the corpus")
    options = parser.parse_args()
    clips = [clip for clip in corpus(CORPUS) if clip.kind in (READ, AN4)]
    read = [clip for clip in clips if clip.kind == READ and clip.seconds < 20]
    chosen = (read + [clip for clip in clips if clip.kind == AN4 and clip.seconds > 2])[
        : options.clips
    ]
    wrong = [(clip.pcm, language) for clip in read[:WRONG_CLIPS] for language in WRONG_LANGUAGES]
    wyoming_port, vosk_port = free_port(), free_port()
    with running(
        wyoming=1,
        wyoming_port=wyoming_port,
        vosk=1,
        vosk_port=vosk_port,
        asr_webservice=1,
        queue_audio_s=600,
        key_share=1,
    ) as server:
        rows = [measure(door, chosen, wrong) for door in doors(server, wyoming_port, vosk_port)]
    publish(options.out, {"clips": [clip.name for clip in chosen], "rows": rows})
    least = min(row["wer_percent"] for row in rows)
    require(
        {
            "word errors within half a point": all(
                row["wer_percent"] <= least + 100 * MAX_DIFFERENCE for row in rows
            ),
            "no empty text in another language": not any(row["empty"] for row in rows),
            "another language is said": not any(row["unsaid"] for row in rows),
        }
    )


if __name__ == "__main__":
    main()
