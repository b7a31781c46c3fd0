"""Give words and segments their speakers, and split segments where the speaker changes; no I/O.

Turns and words are timed to about a quarter of a second, so a change of speaker that is one word
away from the end of a sentence is moved there.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from auricle.values.types import Segment, Word
from auricle.workers.kinds.speakers.voices.turns import Turn

SENTENCE_ENDS = frozenset(".?!。？！…")


def assign_speakers(segments: Sequence[Segment], turns: Sequence[Turn]) -> tuple[Segment, ...]:
    """Return the segments with speakers; one with words of several speakers is split.

    A word belongs to the turn that covers most of it, or else to the nearest turn. A segment
    without words is not split: it belongs to the speaker who speaks most in it.

    Args:
        segments: Segments in order of time.
        turns: Turns in order of time, without overlaps.
    """
    if not turns:
        return tuple(segments)
    return tuple(part for segment in segments for part in _parts(segment, turns))


def _parts(segment: Segment, turns: Sequence[Turn]) -> Iterator[Segment]:
    if not segment.words:
        yield replace(segment, speaker=_main_speaker(segment, turns))
        return
    words = [_labelled(word, _turn_of(word, turns)) for word in segment.words]
    _move_changes(words)
    runs = [tuple(run) for _, run in groupby(words, key=lambda word: word.speaker)]
    if len(runs) == 1:
        yield replace(segment, words=runs[0], speaker=runs[0][0].speaker)
        return
    for run in runs:
        yield replace(
            segment,
            start_sample=run[0].start_sample if run is not runs[0] else segment.start_sample,
            end_sample=run[-1].end_sample if run is not runs[-1] else segment.end_sample,
            text="".join(word.text for word in run).strip(),
            words=run,
            speaker=run[0].speaker,
        )


def _main_speaker(segment: Segment, turns: Sequence[Turn]) -> int:
    first, last = _turns_near(segment, turns)
    samples: dict[int, int] = {}
    for turn in turns[first:last]:
        samples[turn.speaker] = samples.get(turn.speaker, 0) + max(0, _overlap(segment, turn))
    speaker = max(samples, key=samples.__getitem__)
    return speaker if samples[speaker] else _turn_of(segment, turns).speaker


def _labelled(word: Word, turn: Turn) -> Word:
    return replace(word, speaker=turn.speaker, speaker_confidence=turn.confidence)


def _overlap(part: Segment | Word, turn: Turn) -> int:
    """Return the common samples; negative: the distance between them."""
    return min(part.end_sample, turn.end_sample) - max(part.start_sample, turn.start_sample)


def _turn_of(part: Segment | Word, turns: Sequence[Turn]) -> Turn:
    first, last = _turns_near(part, turns)
    return max(turns[first:last], key=lambda turn: _overlap(part, turn))


def _turns_near(part: Segment | Word, turns: Sequence[Turn]) -> tuple[int, int]:
    """Return the range of the turns that overlap a part, and one on either side."""
    first = bisect_right(turns, part.start_sample, key=lambda turn: turn.end_sample)
    last = bisect_left(turns, part.end_sample, key=lambda turn: turn.start_sample)
    return max(0, first - 1), max(first, last) + 1


def _move_changes(words: list[Word]) -> None:
    """Move changes of speaker to the end of a sentence that is one word away."""
    for at in range(1, len(words)):
        before, after = words[at - 1], words[at]
        if before.speaker == after.speaker or _ends_sentence(before):
            continue
        is_alone = at + 1 < len(words) and words[at + 1].speaker != after.speaker
        if _ends_sentence(after) and not _begins_sentence(after) and not is_alone:
            words[at] = _with_speaker_of(after, before)
        elif at >= 2 and words[at - 2].speaker == before.speaker and _ends_sentence(words[at - 2]):
            words[at - 1] = _with_speaker_of(before, after)


def _with_speaker_of(word: Word, other: Word) -> Word:
    return replace(word, speaker=other.speaker, speaker_confidence=other.speaker_confidence)


def _ends_sentence(word: Word) -> bool:
    return word.text.rstrip()[-1:] in SENTENCE_ENDS


def _begins_sentence(word: Word) -> bool:
    return word.text.lstrip()[:1].isupper()
