"""Full stops where a sentence goes on, and the words of utterances that a pause or a request ends.

    python -m bench.stops --model DIR [--half reported] [--out docs/benchmarks/stops]

A session on a simulated clock transcribes sentences. In the middle of each, where its text has no
punctuation, the stream is ended in a word, at the end of a word, or the speaker pauses for 0.4 to
1.0 s: without turn detection and with it, and with a client that requests finals just after the
pause, where 500 ms of silence end speech, or 300 ms as by default in Deepgram's API. At the end of
each, the stream is ended 0 to 0.3 s after the voice. Counted are finals with a full stop in the
middle of a sentence, those without one at its end, and word errors next to those of the whole
sentence. Rules are chosen on one half of the sentences, and figures are published for the other.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from auricle.engines.whisper.short_window import ShortWindowEngine
from auricle.values.events import Final
from auricle.values.limits import DEFAULT_ENDPOINT_MS
from auricle.values.types import (
    SAMPLE_RATE_HZ,
    Job,
    JobId,
    JobKind,
    Options,
    Pcm16,
    Transcript,
)
from auricle.workers.kinds.turns.smart_turn import SmartTurn
from bench.lib.engine import load_engine
from bench.lib.report import command_line, publish
from bench.lib.scoring import Errors, word_errors
from bench.lib.speech import Clip, read_clips, say, sentence
from bench.speakers.sessions import CLIENT, DEEPGRAM_ENDPOINT_MS, Session

SPOKEN_SENTENCES = 60
PLACES = 3
"""In each sentence."""
EDGE_WORDS = 2
"""Words at the start and the end of a sentence in which it is not interrupted."""
PAUSES_S = (0.4, 1.0)
LAST_PAUSE_S = 3.0
ONSET_S = (0.04, 0.28)
"""From the start of the word after a pause to the request of a client that takes it for silence."""
DELAYS_S = (0.0, 0.05, 0.1, 0.2, 0.3)
"""From the end of the voice to the request, as who releases a key would have them."""
ROOM_TONE = 3.0
AROUND_SAMPLES, QUIET_SAMPLES = SAMPLE_RATE_HZ // 10, SAMPLE_RATE_HZ // 100
STOPS = (".", "。")
PUNCTUATION = (*STOPS, ",", ";", ":", "?", "!", "-", "—")


@dataclass(slots=True)
class Count:
    """Results of one kind of interruption.

    Attributes:
        sentences: How many there were.
        stops: How many finals before the interruption end with a full stop.
        errors: Word errors of all finals.
    """

    sentences: int = 0
    stops: int = 0
    errors: Errors = Errors(0, 0, 0, 0)

    def add(self, finals: Sequence[Final], reference: str, *, has_more: bool) -> None:
        """Count the finals of a sentence; with ``has_more``, the last one ends its text."""
        texts = [final.text for final in finals if final.text]
        self.sentences += 1
        self.stops += is_stopped(texts[0]) if len(texts) > has_more else 0
        self.errors += word_errors(reference, " ".join(texts))

    @property
    def row(self) -> dict[str, float]:
        """The figures."""
        return {
            "sentences": self.sentences,
            "full_stops": self.stops,
            "word_errors_percent": round(
                100 * self.errors.total / max(1, self.errors.reference), 2
            ),
            "invented_words": self.errors.insertions,
        }


def is_stopped(text: str) -> bool:
    """Return whether a text ends with a full stop, and not with an ellipsis."""
    return text.endswith(STOPS) and not text.endswith("..")


def main() -> None:
    parser = command_line(__doc__, "stops")
    parser.add_argument("--model", required=True, help="folder of Whisper base")
    parser.add_argument("--half", choices=("tuned", "reported"), default="reported")
    arguments = parser.parse_args()
    out: Path = arguments.out
    engine, turn_model = load_engine(arguments.model), SmartTurn()
    chance = random.Random(arguments.half)
    sentences = sentences_of(0 if arguments.half == "tuned" else 1)
    counts: dict[str, Count] = {}
    for number, clip in enumerate(sentences, 1):
        measure(clip, engine, turn_model, chance, counts)
        print(f"{number} of {len(sentences)} sentences", end="\r", flush=True)
    rows = {name: count.row for name, count in counts.items()}
    for name, row in rows.items():
        print(f"{name:40}", *(f"{value:8g} {key}" for key, value in row.items()))
    publish(out, {"half": arguments.half, "rows": rows})


def sentences_of(half: int) -> list[Clip]:
    """Return every second sentence: read ones, and synthetic ones whose end is known."""
    chance = random.Random(1)
    texts = [sentence(chance) for _ in range(SPOKEN_SENTENCES)]
    spoken = [Clip(text, "spoken", say(text), text) for text in texts]
    return [*read_clips(longest_s=20.0)[half::2], *spoken[half::2]]


def measure(
    clip: Clip,
    engine: ShortWindowEngine,
    turn_model: SmartTurn,
    chance: random.Random,
    counts: dict[str, Count],
) -> None:
    """Interrupt one sentence in every way."""

    def count(
        name: str,
        pcm: Pcm16,
        reference: str,
        turns: SmartTurn | None = None,
        *,
        has_more: bool = False,
        endpoint_ms: int = DEFAULT_ENDPOINT_MS,
        finalize_sample: int | None = None,
    ) -> None:
        session = Session(engine, turn_model=turns, endpoint_ms=endpoint_ms)
        finals = session.play(pcm, finalize_sample).sent
        counts.setdefault(name, Count()).add(finals, reference, has_more=has_more)

    onset = random.Random(clip.name)
    whole = transcribe(engine, clip.pcm)
    count("whole sentence", with_silence(clip.pcm, clip.pcm.size, LAST_PAUSE_S), clip.text)
    if whole.text.strip().endswith(STOPS) and clip.text.endswith(STOPS):
        voice_end = whole.segments[-1].words[-1].end_sample if whole.segments[-1].words else 0
        for delay_s in DELAYS_S:
            end = voice_end + int(delay_s * SAMPLE_RATE_HZ)
            count(f"end, stopped after {delay_s:g} s", room(clip.pcm[:end], end), clip.text)
        long = with_silence(clip.pcm, clip.pcm.size, LAST_PAUSE_S)
        count("end, with turn detection", long, clip.text, turn_model)
    for start_sample, end_sample, spoken in places(whole, chance):
        middle = (start_sample + end_sample) // 2
        count("middle, stopped in a word", clip.pcm[:middle], spoken)
        count("middle, stopped after a word", clip.pcm[:end_sample], spoken)
        pause_s = chance.uniform(*PAUSES_S)
        pause_sample = quietest(clip.pcm, end_sample)
        paused = with_silence(clip.pcm, pause_sample, pause_s)
        count("middle, a pause", paused, clip.text, has_more=True)
        count("middle, a pause, with turn detection", paused, clip.text, turn_model, has_more=True)
        asked = pause_sample + int((pause_s + onset.uniform(*ONSET_S)) * SAMPLE_RATE_HZ)
        name = f"middle, a pause, {DEEPGRAM_ENDPOINT_MS} ms end speech"
        count(
            "middle, a pause, then a request",
            paused,
            clip.text,
            has_more=True,
            finalize_sample=asked,
        )
        count(name, paused, clip.text, has_more=True, endpoint_ms=DEEPGRAM_ENDPOINT_MS)
        count(
            f"{name}, then a request",
            paused,
            clip.text,
            has_more=True,
            endpoint_ms=DEEPGRAM_ENDPOINT_MS,
            finalize_sample=asked,
        )


def places(whole: Transcript, chance: random.Random) -> Iterator[tuple[int, int, str]]:
    """Return words that no punctuation follows: their times, and the text up to them."""
    words = [word for segment in whole.segments for word in segment.words or ()]
    inner = range(EDGE_WORDS, len(words) - EDGE_WORDS)
    possible = [at for at in inner if not words[at].text.endswith(PUNCTUATION)]
    for at in chance.sample(possible, min(PLACES, len(possible))):
        text = "".join(word.text for word in words[: at + 1])
        yield words[at].start_sample, words[at].end_sample, text


def quietest(pcm: Pcm16, at: int) -> int:
    """Return the quietest place near a sample, where a speaker would pause."""
    starts = range(max(0, at - AROUND_SAMPLES), min(pcm.size, at + AROUND_SAMPLES), QUIET_SAMPLES)
    powers = [
        np.square(pcm[each : each + QUIET_SAMPLES], dtype=np.float64).sum() for each in starts
    ]
    return starts[int(np.argmin(powers))] + QUIET_SAMPLES // 2


def transcribe(engine: ShortWindowEngine, pcm: Pcm16) -> Transcript:
    """Return the text of a whole sentence, with the times of its words."""
    options = Options(language="en", word_timestamps=True)
    job = Job(JobId("whole"), pcm, options, JobKind.FINAL, CLIENT)
    (result,) = engine.transcribe([job])
    assert isinstance(result, Transcript)
    return result


def with_silence(pcm: Pcm16, at: int, seconds: float) -> Pcm16:
    """Return speech with the tone of a room at a sample."""
    return np.concatenate([pcm[:at], room(pcm[:0], int(seconds * SAMPLE_RATE_HZ)), pcm[at:]])


def room(pcm: Pcm16, samples: int) -> Pcm16:
    """Return speech that is extended to a length by the tone of a room."""
    chance = np.random.default_rng(1)
    tone = chance.normal(0, ROOM_TONE, max(0, samples - pcm.size)).astype(np.int16)
    return np.concatenate([pcm, tone])


if __name__ == "__main__":
    main()
