"""An engine whose answers are valid and huge: ``tests.support.flooding_engine``.

A job's ``initial_prompt`` names the answer.
"""

from collections.abc import Callable, Sequence

from auricle.engines.base import EngineSettings, EngineSpec, NoModelFiles
from auricle.values.errors import AudioError
from auricle.values.types import Job, Segment, Transcript, Word

MANY = 1_200_000
TEXT = "\x1b[2J said\r\n\x00\u202etwice\u2066 \u200dover\u2028"
CLEANED = "[2J said  twice \u200dover "


SPEC = EngineSpec("flooding", reads_prompts=True, models=NoModelFiles("flooding"))


def load(settings: EngineSettings) -> "FloodingEngine":
    return FloodingEngine()


def answer(text: str = "", language: str = "en", *segments: Segment) -> Transcript:
    return Transcript(text, language, 1.0, 1600, segments)


def words(count: int, tokens: int = 0) -> Transcript:
    word = Word(0, 0, "w", 1.0, (1,) * tokens)
    return answer("", "en", Segment(0, 0, "", (word,) * count))


ANSWERS: dict[str, Callable[[], Transcript]] = {
    "segments": lambda: answer("", "en", *[Segment(0, 0, "")] * MANY),
    "segments that fit the bytes": lambda: answer("", "en", *[Segment(0, 0, "")] * 2000),
    "words": lambda: words(MANY),
    "words of several segments": lambda: answer("", "en", *words(400).segments * 10),
    "tokens": lambda: words(1, 10 * MANY),
    "tokens of several words": lambda: words(20, 1000),
    "text": lambda: answer("", "en", Segment(0, 0, "x" * 10 * MANY)),
    "text of several segments": lambda: answer("", "en", *[Segment(0, 0, "x" * 1000)] * 30),
    "language": lambda: answer("", "x" * 1000, Segment(0, 0, "")),
    "controls": lambda: answer(
        "", "e\x1bn", Segment(0, 0, TEXT, (Word(0, 0, TEXT, 1.0), Word(0, 0, "w", 1.0)))
    ),
}


class FloodingEngine:
    def warm_up(self) -> None: ...

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | AudioError]:
        return [ANSWERS[job.options.initial_prompt or "language"]() for job in jobs]
