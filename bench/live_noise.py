"""Words that a live session hears where nobody speaks: silence, hum, noise, clicks, music.

    python -m bench.live_noise --model DIR [--minutes 10] [--out docs/benchmarks/live_noise]

Each sound is sent as Opus packets through a live session of its own, with the real detector and
the real engine; a clock that is a number stands in for real time, so nothing is waited for. Every
guess is asked for that a server with nothing else to do would ask for. Utterances are counted, and
words, in finals and in what was shown meanwhile: all of them are wrong.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from auricle.audio.opus import find_libopus
from auricle.audio.opus_encoder import OpusPacketEncoder
from auricle.commands import Stop, StreamParameters
from auricle.config.settings import LiveSettings
from auricle.engine import EngineSettings
from auricle.engine.whisper.ctranslate2_model import WhisperBackend
from auricle.engine.whisper.loading import load_model
from auricle.engine.whisper.short_window import ShortWindowEngine
from auricle.events import Final, Partial, SpeechStarted
from auricle.protocol.framing import pack
from auricle.session.live import LiveSession
from auricle.session.output import Submit
from auricle.types import SAMPLE_RATE_HZ, ClientId, Job, Pcm16
from bench.report import Bars, draw, machine, write_json
from bench.speech import pink_noise

PACKET_SAMPLES = SAMPLE_RATE_HZ // 50
Sound = npt.NDArray[np.float64]


def sounds(minutes: float) -> dict[str, Pcm16]:
    """Return six sounds without a word in them."""
    chance = np.random.default_rng(11)
    samples = int(minutes * 60 * SAMPLE_RATE_HZ)
    times_s = np.arange(samples) / SAMPLE_RATE_HZ
    hum = sum(np.sin(2 * np.pi * 50 * n * times_s) / n for n in range(1, 6))
    clicks = np.zeros(samples)
    clicks[chance.integers(0, samples, samples // 8000)] = 1.0
    made = {
        "silence": np.zeros(samples),
        "hum": 0.05 * np.asarray(hum),
        "white noise": 0.05 * chance.standard_normal(samples),
        "pink noise": 0.05 * pink_noise(samples, chance),
        "clicks": clicks * chance.uniform(0.2, 0.9, samples),
        "music": 0.1 * _music(times_s, chance),
    }
    return {name: _pcm(sound) for name, sound in made.items()}


def _music(times_s: Sound, chance: np.random.Generator) -> Sound:
    """Return triads in a steady beat, each note with overtones that die away."""
    sound = np.zeros_like(times_s)
    beat_samples = SAMPLE_RATE_HZ // 2
    for start in range(0, times_s.size, beat_samples):
        local_s = times_s[start : start + beat_samples] - times_s[start]
        root_hz = 220 * 2 ** (chance.integers(-5, 8) / 12)
        for semitones in (0, int(chance.choice((3, 4))), 7):
            note_hz = root_hz * 2 ** (semitones / 12)
            for overtone in range(1, 5):
                decay = np.exp(-3 * local_s) / overtone
                sound[start : start + beat_samples] += decay * np.sin(
                    2 * np.pi * note_hz * overtone * local_s
                )
    return sound


def _pcm(sound: Sound) -> Pcm16:
    return np.clip(sound * 32767, -32767, 32767).astype(np.int16)


@dataclass(slots=True)
class DecodedAudio:
    """What a session made of a sound."""

    utterances: int = 0
    jobs: int = 0
    shown: int = 0
    """Words of the longest guess at each utterance."""
    words: int = 0
    """Words of finals."""
    texts: tuple[str, ...] = ()
    cpu_s: float = 0.0
    engine_cpu_s: float = 0.0


class Listener:
    """A live session, the engine behind it, and a clock that is a number."""

    def __init__(
        self, engine: ShortWindowEngine, parameters: StreamParameters | None = None
    ) -> None:
        self._engine = engine
        self.events: list[Partial | Final] = []
        self._now = 0.0
        self._longest: dict[int, int] = {}
        self.heard = DecodedAudio()
        self._session = LiveSession(
            parameters or StreamParameters(seq=True),
            LiveSettings(),
            find_libopus(),
            id="noise",
            secret="",
            client=ClientId("bench"),
            reservation=None,
            now=0.0,
        )
        self._session.attach(0.0)

    @property
    def finals(self) -> list[Final]:
        """The finals in order."""
        return [event for event in self.events if isinstance(event, Final)]

    def listen(self, pcm: Pcm16) -> DecodedAudio:
        """Send it all, and stop."""
        encoder = OpusPacketEncoder(find_libopus())
        packets = [
            pack(encoder.encode(pcm[at : at + PACKET_SAMPLES]), at // PACKET_SAMPLES)
            for at in range(0, pcm.size - PACKET_SAMPLES + 1, PACKET_SAMPLES)
        ]
        started_s = time.process_time()
        for packet in packets:
            self._now += PACKET_SAMPLES / SAMPLE_RATE_HZ
            self._session.receive_data(packet, self._now)
            self._work_off()
        self._session.receive_command(Stop(), self._now)
        self._work_off()
        if not self._session.is_closed:
            raise SystemExit("the session has not told all of its finals")
        self.heard.cpu_s = round(time.process_time() - started_s, 1)
        self.heard.engine_cpu_s = round(self.heard.engine_cpu_s, 1)
        self.heard.shown = sum(self._longest.values())
        return self.heard

    def _work_off(self) -> None:
        """Do what the session asks for, until it has nothing more to ask."""
        while True:
            for job in self._jobs():
                started_s = time.process_time()
                (result,) = self._engine.transcribe([job])
                self.heard.engine_cpu_s += time.process_time() - started_s
                self.heard.jobs += 1
                self._session.job_done(job.id, result, self._now)
            if self._session.wake_at > self._now:
                return
            self._session.poll(self._now)

    def _jobs(self) -> Iterator[Job]:
        while (output := self._session.next_output()) is not None:
            match output:
                case Submit(job):
                    yield job
                case SpeechStarted():
                    self.heard.utterances += 1
                case Partial():
                    self.events.append(output)
                    words = len(f"{output.stable}{output.unstable}".split())
                    before = self._longest.get(output.utterance, 0)
                    self._longest[output.utterance] = max(before, words)
                case Final():
                    self.events.append(output)
                    self.heard.words += len(output.text.split())
                    self.heard.texts += (output.text,)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--minutes", type=float, default=10, help="of each sound")
    parser.add_argument("--out", type=Path, help="path of the JSON and SVG, without suffix")
    arguments = parser.parse_args()
    settings = EngineSettings(arguments.model, "cpu", "int8", 1)
    backend = WhisperBackend(load_model(settings, arguments.model))
    engine = ShortWindowEngine(backend, "base")
    heard: dict[str, DecodedAudio] = {}
    for name, pcm in sounds(arguments.minutes).items():
        heard[name] = Listener(engine).listen(pcm)
        print(name, asdict(heard[name]), flush=True)
    result = {
        "machine": machine(),
        "minutes_each": arguments.minutes,
        "sounds": {name: asdict(of) for name, of in heard.items()},
    }
    print(result["machine"])
    if arguments.out:
        write_json(arguments.out.with_suffix(".json"), result)
        title = f"Words heard live in {arguments.minutes:g} minutes of each sound"
        series = {
            "in finals": [of.words for of in heard.values()],
            "shown meanwhile": [of.shown for of in heard.values()],
            "utterances": [of.utterances for of in heard.values()],
        }
        draw(arguments.out.with_suffix(".svg"), title, [Bars("Words", tuple(heard), series)])


if __name__ == "__main__":
    main()
