"""Ends of turns: how many sentences are cut, and how long the end of one is waited for.

    python -m bench.turns --corpus DIR [--half reported] [--out docs/benchmarks/turns]

Each clip of the corpus is a turn of a speaker, in a quiet room and in noise. The endpointer asks
the model in each pause, as in a session. A clip is cut if a pause inside it ends the utterance. The
wait is the silence after its end until its utterance ends; an idle worker has answered before. The
same pauses are judged by plain silence. In conversations of two speakers, with the same voices,
the turns are known, too: a pause may be inside a turn, or before the other speaker's turn. Settings
are tuned on the voices of one half, and figures are published for the other.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from auricle.audio.endpointer import Endpointing, EndpointRules, Resumed, TurnQuestion
from auricle.audio.vad import WINDOW_SAMPLES
from auricle.session.turn_end import ASK_MS, silence_ms
from auricle.session.utterances.segmenter import SpeechSegmenter
from auricle.values.types import (
    MAX_TURN_SAMPLES,
    SAMPLE_RATE_HZ,
    SAMPLES_PER_MS,
    Pcm16,
    TurnDetection,
)
from auricle.workers.kinds.turns.smart_turn import SmartTurn
from bench.lib.charts import Bars, Lines
from bench.lib.report import command_line, publish, show_targets
from bench.lib.speech import CORPUS, ROOM_TONE, Clip, in_room, with_noise
from bench.speakers.conversations import REPORTED, VOICES, Conversation, converse, load_voices

NEVER_MS = 20_000
"""An answer that ends no pause."""
RULES = EndpointRules(ask_ms=ASK_MS, soft_limit_s=25, hard_limit_s=25)
TAIL_S = 3.0
SNR_DB = (30.0, 20.0)
PLAIN_MS = (224, 300, 400, 500, 600, 700, 800, 1000)
PLAIN_NAMES = {f"plain, {ms} ms": ms for ms in PLAIN_MS}
THRESHOLDS = (0.3, 0.5, 0.7, 0.9)
SHIFTS_MS = (-224, -160, -96, -32, 0, 64, 160, 320)
"""What is added to the silence of a finished turn, for the curve."""
THINKING_MS = 1500
CONVERSATIONS, CONVERSATION_S = 6, 90
EDGE_SAMPLES = SAMPLE_RATE_HZ // 5
"""A pause that starts this close to the end of a turn follows it."""

Wait = Callable[[float], float]
"""From the probability of a finished turn to the silence that ends the pause, in ms."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause of at least ``ASK_MS``.

    Attributes:
        at_sample: Where speech stopped.
        probability: That the speaker has finished.
        length_ms: Its length; ``None``: no speech follows.
    """

    at_sample: int
    probability: float
    length_ms: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What a rule does to turns.

    Attributes:
        turns: Number of turns.
        cut: Turns that a pause inside them ends.
        wait_ms: Median wait after their ends.
        mean_wait_ms: Mean of it.
        cut_thinking: Share of pauses inside turns that would end them if they lasted 1.5 s.
    """

    turns: int
    cut: int
    wait_ms: float
    mean_wait_ms: float
    cut_thinking: float

    @property
    def cut_share(self) -> float:
        """Turns that are cut, in percent."""
        return 100 * self.cut / self.turns


def pauses_of(judge: SmartTurn, pcm: Pcm16) -> list[Pause]:
    """Return the pauses of a stream, each judged as in a session."""
    segmenter = SpeechSegmenter(RULES, 0)
    found: list[Pause] = []
    for at in range(0, pcm.size, WINDOW_SAMPLES):
        waiting: list[Endpointing] = segmenter.receive(pcm[at : at + WINDOW_SAMPLES])
        while waiting:
            event = waiting.pop(0)
            if isinstance(event, TurnQuestion):
                first = max(event.start_sample, event.at_sample - MAX_TURN_SAMPLES)
                probability = judge.probability(segmenter.read(first, event.at_sample))
                stopped = event.at_sample - ASK_MS * SAMPLES_PER_MS
                found.append(Pause(stopped, probability, None))
                waiting += segmenter.answer(NEVER_MS)
            elif isinstance(event, Resumed) and found and found[-1].length_ms is None:
                length_ms = (at - found[-1].at_sample) / SAMPLES_PER_MS
                if length_ms >= ASK_MS:
                    found[-1] = replace(found[-1], length_ms=length_ms)
    return found


