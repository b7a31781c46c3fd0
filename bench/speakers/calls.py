"""Conversations of two voices, wide band and by telephone: live sessions against files.

    make .cache/env/speakers/ready
    python -m bench.speakers.calls --model DIR [--corpus DIR] [--out bench/results/calls]

Counts word errors, words with a wrong speaker, and errors of turns made of words or segments: of
the file, of the finals as they are sent, of these where 300 ms of silence end an utterance (as in
Deepgram's protocol, which has no revisions), and of the finals after all revisions. ``first`` is
the number of the speaker of the first word. Counts don't depend on the speed of the machine.
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auricle.engines.base import Engine
from auricle.values.events import Final
from auricle.values.types import Segment, Word
from auricle.workers.kinds.speakers.embedder import SpeakerEmbedder
from auricle.workers.kinds.speakers.voices.turns import Turn
from bench.lib import scoring
from bench.lib.engine import load_engine
from bench.lib.report import command_line, publish, show_targets
from bench.lib.speech import CORPUS, Clip
from bench.speakers.conversations import (
    VOICES,
    Conversation,
    by_telephone,
    converse,
    load_voices,
)
from bench.speakers.scoring import scored
from bench.speakers.sessions import DEEPGRAM_ENDPOINT_MS, Session, changes_of
from bench.speakers.systems import read_file
from bench.speakers.words import WordErrors, recognise, word_errors

PAIRS = (("LJ001", "joe"), ("austen", "joe"), ("LJ001", "austen"), ("mmxg", "mjwl"))
"""Voices that read sentences, and two men who spell: hard words, similar voices."""
SECONDS = 60
FILE, SEGMENTS, SENT, REVISED = "file, words", "file, segments", "live, as sent", "live, revised"
SHORT = f"live, {DEEPGRAM_ENDPOINT_MS} ms"
MAX_DIFFERENCE = 2.0


@dataclass(slots=True)
class Result:
    """What a system has found in a conversation."""

    conversation: Conversation
    segments: Sequence[Segment]
    turns: Sequence[Turn]
    changes: int = 0
    scores: Mapping[str, Any] = field(default_factory=dict)

    @property
    def first(self) -> int | None:
        """The speaker of the first word."""
        return next((word.speaker for word in words_of(self.segments)), None)

    @property
    def text(self) -> scoring.Errors:
        """Word errors."""
        text = " ".join(segment.text for segment in self.segments)
        return scoring.word_errors(self.conversation.text, text)

    @property
    def speakers(self) -> WordErrors:
        """Words with a wrong speaker."""
        return word_errors(self.conversation, self.segments, self.scores["mapping"])


def words_of(segments: Iterable[Segment]) -> list[Word]:
    """Return all words of segments."""
    return [word for segment in segments for word in segment.words or ()]


def turns_of(parts: Iterable[Segment | Word]) -> list[Turn]:
    """Return a turn for each part with a speaker."""
    return [
        Turn(part.start_sample, part.end_sample, part.speaker, 1.0)
        for part in parts
        if part.speaker is not None and part.end_sample > part.start_sample
    ]


def segments_of(finals: Iterable[Final]) -> list[Segment]:
    """Return finals as segments."""
    return [
        Segment(
            final.start_sample, final.end_sample, final.text, final.words, speaker=final.speaker
        )
        for final in finals
    ]


def examine(
    engine: Engine, embedder: SpeakerEmbedder, conversation: Conversation
) -> dict[str, Result]:
    """Return what a file and a live session find in a conversation."""
    speech = read_file(embedder, conversation.pcm)
    found = speech.turns().assigned_to(recognise(engine, speech.chunks))
    results = {
        FILE: Result(conversation, found, turns_of(words_of(found))),
        SEGMENTS: Result(conversation, found, turns_of(found)),
    }
    live = Session(engine, embedder).play(conversation.pcm)
    short = Session(engine, embedder, endpoint_ms=DEEPGRAM_ENDPOINT_MS).play(conversation.pcm)
    for system, finals in ((SENT, live.sent), (REVISED, live.revised), (SHORT, short.sent)):
        segments = segments_of(finals)
        turns = turns_of(words_of(segments))
        results[system] = Result(conversation, segments, turns, changes_of(finals))
    return results


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """Return the figures of one system."""
    speakers = sum((result.speakers for result in results), WordErrors())
    return {
        "wer": round(scoring.total([result.text for result in results]).percent, 2),
        "wrong_speaker": speakers.wrong,
        "words": speakers.words,
        "wder": round(100 * speakers.rate, 2),
        **{
            key: round(100 * statistics.fmean(result.scores[key] for result in results), 2)
            for key in ("der", "missed", "false_alarm", "confusion")
        },
        "first": [result.first for result in results],
        "changes": max(result.changes for result in results),
    }


def conversations(voices: Mapping[str, Sequence[Clip]]) -> list[Conversation]:
    """Return a conversation of each pair of voices."""
    return [
        converse({name: voices[name] for name in pair}, 2, SECONDS, 900 + number)
        for number, pair in enumerate(PAIRS)
    ]


def main() -> None:
    parser = command_line(__doc__, "calls")
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--model", required=True, help="Whisper in CTranslate2 format")
    arguments = parser.parse_args()
    engine, embedder = load_engine(arguments.model), SpeakerEmbedder()
    voices: dict[str, list[Clip]] = {}
    for half in VOICES:
        voices |= load_voices(arguments.corpus, half)
    wide = conversations(voices)
    groups = {"wide band": wide, "telephone": [by_telephone(each) for each in wide]}
    report(
        {
            name: [examine(engine, embedder, conversation) for conversation in members]
            for name, members in groups.items()
        },
        arguments.out,
    )


def report(groups: Mapping[str, Sequence[Mapping[str, Result]]], out: Path) -> None:
    """Score, print and publish the figures."""
    figures: dict[str, Any] = {}
    for name, rows in groups.items():
        systems = tuple(rows[0])
        asked = [(row[FILE].conversation, {key: row[key].turns for key in systems}) for row in rows]
        for row, scores in zip(rows, scored(asked), strict=True):
            for system in systems:
                row[system].scores = scores[system]
        figures[name] = {system: summary([row[system] for row in rows]) for system in systems}
        for system, of in figures[name].items():
            print(
                f"{name:10} {system:15} WER {of['wer']:5.2f}  wrong speaker {of['wrong_speaker']:3}"
                f" of {of['words']} ({of['wder']:.2f} %)  DER {of['der']:5.2f} = missed"
                f" {of['missed']:.2f} + added {of['false_alarm']:.2f} + wrong"
                f" {of['confusion']:.2f}  first {of['first']}  changes {of['changes']}"
            )
    targets = {
        f"{name}, {key} {system} within {MAX_DIFFERENCE:g} points of the file": of[system][key]
        <= of[FILE][key] + MAX_DIFFERENCE
        for name, of in figures.items()
        for system in (SENT, SHORT)
        for key in ("wer", "wder", "der")
    }
    show_targets(targets)
    publish(out, {"groups": figures, "targets": targets}, "Calls of two voices", [])


if __name__ == "__main__":
    main()
