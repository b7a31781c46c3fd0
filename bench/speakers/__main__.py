"""Speakers of files and of live sessions: errors of turns and words, CPU time.

    make .cache/env/speakers/ready
    python -m bench.speakers --corpus DIR [--half reported] [--model DIR]
        [--out docs/benchmarks/speakers]

Conversations are built from the corpus with pauses, overlaps, noise and levels, always the same.
pyannote.metrics scores the turns: without a collar and with overlaps, and with a collar of 0.25 s.
Speech is found by Auricle's voice detector. With ``--model`` (Whisper base in CTranslate2 format),
the conversations of up to 60 s are recognised, and words with a wrong speaker are counted. CPU
seconds count on one thread, so they may be compared on a busy machine.
"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from auricle.values.types import SpeakerOptions
from auricle.workers.kinds.speakers.embedder import SpeakerEmbedder
from auricle.workers.kinds.speakers.voices.turns import Turn
from auricle.workers.kinds.speakers.voices.words import assign_speakers
from bench.lib.charts import Bars
from bench.lib.engine import load_engine
from bench.lib.report import command_line, publish, show_targets
from bench.lib.speech import CORPUS
from bench.speakers.conversations import REPORTED, VOICES, Conversation, converse, load_voices
from bench.speakers.scoring import SCORER_PYTHON, scored
from bench.speakers.systems import follow, read_file
from bench.speakers.words import WordErrors, recognise, word_errors

PLAN = {
    1: (60, 90),
    2: (60, 120, 90, 150, 75, 105, 600),
    3: (60, 120, 90),
    4: (60, 120, 90, 75, 600),
    5: (60, 120),
    6: (60, 120),
}
"""Seconds of the conversations, by number of speakers."""
FILE, FILE_KNOWN, LIVE_FIRST, LIVE = "file", "file, number given", "live, first", "live, revised"
MAX_WORDS_S = 60


@dataclass(slots=True)
class Row:
    """What was found in one conversation."""

    conversation: Conversation
    found: dict[str, Sequence[Turn]]
    cpu_s: dict[str, float]
    finals: int
    revised: int
    words: dict[str, WordErrors] = field(default_factory=dict)
    scores: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def speakers(self) -> int:
        """True number of speakers."""
        return len(self.conversation.speakers)

    def counted(self, system: str) -> int:
        """Return the number of speakers that a system has found."""
        return len({turn.speaker for turn in self.found[system]})

    def to_json(self) -> dict[str, Any]:
        """Return all figures."""
        return {
            "name": self.conversation.name,
            "speakers": self.speakers,
            "seconds": round(self.conversation.seconds, 1),
            "cpu_s": {key: round(value, 3) for key, value in self.cpu_s.items()},
            "finals": self.finals,
            "revised_finals": self.revised,
            "systems": {
                system: {
                    "speakers": self.counted(system),
                    **{key: round(value, 4) for key, value in _rates(self, system).items()},
                    "words": asdict(self.words[system]) if system in self.words else None,
                }
                for system in self.found
            },
        }


def _rates(row: Row, system: str) -> dict[str, float]:
    return {key: value for key, value in row.scores[system].items() if key != "mapping"}


def examine(embedder: SpeakerEmbedder, conversation: Conversation) -> tuple[Row, Any]:
    """Return the turns of a conversation, and the speech of the file."""
    speech = read_file(embedder, conversation.pcm)
    started_s = time.process_time()
    turns = speech.turns()
    clustering_s = time.process_time() - started_s
    known = speech.turns(SpeakerOptions(num_speakers=len(conversation.speakers)))
    live = follow(embedder, conversation.pcm)
    found: dict[str, Sequence[Turn]] = {
        FILE: turns.turns,
        FILE_KNOWN: known.turns,
        LIVE_FIRST: live.first,
        LIVE: live.last,
    }
    cpu_s = {"embedding": speech.cpu_s, "clustering": clustering_s, "live": live.cpu_s}
    return Row(conversation, found, cpu_s, live.finals, live.revised), speech


def score(rows: Sequence[Row]) -> None:
    """Score all turns with pyannote.metrics."""
    scores = scored([(row.conversation, row.found) for row in rows])
    for row, of_row in zip(rows, scores, strict=True):
        row.scores = of_row


def summary(rows: Sequence[Row], system: str) -> dict[str, float]:
    """Return the mean rates of some conversations, in percent."""
    means = {
        key: round(100 * statistics.fmean(row.scores[system][key] for row in rows), 2)
        for key in ("der", "missed", "false_alarm", "confusion", "der_collar", "jer")
    }
    right = statistics.fmean(row.counted(system) == row.speakers for row in rows)
    words = sum((row.words[system] for row in rows if system in row.words), WordErrors())
    result = means | {"count_right": round(100 * right, 1)}
    return result | ({"wder": round(100 * words.rate, 2)} if words.words else {})


def main() -> None:
    parser = command_line(__doc__, "speakers")
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--half", choices=tuple(VOICES), default=REPORTED)
    parser.add_argument("--model", help="Whisper, to count words with a wrong speaker")
    arguments = parser.parse_args()
    if not SCORER_PYTHON.is_file():
        raise SystemExit("Run: make .cache/env/speakers/ready")
    voices = load_voices(arguments.corpus, arguments.half)
    embedder = SpeakerEmbedder()
    engine = load_engine(arguments.model) if arguments.model else None
    rows: list[Row] = []
    spoken = {}
    for speakers, lengths_s in PLAN.items():
        for index, seconds in enumerate(lengths_s):
            conversation = converse(voices, speakers, seconds, 100 * speakers + index)
            row, speech = examine(embedder, conversation)
            if engine is not None and seconds <= MAX_WORDS_S:
                spoken[len(rows)] = recognise(engine, speech.chunks)
            rows.append(row)
            print(conversation.name, f"{conversation.seconds:.0f} s", flush=True)
    score(rows)
    for index, segments in spoken.items():
        row = rows[index]
        for system, turns in row.found.items():
            mapping = row.scores[system]["mapping"]
            assigned = assign_speakers(segments, turns)
            row.words[system] = word_errors(row.conversation, assigned, mapping)
    report(rows, arguments.out)


def report(rows: Sequence[Row], out: Path) -> None:
    """Print and publish the figures."""
    systems = tuple(rows[0].found)
    groups = {f"{count} speakers": [r for r in rows if r.speakers == count] for count in PLAN}
    groups["all"] = list(rows)
    results = {
        name: {system: summary(members, system) for system in systems}
        for name, members in groups.items()
    }
    print(
        f"{'':12} {'system':20} {'DER':>6} {'0.25 s':>6} {'JER':>6} {'wrong':>6} {'WDER':>6} count"
    )
    for name, by_system in results.items():
        for system, of in by_system.items():
            print(
                f"{name:12} {system:20} {of['der']:6.2f} {of['der_collar']:6.2f} {of['jer']:6.2f}"
                f" {of['confusion']:6.2f} {of.get('wder', float('nan')):6.2f}"
                f" {of['count_right']:5.0f}"
            )
    seconds = sum(row.conversation.seconds for row in rows)
    cpu = {key: round(sum(row.cpu_s[key] for row in rows) / seconds, 4) for key in rows[0].cpu_s}
    print("CPU seconds per second of audio:", cpu)
    targets = {
        "two speakers, DER at most 8 %": results["2 speakers"][FILE]["der"] <= 8,
        "four speakers, DER at most 15 %": results["4 speakers"][FILE]["der"] <= 15,
        "number of speakers right in 85 %": results["all"][FILE]["count_right"] >= 85,
        "live within 3 points of the file": results["all"][LIVE]["der"]
        <= results["all"][FILE]["der"] + 3,
        "CPU of a file at most 0.03": cpu["embedding"] + cpu["clustering"] <= 0.03,
        "CPU of a live session at most 0.03": cpu["live"] <= 0.03,
    }
    show_targets(targets)
    chart = Bars(
        "Diarization error rate in percent, no collar, overlaps scored",
        tuple(groups),
        {system: [of[system]["der"] for of in results.values()] for system in systems},
    )
    figures = {
        "groups": results,
        "cpu_s_per_s": cpu,
        "targets": targets,
        "conversations": [row.to_json() for row in rows],
    }
    publish(out, figures, "Who said what", [chart])


if __name__ == "__main__":
    main()