def clips_of(voices: Sequence[Clip]) -> Iterator[Clip]:
    """Yield each clip in a quiet room and in noise, with silence after it."""
    tail = np.zeros(int(TAIL_S * SAMPLE_RATE_HZ), np.int16)
    for clip in voices:
        longer = replace(clip, pcm=np.concatenate([tail[: tail.size // 6], clip.pcm, tail]))
        yield replace(
            longer, pcm=in_room(longer.pcm, ROOM_TONE, np.random.default_rng(clip.pcm.size))
        )
        for snr_db in SNR_DB:
            yield with_noise(longer, snr_db)


def judged(turns: Sequence[Sequence[Pause]], wait: Wait) -> Figures:
    """Return what a rule does to turns, each given as its pauses, the last after its end."""
    inside = [[pause for pause in turn if pause.length_ms is not None] for turn in turns]
    cut = sum(any(ends(pause, wait) for pause in turn) for turn in inside)
    waits = [windowed(wait(turn[-1].probability)) for turn in turns if turn[-1].length_ms is None]
    thinking = [wait(pause.probability) < THINKING_MS for turn in inside for pause in turn]
    return Figures(
        len(turns), cut, statistics.median(waits), statistics.fmean(waits), np.mean(thinking).item()
    )


def ends(pause: Pause, wait: Wait) -> bool:
    """Return whether a rule ends the utterance in this pause."""
    assert pause.length_ms is not None
    return windowed(wait(pause.probability)) <= pause.length_ms


def windowed(wait_ms: float) -> float:
    """Return a silence rounded up to windows of the voice detector, in ms."""
    window_ms = WINDOW_SAMPLES / SAMPLES_PER_MS
    return -(-wait_ms // window_ms) * window_ms


def plain(endpoint_ms: float) -> Wait:
    return lambda probability: endpoint_ms


def by_model(threshold: float, shift_ms: float = 0) -> Wait:
    turns = TurnDetection(threshold=threshold)

    def wait(probability: float) -> float:
        found = silence_ms(probability, turns)
        return found if found == turns.limit_ms else max(ASK_MS, found + shift_ms)

    return wait


def in_conversation(conversation: Conversation, pauses: Sequence[Pause], wait: Wait) -> list[int]:
    """Return counts: pauses inside turns, those that end one; changes of speaker, those in time."""
    counts = [0, 0, 0, 0]
    for pause in pauses:
        if pause.length_ms is None:
            continue
        before = [turn for turn in conversation.turns if turn.start_sample < pause.at_sample]
        after = [turn for turn in conversation.turns if turn.start_sample >= pause.at_sample]
        if not before or not after:
            continue
        is_over = all(t.end_sample < pause.at_sample + EDGE_SAMPLES for t in before)
        last = max(before, key=lambda turn: turn.end_sample)
        kind = 2 if is_over and after[0].speaker != last.speaker else 0
        counts[kind] += 1
        counts[kind + 1] += ends(pause, wait)
    return counts


def main() -> None:
    parser = command_line(__doc__, "turns")
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--half", choices=tuple(VOICES), default=REPORTED)
    arguments = parser.parse_args()
    judge = SmartTurn()
    voices = load_voices(arguments.corpus, arguments.half)
    clips = [clip for name in sorted(voices) for clip in voices[name]]
    turns = [found for clip in clips_of(clips) if (found := pauses_of(judge, clip.pcm))]
    talks = [converse(voices, 2, CONVERSATION_S, seed) for seed in range(CONVERSATIONS)]
    talk_pauses = [pauses_of(judge, talk.pcm) for talk in talks]
    rules = {name: plain(ms) for name, ms in PLAIN_NAMES.items()}
    rules |= {f"model, threshold {t:g}": by_model(t) for t in THRESHOLDS}
    figures = {name: judged(turns, wait) for name, wait in rules.items()}
    talked = {
        name: np.sum(
            [in_conversation(t, p, wait) for t, p in zip(talks, talk_pauses, strict=True)], axis=0
        ).tolist()
        for name, wait in rules.items()
    }
    print(f"{len(clips)} clips, {len(turns)} turns; {len(talks)} conversations")
    for name, row in figures.items():
        inside, cut, changes, timely = talked[name]
        print(
            f"{name:22} cut {row.cut:3} ({row.cut_share:4.1f} %), wait {row.wait_ms:4.0f} ms,"
            f" mean {row.mean_wait_ms:4.0f}; of pauses of 1.5 s {100 * row.cut_thinking:3.0f} %;"
            f" conversations: {cut}/{inside} cut, {timely}/{changes} changes in time"
        )
    model, usual = figures["model, threshold 0.5"], figures["plain, 500 ms"]
    targets = {
        "at most half of the sentences cut by 500 ms": model.cut <= usual.cut / 2,
        "no longer median wait than 500 ms": model.wait_ms <= usual.wait_ms,
    }
    show_targets(targets)
    curves = {
        "plain silence": [judged(turns, plain(ms)) for ms in PLAIN_MS],
        "turn detection": [judged(turns, by_model(0.5, shift)) for shift in SHIFTS_MS],
    }
    lines = Lines(
        "Sentences cut in percent, by the median wait in ms",
        {name: [(row.wait_ms, row.cut_share) for row in rows] for name, rows in curves.items()},
        "ms",
    )
    models = {name: row for name, row in figures.items() if name not in PLAIN_NAMES}
    bars = Bars(
        "Pauses of 1.5 s inside a sentence that end it, in percent",
        ("plain, up to 1 s", *models),
        {"pauses": [100.0, *(100 * row.cut_thinking for row in models.values())]},
    )
    results = {
        name: {
            "turns": row.turns,
            "cut": row.cut,
            "cut_percent": round(row.cut_share, 2),
            "median_wait_ms": round(row.wait_ms),
            "mean_wait_ms": round(row.mean_wait_ms),
            "cut_of_pauses_of_1500_ms_percent": round(100 * row.cut_thinking, 1),
            "conversations": dict(
                zip(
                    ("inside", "inside_cut", "changes", "changes_in_time"),
                    talked[name],
                    strict=True,
                )
            ),
        }
        for name, row in figures.items()
    }
    body = {"half": arguments.half, "rules": results, "targets": targets}
    publish(arguments.out, body, "Ends of turns", [lines, bars])


if __name__ == "__main__":
    main()
