"""Compare voice detectors for live streams: processor time, speech missed, false alarms.

Each detector's probabilities go through the same endpointer, and what counts is what that makes of
them: sure speech that lies in no utterance, utterances without speech, and the delay of the
endpoint. Certain speech is determined from the level of the clean clip, not by a detector. The
scenes are clips with pauses between them, in pink noise at several levels, and sounds without any
speech. Time is processor time of one thread, in 20 ms steps as packets come; compare ratios.

    python -m research.vad --corpus DIRECTORY
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from auricle.audio.cuts import loudness
from auricle.audio.endpointer import Endpointer, EndpointRules, UtteranceEnd
from auricle.audio.gate import NoiseGate, VoiceDetector, powers
from auricle.audio.vad import WINDOW_SAMPLES, Probabilities, SpeechDetector
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.lib.charts import Bars, draw
from bench.lib.report import machine, write_json
from bench.lib.speech import corpus, joined, pink_noise, spoken

ROOT = Path(__file__).parents[1]
STEP_SAMPLES = 320
PAUSE_S = (1.2, 2.0, 3.5)
SNRS_DB = (20, 10, 5, 0)
FULL_SCALE_DB = 90.0
SURE_BELOW_PEAK_DB = 20.0
NOTHING_BELOW_PEAK_DB = 45.0
CALM_S = 60


class Detector(Protocol):
    """What is compared."""

    def probabilities(self, pcm: Pcm16) -> Probabilities:
        """Return one value for each window that these samples complete."""
        ...


class Energy:
    """The gate alone: 1 where a window stands out from its background."""

    def __init__(self) -> None:
        self._gate = NoiseGate()
        self._pcm = np.zeros(0, np.int16)

    def probabilities(self, pcm: Pcm16) -> Probabilities:
        """Return 1 for each window that passes."""
        held = np.concatenate([self._pcm, pcm])
        whole = held.size - held.size % WINDOW_SAMPLES
        self._pcm = held[whole:]
        windows = held[:whole].reshape(-1, WINDOW_SAMPLES)
        return np.array([self._gate.passes(power) for power in powers(windows)], np.float32)


class Earshot:
    """Earshot (PyPI), which judges 256 samples at a time; a window has the mean of its two."""

    def __init__(self) -> None:
        import earshot  # only this bench needs it

        self._detector = earshot.Detector()
        self._pcm = np.zeros(0, np.int16)

    def probabilities(self, pcm: Pcm16) -> Probabilities:
        """Return earshot's scores."""
        held = np.concatenate([self._pcm, pcm])
        whole = held.size - held.size % WINDOW_SAMPLES
        self._pcm = held[whole:]
        halves = held[:whole].reshape(-1, WINDOW_SAMPLES // 2)
        scores = [self._detector.predict_i16(half) for half in halves]
        return np.asarray(np.reshape(scores, (-1, 2)).mean(axis=1), np.float32)


class EarshotThenSilero(VoiceDetector):
    """Silero behind earshot in the place of our gate."""

    def reset(self) -> None:
        """Forget the stream."""
        super().reset()
        self._gate = _EarshotGate()  # type: ignore[assignment]  # it has the one method


class _EarshotGate:
    def __init__(self) -> None:
        self._detector = Earshot()

    def passes(self, window: Pcm16) -> bool:
        return float(self._detector.probabilities(window)[0]) >= 0.3


DETECTORS: dict[str, Callable[[], Detector]] = {
    "energy gate alone": Energy,
    "earshot": Earshot,
    "Silero": SpeechDetector,
    "gate, then Silero": VoiceDetector,
    "earshot, then Silero": EarshotThenSilero,
}


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Audio, and where there surely is speech in it: one flag a window."""

    name: str
    pcm: Pcm16
    speech: npt.NDArray[np.bool_]
    quiet: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the endpointer made of a detector's probabilities."""

    scene: str
    detector: str
    seconds: float
    cpu_us_per_s: float
    missed_percent: float
    clipped: int
    stretches: int
    false_utterances: int
    false_s: float
    end_delay_s: tuple[float, float] | None


def scenes(directory: Path | None) -> Iterator[Scene]:
    clips = corpus(directory) if directory else spoken()
    kinds = {clip.kind for clip in clips}
    chance = np.random.default_rng(5)
    for kind in sorted(kinds):
        of_kind, _ = joined([clip for clip in clips if clip.kind == kind], PAUSE_S)
        clean = np.concatenate([np.zeros(3 * SAMPLE_RATE_HZ, np.int16), of_kind])
        clean = clean[: clean.size - clean.size % WINDOW_SAMPLES]
        speech, quiet = _labels(clean)
        yield Scene(f"{kind}, clean", clean, speech, quiet)
        for snr_db in SNRS_DB:
            noise = pink_noise(clean.size, chance)
            loud = np.repeat(speech, WINDOW_SAMPLES)
            power = np.mean(clean[loud].astype(np.float64) ** 2)
            mixed = clean + noise * np.sqrt(power / 10 ** (snr_db / 10))
            mixed *= min(1.0, 32_000 / np.abs(mixed).max())
            yield Scene(f"{kind}, {snr_db} dB", mixed.astype(np.int16), speech, quiet)
    nothing = np.zeros(CALM_S * SAMPLE_RATE_HZ // WINDOW_SAMPLES, bool)
    for name, pcm in calm(chance).items():
        whole = pcm[: nothing.size * WINDOW_SAMPLES]
        yield Scene(name, np.clip(whole, -32_768, 32_767).astype(np.int16), nothing, ~nothing)


def _labels(clean: Pcm16) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return which windows surely are speech, and which surely none, half a second around."""
    level_db = loudness(clean) * FULL_SCALE_DB
    peak_db = np.empty_like(level_db)
    span = 5 * SAMPLE_RATE_HZ // WINDOW_SAMPLES  # clips differ in level
    for i in range(level_db.size):
        peak_db[i] = max(np.percentile(level_db[max(0, i - span) : i + span], 95), 40.0)
    speech = level_db > peak_db - SURE_BELOW_PEAK_DB
    near = np.convolve(level_db > peak_db - NOTHING_BELOW_PEAK_DB, np.ones(33), "same") > 0
    return speech, ~near


def calm(chance: np.random.Generator) -> dict[str, npt.NDArray[np.float64]]:
    samples = CALM_S * SAMPLE_RATE_HZ
    at_s = np.arange(samples) / SAMPLE_RATE_HZ
    pink = pink_noise(samples, chance)
    hum = sum(np.sin(2 * np.pi * 50 * k * at_s) / k for k in (1, 2, 3, 5))
    clicks = np.zeros(samples)
    for at in chance.integers(0, samples - 200, 120):
        clicks[at : at + 200] += 12_000 * chance.standard_normal(200) * np.exp(-np.arange(200) / 40)
    chords = sum(np.sin(2 * np.pi * hz * k * at_s) / k for hz in (262, 330, 392) for k in (1, 2, 3))
    beat = np.exp(-(at_s % 0.5) * 4)
    return {
        "digital silence": np.zeros(samples),
        "microphone hiss": chance.normal(0, 12, samples),
        "loud pink noise": 2_500 * pink,
        "hum": 3_000 * hum + chance.normal(0, 5, samples),
        "clicks": clicks + chance.normal(0, 12, samples),
        "swelling noise": pink * 1_500 * (1 + 0.9 * np.sin(2 * np.pi * 0.2 * at_s)),
        "fan on and off": pink * np.where(at_s % 20 < 10, 1_500, 30),
        "piano chords": 2_500 * chords * beat + chance.normal(0, 12, samples),
    }


def judge(scene: Scene, name: str) -> Outcome:
    detector = DETECTORS[name]()
    steps = [scene.pcm[at : at + STEP_SAMPLES] for at in range(0, scene.pcm.size, STEP_SAMPLES)]
    started = time.process_time()
    judged = [detector.probabilities(step) for step in steps]
    cpu_s = time.process_time() - started
    endpointer = Endpointer(EndpointRules())
    ends: list[tuple[int, UtteranceEnd]] = []
    for step, probabilities in zip(steps, judged, strict=True):
        events = endpointer.receive(step, probabilities)
        now = endpointer.received_sample
        ends += [(now, event) for event in events if isinstance(event, UtteranceEnd)]
    events = endpointer.finish()
    ends += [(scene.pcm.size, event) for event in events if isinstance(event, UtteranceEnd)]
    return _outcome(scene, name, cpu_s, ends)


def _outcome(
    scene: Scene, name: str, cpu_s: float, ends: list[tuple[int, UtteranceEnd]]
) -> Outcome:
    covered = np.zeros(scene.speech.size, bool)
    false_utterances = 0
    delays = []
    for now, end in ends:
        first, last = end.start_sample // WINDOW_SAMPLES, -(-end.end_sample // WINDOW_SAMPLES)
        covered[first:last] = True
        spoken = np.flatnonzero(scene.speech[first:last])
        false_utterances += not spoken.size
        if spoken.size and not end.is_cut:
            delays.append(now / SAMPLE_RATE_HZ - (first + spoken[-1] + 1) * 0.032)
    stretches = _stretches(scene.speech)
    clipped = sum(not (covered[first] and covered[last]) for first, last in stretches)
    missed = scene.speech & ~covered
    seconds = scene.pcm.size / SAMPLE_RATE_HZ
    return Outcome(
        scene=scene.name,
        detector=name,
        seconds=round(seconds, 1),
        cpu_us_per_s=round(cpu_s / seconds * 1e6, 1),
        missed_percent=round(100 * missed.sum() / max(1, scene.speech.sum()), 3),
        clipped=clipped,
        stretches=len(stretches),
        false_utterances=false_utterances,
        false_s=round(float((covered & scene.quiet).sum()) * 0.032, 1),
        end_delay_s=_median_and_p95(delays),
    )


def _stretches(speech: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the first and last window of each stretch of speech, apart by 0.6 s or more."""
    at = np.flatnonzero(speech)
    if not at.size:
        return []
    groups = np.split(at, np.flatnonzero(np.diff(at) > 19) + 1)
    return [(int(group[0]), int(group[-1])) for group in groups]


def _median_and_p95(values: list[float]) -> tuple[float, float] | None:
    if not values:
        return None
    return round(float(np.median(values)), 3), round(float(np.percentile(values, 95)), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=ROOT / ".." / "shared" / "corpus")
    parser.add_argument("--only", nargs="*", default=list(DETECTORS))
    parser.add_argument("--json", type=Path, default=ROOT / "docs" / "benchmarks" / "vad.json")
    arguments = parser.parse_args()
    outcomes: list[Outcome] = []
    found = list(scenes(arguments.corpus if arguments.corpus.is_dir() else None))
    for scene in found:
        for name in arguments.only:
            outcomes.append(judge(scene, name))
            print(_line(outcomes[-1]), flush=True)
    write_json(arguments.json, {"machine": machine(), "outcomes": [asdict(o) for o in outcomes]})
    names = [scene.name for scene in found]
    draw(
        arguments.json.with_suffix(".svg"),
        "Voice detectors for live streams",
        [
            _bars("processor time, µs per second of a stream", names, outcomes, "cpu_us_per_s"),
            _bars("sure speech in no utterance, %", names, outcomes, "missed_percent"),
            _bars("utterances without speech", names, outcomes, "false_utterances"),
        ],
    )


def _line(o: Outcome) -> str:
    delay = "" if o.end_delay_s is None else "end after {:.2f} / {:.2f} s".format(*o.end_delay_s)
    return (
        f"{o.scene:20} {o.detector:22} {o.cpu_us_per_s:8.0f} us/s"
        f"  missed {o.missed_percent:6.2f} %  clipped {o.clipped:3}/{o.stretches:3}"
        f"  false {o.false_utterances:3} ({o.false_s:5.1f} s)  {delay}"
    )


def _bars(title: str, names: list[str], outcomes: list[Outcome], what: str) -> Bars:
    detectors = list(dict.fromkeys(o.detector for o in outcomes))
    values = {(o.detector, o.scene): float(getattr(o, what)) for o in outcomes}
    return Bars(title, names, {d: [values[d, name] for name in names] for d in detectors})


if __name__ == "__main__":
    main()
