"""The same speech at every API: word errors, and speech in another language than the requested one.

    python -m bench.doors [--clips 40] [--out docs/benchmarks/doors]

Each clip is sent to each API: files as WAV, live speech in real time as 16-bit samples, some clips
at a time. Read sentences are scored by words, spelled letters and numbers by characters. Then some
English sentences are sent with the code of a language that they are not in: no text may be empty,
and each answer must say that the speech is in another language.

How to use an optional API is in ``doors.py`` among its tests.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from auricle.apis.registry import find_apis
from auricle.config.settings import fields
from auricle.values.types import Pcm16
from bench.lib.door import Address, Answer, Door, Json, Live, of_file, of_live, optional_doors
from bench.lib.report import command_line, publish, require
from bench.lib.scoring import Errors, character_errors, total, word_errors
from bench.lib.service import free_port, running
from bench.lib.speech import AN4, CORPUS, READ, Clip, corpus

AT_A_TIME = 4
WRONG_LANGUAGES = ("ja", "ko", "ar", "th")
WRONG_CLIPS = 3
MAX_DIFFERENCE = 0.005
NATIVE = Live(
    "ws://127.0.0.1:{port}/v1/stream?format=pcm16&language={language}",
    '{"type": "stop"}',
    lambda message: message["text"] if message["type"] == "final" else None,
    lambda message: message["type"] == "closed",
)
CORE = [
    Door("native file", partial(of_file, "/utterance?language={language}", None)),
    Door("OpenAI file", partial(of_file, "/v1/audio/transcriptions", "file")),
    Door("native live", partial(of_live, NATIVE)),
]


def answers(door: Door, server: Address, requests: Sequence[tuple[Pcm16, str]]) -> list[Answer]:
    """Return the answers to some speech, some at a time."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return list(pool.map(lambda request: door.transcribe(server, *request), requests))


def scored(clips: Sequence[Clip], texts: Sequence[str]) -> tuple[Errors, Errors]:
    """Return the word errors of the read sentences, and the character errors of the rest."""
    pairs = list(zip(clips, texts, strict=True))
    words = [word_errors(clip.text, text) for clip, text in pairs if clip.kind == READ]
    letters = [character_errors(clip.text, text) for clip, text in pairs if clip.kind == AN4]
    return total(words), total(letters)


def measure(
    door: Door, server: Address, clips: Sequence[Clip], wrong: Sequence[tuple[Pcm16, str]]
) -> Json:
    """Return the row of an API."""
    words, letters = scored(
        clips, [one.text for one in answers(door, server, [(c.pcm, "en") for c in clips])]
    )
    found = answers(door, server, wrong)
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
    ports = {api.name: free_port() for api in find_apis() if api.ports}
    known = dict(fields())
    settings: Json = {api.name: 1 for api in find_apis() if api.name in known}
    settings |= {f"{name}_port": port for name, port in ports.items()}
    with running(**settings, queue_audio_s=600, key_share=1) as server:
        address = Address(server.port, ports)
        rows = [measure(door, address, chosen, wrong) for door in (*CORE, *optional_doors())]
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
