"""Voices of volunteers who recorded the words of GCompris.

    git clone --depth 1 https://github.com/gcompris/GCompris-voices DIR

The recordings are letters and words in 44 languages, from many microphones. ``LICENSE`` names the
reader and the licence of each file, the GPL in most cases; they are not part of this repository.
"""

import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import av
import numpy as np

from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.lib.speech import SPOKEN, Clip, load_audio
from bench.speakers.conversations import PEAK, REPORTED, TUNING, sounds

READERS: Mapping[str, str] = {
    TUNING: (
        "af/Hermien ast/Xandru br/GPL cs/Martin de/Claudia el/GPL eo/Navaraj eu/Jone "
        "fr/Zohra he/Daniel hu/Merényi id/Dessy kn/shambuk mr/GPL nl/Irina pa/Ankit "
        "pt/Jose pt_BR/Enrico pt_BR/Marcos ru/Alexey sk/Olga so/M.I. sv/Ulrika th/Susan "
        "ur/Sarvangin zh_TW/GPL"
    ),
    REPORTED: (
        "ar/Makni bg/Iassen ca/Antoni da/Ophavsret de/Martin en/Julia es/M. fi/Niko "
        "gd/Public he/Jorge hu/somlai it/Gabriella lt/Jonas nb/Johnstad nl/Marina "
        "pl/Magdalena pt/João pt_BR/Francisco ro/Horia ru/Tatiana sl/Saša sr/Михаило "
        "th/GPL tr/GPL zh_CN/Feng"
    ),
}
"""Language and beginning of the name of each reader; some have a licence instead of a name.

Left out are files of websites, readers with less than 24 s of speech, and those whose voice is that
of another reader of the same or a related language, with a wide-band cosine of 0.77 or more.
"""
MAX_S, CLIP_S, GAP_S = 62.0, 4.0, 0.2
MIN_SAMPLES, MIN_PEAK = 1600, 300
_FILE = re.compile(r"(\S+\.(?:ogg|wav))\s+([^/]*)")
_YEAR = re.compile(r"\b(19|20)\d\d\b.*")


def load_volunteers(directory: Path, half: str) -> dict[str, list[Clip]]:
    """Return the clips of the readers of a half; each has several words in a row."""
    files: dict[str, list[Path]] = {}
    folder = ""
    for line in (directory / "LICENSE").read_text(errors="replace").splitlines():
        if line.startswith("./"):
            folder = line.strip().strip("./:")
        elif match := _FILE.match(line.strip()):
            reader = f"{folder.partition('/')[0]}/{_YEAR.sub('', match[2])}"
            files.setdefault(reader, []).append(directory / folder / match[1])
    voices = {}
    for wanted in READERS[half].split():
        paths = max((files[r] for r in files if r.startswith(wanted)), key=len)
        voices[wanted] = _clips(sorted(path for path in set(paths) if path.exists()))
    return voices


def _clips(paths: Sequence[Path]) -> list[Clip]:
    """Return clips of some seconds of a reader's words, in a random order."""
    clips: list[Clip] = []
    parts: list[Pcm16] = []
    order = list(paths)
    random.Random(0).shuffle(order)
    for path in order:
        try:
            pcm = load_audio(path)
        except (av.FFmpegError, ValueError):
            continue
        runs = sounds(pcm) if pcm.size >= MIN_SAMPLES and np.abs(pcm).max() >= MIN_PEAK else []
        if not runs:
            continue
        word = pcm[runs[0][0] : runs[-1][1]].astype(np.float64)
        word *= PEAK / np.abs(word).max()
        parts += [word.astype(np.int16), np.zeros(int(GAP_S * SAMPLE_RATE_HZ), np.int16)]
        if sum(each.size for each in parts[::2]) >= CLIP_S * SAMPLE_RATE_HZ:
            clips.append(Clip(str(len(clips)), SPOKEN, np.concatenate(parts), ""))
            parts = []
        if sum(clip.seconds for clip in clips) > MAX_S:
            break
    return clips
