"""How often bytes that are not framed Opus packets are taken for them, and the other way round.

False positives: random bytes, raw Opus (packets of real speech one after another, from any packet
and from any byte on, as a whole and as the head of something longer), and raw PCM. False negatives:
the same speech in frames, from any packet on.
"""

import argparse
import json
import random
import wave
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import product
from math import sqrt
from pathlib import Path

import av
import numpy as np
import opuslib_next

from auricle.protocol.detect import DETECT_HEAD_BYTES, detect
from auricle.protocol.framing import pack
from auricle.values.audio_formats import AudioFormat
from auricle.values.types import SAMPLE_RATE_HZ, OpusPacket, Pcm16

ROOT = Path(__file__).parents[1]
APPLICATIONS = {
    "voip": opuslib_next.APPLICATION_VOIP,
    "audio": opuslib_next.APPLICATION_AUDIO,
    "low delay": opuslib_next.APPLICATION_RESTRICTED_LOWDELAY,
}
FRAMES_MS = (2.5, 5, 10, 20, 40, 60)
RATES_BPS = (8_000, 24_000, 64_000)
RANDOM_SIZES = (1, 2, 3, 4, 6, 8, 12, 20, 50, 100, 200, 500, 1_000, 1_500, 4_000, 20_000)


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of bytes: how many were tried, and how many were taken for the wrong thing."""

    kind: str
    trials: int
    wrong: int
    rate: float
    at_most: float  # Wilson's upper bound at 95 %


@dataclass(frozen=True, slots=True)
class Stream:
    """One speech encoded in one way."""

    packets: list[OpusPacket]
    pcm: Pcm16


def clips(corpus: Path | None) -> Iterator[Pcm16]:
    """Yield the clips of testdata, and those of the corpus if there is one."""
    for path in sorted((ROOT / "testdata").glob("*.wav")):
        with wave.open(str(path), "rb") as source:
            yield np.frombuffer(source.readframes(source.getnframes()), "<i2").astype(np.int16)
    for path in sorted(corpus.glob("*.flac")) if corpus is not None else ():
        with av.open(str(path)) as container:
            frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
        yield np.concatenate(frames).astype(np.int16)


def encode(
    pcm: Pcm16, application: str, frame_ms: float, rate_bps: int, *, vbr: bool, dtx: bool
) -> Stream:
    encoder = opuslib_next.Encoder(SAMPLE_RATE_HZ, 1, APPLICATIONS[application])
    encoder.bitrate, encoder.vbr, encoder.dtx = rate_bps, vbr, dtx
    frame_samples = int(SAMPLE_RATE_HZ * frame_ms / 1000)
    whole = pcm[: pcm.size // frame_samples * frame_samples].reshape(-1, frame_samples)
    packets = [OpusPacket(encoder.encode(frame.tobytes(), frame_samples)) for frame in whole]
    return Stream(packets, pcm)


def streams(sources: list[Pcm16], rng: random.Random) -> Iterator[Stream]:
    """Yield each clip in several of all the ways, and each way at least twice."""
    ways = list(product(APPLICATIONS, FRAMES_MS, RATES_BPS, (True, False), (True, False)))
    rng.shuffle(ways)
    for index in range(max(2 * len(ways), 4 * len(sources))):
        application, frame_ms, rate_bps, vbr, dtx = ways[index % len(ways)]
        pcm = sources[index % len(sources)]
        yield encode(pcm, application, frame_ms, rate_bps, vbr=vbr, dtx=dtx)


def count(kind: str, trials: int, is_wrong: Callable[[], bool]) -> Row:
    wrong = sum(is_wrong() for _ in range(trials))
    rate, z = wrong / trials, 1.96
    spread = z * sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    at_most = (rate + z * z / (2 * trials) + spread) / (1 + z * z / trials)
    return Row(kind, trials, wrong, rate, at_most)


def is_opus(data: bytes, total_bytes: int | None = None) -> bool:
    return detect(data, total_bytes) is AudioFormat.OPUS


def measure(corpus: Path | None, trials: int, seed: int) -> list[Row]:
    rng = random.Random(seed)
    sources = list(clips(corpus))
    encoded = list(streams(sources, rng))

    def noise() -> bool:
        return is_opus(rng.randbytes(rng.choice(RANDOM_SIZES)))

    def noise_head() -> bool:
        return is_opus(rng.randbytes(rng.choice(RANDOM_SIZES)), 10**6)

    def some(packets: list[OpusPacket]) -> list[OpusPacket]:
        first = rng.randrange(len(packets))
        most = rng.choice((1, 2, 3, 5, 10, 50, 500))
        return packets[first : first + most]

    def raw() -> bool:
        return is_opus(b"".join(some(rng.choice(encoded).packets)))

    def raw_from_any_byte() -> bool:
        data = b"".join(some(rng.choice(encoded).packets))
        return is_opus(data[rng.randrange(len(data)) :])

    def raw_head() -> bool:
        return is_opus(b"".join(some(rng.choice(encoded).packets)), 10**7)

    def quiet_pcm() -> bool:
        pcm = rng.choice(sources)
        first = rng.randrange(pcm.size)
        quieter = pcm[first : first + rng.choice((10, 100, 1_000, 16_000))] // rng.choice(
            (1, 30, 300)
        )
        return is_opus(quieter.astype("<i2").tobytes())

    def framed_missed() -> bool:
        packets = rng.choice(encoded).packets
        first = rng.randrange(len(packets) - 1)
        return not is_opus(b"".join(map(pack, packets[first : first + rng.randint(2, 300)])))

    def lone_missed() -> bool:
        return not is_opus(pack(rng.choice(rng.choice(encoded).packets)))

    def framed_head_missed() -> bool:
        data = b"".join(map(pack, rng.choice(encoded).packets)) * 8
        return not is_opus(data[:DETECT_HEAD_BYTES], len(data))

    return [
        count("random bytes", trials, noise),
        count("random bytes, a head", trials, noise_head),
        count("raw Opus", trials, raw),
        count("raw Opus from any byte on", trials, raw_from_any_byte),
        count("raw Opus, a head", trials, raw_head),
        count("raw PCM of speech", trials // 4, quiet_pcm),
        count("framed Opus, missed", trials // 20, framed_missed),
        count("one framed packet alone, missed", trials // 20, lone_missed),
        count("framed Opus of 64 KiB and more, missed", trials // 200, framed_head_missed),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=ROOT / ".." / "shared" / "corpus")
    parser.add_argument("--trials", type=int, default=250_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, default=ROOT / "bench" / "results" / "detection.json")
    arguments = parser.parse_args()
    corpus = arguments.corpus if arguments.corpus.is_dir() else None
    rows = measure(corpus, arguments.trials, arguments.seed)
    print(f"{'bytes':40} {'trials':>8} {'wrong':>6} {'rate':>9} {'at most':>9}")
    for row in rows:
        print(f"{row.kind:40} {row.trials:8} {row.wrong:6} {row.rate:9.1e} {row.at_most:9.1e}")
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    result = {"seed": arguments.seed, "corpus": corpus is not None, "rows": list(map(asdict, rows))}
    arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
