"""Words that a live session invents in audio without speech: silence, hum, noise, clicks, music.

    python -m research.live_noise --model DIR [--minutes 10] [--out docs/benchmarks/live_noise]

Each sound is sent as Opus packets through a separate live session, with the real voice detector and
the real engine, on a simulated clock. The session requests every partial that it would request from
an idle server. Utterances are counted, and words in finals and partials: all of them are wrong.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from auricle.audio.opus import find_libopus
from auricle.config.sections.live import LiveSettings
from auricle.config.sections.model import ModelSettings
from auricle.engines.models import ModelTable, ServedModel
from auricle.engines.whisper.short_window import ShortWindowEngine
from auricle.engines.whisper.spec import SPEC
from auricle.protocol.framing import pack
from auricle.session.live import LiveSession
from auricle.session.output import Submit
from auricle.values.commands import Stop, StreamParameters
from auricle.values.events import Final, Partial, SpeechStarted
from auricle.values.types import SAMPLE_RATE_HZ, ClientId, Job, Pcm16
from bench.lib.audio import opus_packets
from bench.lib.charts import Bars
from bench.lib.engine import load_engine
from bench.lib.report import command_line, publish
from tests.support.room_sounds import sounds_without_speech

PACKET_SAMPLES = SAMPLE_RATE_HZ // 50


@dataclass(slots=True)
class SessionCounts:
    """What a session did with a sound."""

    utterances: int = 0
    jobs: int = 0
    shown: int = 0
    """Words of the longest partial of each utterance."""
    words: int = 0
    """Words of finals."""
    texts: tuple[str, ...] = ()
    cpu_s: float = 0.0
    engine_cpu_s: float = 0.0


class Listener:
    """A live session with an engine and a simulated clock."""

    def __init__(
        self, engine: ShortWindowEngine, parameters: StreamParameters | None = None
    ) -> None:
        self._engine = engine
        self.events: list[Partial | Final] = []
        self._now = 0.0
        self._longest: dict[int, int] = {}
        self.counts = SessionCounts()
        self._session = LiveSession(
            parameters or StreamParameters(seq=True),
            LiveSettings(),
            find_libopus(),
            id="noise",
            secret="",
            client=ClientId("bench"),
            reservations={},
            now=0.0,
            models=ModelTable((ServedModel("whisper-base", SPEC, ModelSettings()),)),
        )
        self._session.attach(0.0)

    @property
    def finals(self) -> list[Final]:
        """The finals in order."""
        return [event for event in self.events if isinstance(event, Final)]

    def listen(self, pcm: Pcm16) -> SessionCounts:
        """Send all samples, and stop the session."""
        packets = [pack(packet, seq) for seq, packet in enumerate(opus_packets(pcm))]
        started_s = time.process_time()
        for packet in packets:
            self._now += PACKET_SAMPLES / SAMPLE_RATE_HZ
            self._session.receive_data(packet, now=self._now)
            self._run_jobs()
        self._session.receive_command(Stop(), self._now)
        self._run_jobs()
        if not self._session.is_closed:
            raise SystemExit("the session did not send all of its finals")
        self.counts.cpu_s = round(time.process_time() - started_s, 1)
        self.counts.engine_cpu_s = round(self.counts.engine_cpu_s, 1)
        self.counts.shown = sum(self._longest.values())
        return self.counts

    def _run_jobs(self) -> None:
        """Run the session's jobs until it submits no more."""
        while True:
            for job in self._jobs():
                started_s = time.process_time()
                (result,) = self._engine.transcribe([job])
                self.counts.engine_cpu_s += time.process_time() - started_s
                self.counts.jobs += 1
                self._session.job_done(job.id, result, self._now)
            if self._session.wake_at > self._now:
                return
            self._session.poll(self._now)

    def _jobs(self) -> Iterator[Job]:
        while (output := self._session.next_output()) is not None:
            match output:
                case Submit(Job() as job):
                    yield job
                case SpeechStarted():
                    self.counts.utterances += 1
                case Partial():
                    self.events.append(output)
                    words = len(f"{output.stable}{output.unstable}".split())
                    before = self._longest.get(output.utterance, 0)
                    self._longest[output.utterance] = max(before, words)
                case Final():
                    self.events.append(output)
                    self.counts.words += len(output.text.split())
                    self.counts.texts += (output.text,)


def main() -> None:
    parser = command_line(__doc__, "live_noise")
    parser.add_argument("--model", required=True)
    parser.add_argument("--minutes", type=float, default=10, help="of each sound")
    arguments = parser.parse_args()
    engine = load_engine(arguments.model)
    counts: dict[str, SessionCounts] = {}
    for name, pcm in sounds_without_speech(arguments.minutes).items():
        counts[name] = Listener(engine).listen(pcm)
        print(name, asdict(counts[name]), flush=True)
    result = {
        "minutes_each": arguments.minutes,
        "sounds": {name: asdict(of) for name, of in counts.items()},
    }
    series = {
        "in finals": [of.words for of in counts.values()],
        "in partials": [of.shown for of in counts.values()],
        "utterances": [of.utterances for of in counts.values()],
    }
    title = f"Words invented live in {arguments.minutes:g} minutes of each sound"
    publish(arguments.out, result, title, [Bars("Words", tuple(counts), series)])


if __name__ == "__main__":
    main()
