"""A film through the API of whisper-asr-webservice, as subtitle programs send it.

    python -m bench.film [--minutes 120]

The film is PCM16 without a header, 230 MB for two hours: the noise of a room, and a read sentence
every ten minutes. It is posted to ``/detect-language`` and to ``/asr``. The peak of the server's
resident memory is read, without its children. The text is scored, so that a lost sentence would
show. CPU seconds are those of the server and its children, and may be compared on a busy machine.
"""

import itertools
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx2
import numpy as np

from auricle.values.types import SAMPLE_RATE_HZ
from bench.lib.cpu import tree_cpu_s
from bench.lib.report import command_line, publish, require
from bench.lib.scoring import word_errors
from bench.lib.service import Server, running
from bench.lib.speech import ROOM_TONE, read_clips

MINUTES, SCENE_MINUTES = 120, 10
MAX_SENTENCE_S = 20.0
LIMIT_S = 600.0
MAX_RISE_MB = 50.0
MAX_WORD_ERRORS_PERCENT = 6.0
"""Base has 3 %; one lost sentence of the twelve adds 8 %."""
NOT_TEXT = re.compile(r"^(\d+|.* --> .*|)$")
"""Lines of SubRip that are not said: numbers, times, and empty ones."""


def make_film(path: Path, minutes: int) -> str:
    """Write a film; return what is said in it."""
    samples, texts = SCENE_MINUTES * 60 * SAMPLE_RATE_HZ, list[str]()
    noise = np.random.default_rng(1).normal(0, ROOM_TONE, samples).astype(np.int16)
    scenes = range(max(1, minutes // SCENE_MINUTES))
    with path.open("wb") as film:
        for _, clip in zip(scenes, itertools.cycle(read_clips(MAX_SENTENCE_S)), strict=False):
            scene = noise.copy()
            scene[samples // 2 : samples // 2 + clip.pcm.size] = clip.pcm
            film.write(scene.tobytes())
            texts.append(clip.text)
    return " ".join(texts)


def post(server: Server, path: str, film: Path, **query: str) -> tuple[httpx2.Response, Any]:
    """Send the film, as Bazarr does; return the response, and what it cost."""
    status = Path(f"/proc/{server.process.pid}/status")
    status.with_name("clear_refs").write_text("5")  # forgets the peak of memory
    before_mb, cpu_s = _peak_mb(status), tree_cpu_s(server.process)
    began_at = time.monotonic()
    with film.open("rb") as audio:
        response = httpx2.post(
            f"{server.url}{path}",
            params={"encode": "false", **query},
            files={"audio_file": audio},
            timeout=LIMIT_S,
        )
    response.raise_for_status()
    peak_mb = _peak_mb(status)
    return response, {
        "took_s": round(time.monotonic() - began_at, 1),
        "cpu_s": round(tree_cpu_s(server.process) - cpu_s, 1),
        "server_before_mb": before_mb,
        "server_peak_mb": peak_mb,
        "server_rise_mb": round(peak_mb - before_mb, 1),
    }


def _peak_mb(status: Path) -> float:
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status.read_text(), re.MULTILINE)
    assert found
    return round(int(found[1]) * 1024 / 1e6, 1)


def main() -> None:
    parser = command_line(__doc__, "film")
    parser.add_argument("--minutes", type=int, default=MINUTES)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running(workers=2, asr_webservice=1) as server,
    ):
        film = Path(folder) / "film.raw"
        text = make_film(film, arguments.minutes)
        megabytes = round(film.stat().st_size / 1e6, 1)
        found, detection = post(server, "/detect-language", film)
        code = found.json()["language_code"]
        subtitles, transcription = post(server, "/asr", film, language=code, output="srt")
    said = " ".join(line for line in subtitles.text.splitlines() if not NOT_TEXT.match(line))
    errors = word_errors(text, said)
    result = {
        "film_mb": megabytes,
        "language": code,
        "words": errors.reference,
        "word_errors_percent": round(errors.percent, 2),
        "detect-language": detection,
        "asr": transcription,
    }
    print(result)
    rises = [figures["server_rise_mb"] for figures in (detection, transcription)]
    targets = {
        f"memory grows by at most {MAX_RISE_MB:g} MB": max(rises) <= MAX_RISE_MB,
        "the language is found": code == "en",
        "no sentence is lost": errors.percent <= MAX_WORD_ERRORS_PERCENT,
    }
    publish(arguments.out, result | {"reached": targets})
    require(targets)


if __name__ == "__main__":
    main()
