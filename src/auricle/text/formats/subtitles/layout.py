"""Lay out sentences with times as readable subtitles: where cues and lines break.

The defaults are common in the industry: at most 2 lines of 42 characters, 1 to 7 s per cue, at most
21 characters per second. Cues break at the ends of sentences, otherwise at clauses, and at every
pause of 0.8 s; lines break in the same way. East Asian characters count as two columns and allow a
break everywhere except before a closing mark and after an opening one.

If there is too little time (fast speech, or a series of very short sentences), short sentences
share a cue, and a cue may stay while the next sentence begins; the next cue is then up to a second
late. No word is ever dropped.

``web/page/subtitle-layout.ts`` implements the same algorithm; ``testdata/subtitle_vectors.json``
tests both. All arithmetic is in integers, so that both produce the same result.
"""

import heapq
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, pairwise
from typing import TypeVar

from auricle.text.formats.base import MAX_CUE_MS, SubtitleLimits
from auricle.values.types import GiveWay, do_nothing

T = TypeVar("T")

PAUSE_MS = 800
"""Minimum pause that separates cues."""
MIN_CUE_MS = 1000
MAX_CHARACTERS_PER_SECOND = 21
MAX_DELAY_MS = 1000
"""Maximum delay of a cue after its first word."""
MAX_CHARACTER_MS = 400
"""Maximum duration of a spoken character; the rest of a longer word is silence."""
SHORTEST_CUE_MS = 1
"""Minimum length: WebVTT does not allow an empty cue, and players do not show it."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word with its leading space, or a whole sentence, with times in milliseconds.

    A cue has one ``speaker``; ``None`` if speakers are unknown.
    """

    start_ms: int
    end_ms: int
    text: str
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle; its text is not empty and has no blank lines."""

    start_ms: int
    end_ms: int
    text: str
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class _Unit:
    """An unbreakable unit: a word or an East Asian character, with or without a leading space."""

    start_ms: int
    end_ms: int
    text: str
    space: bool
    width: int
    speaker: str | None = None


# The cost of a break by its position. Only the relative values matter.
_AT_SENTENCE, _AT_CLAUSE, _AT_CONJUNCTION, _ELSEWHERE, _AT_BOUND_WORD = 0, 100, 250, 500, 300
_CUE_COST = 100
_INNER_SENTENCE_COST = 400
_SLACK_COST = 150
"""Cost of a completely empty cue or line; it makes cues and lines similar in length."""

_SPACE = re.compile(
    "[\t-\r \x1c-\x1f\x85\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000]+"
)
_SENTENCE_END = re.compile("[.!?…。！？]['\"”’»)\\]』」）]*$")
_CLAUSE_END = re.compile("[,;:–—，、；：]['\"”’»)\\]』」）]*$")
_SHORT = re.compile("^[A-Z][a-z]{0,2}[.]$")
"""Mr., Dr.: the sentence may continue."""
_INVISIBLE = frozenset("\u200b\u200c\u200d\u2060\ufeff")
_CLOSING = frozenset(
    "、。，．・：；？！ー」』）】〕》〉’”…,.!?:;)]}%°ぁぃぅぇぉっゃゅょァィゥェォッャュョ々ะาำๆฯະາຳ"
)
_OPENING = frozenset("「『（【〔《〈‘“([{¿¡$#เแโใไເແໂໃໄ")
_WIDE = (
    (0x1100, 0x115F),
    (0x2E80, 0x303E),
    (0x3041, 0xA4CF),
    (0xAC00, 0xD7A3),
    (0xF900, 0xFAFF),
    (0xFE30, 0xFE6F),
    (0xFF00, 0xFF60),
    (0xFFE0, 0xFFE6),
    (0x1F300, 0x1FAFF),
    (0x20000, 0x3FFFD),
)
_HANGUL = ((0x1100, 0x115F), (0xAC00, 0xD7A3))
"""Wide characters like Chinese, but written with spaces."""
_CONJUNCTIONS = (
    "and but or so because that which who when where while if than as although though unless until"
    " und oder aber denn weil dass wenn als ob während sondern"
    " et ou mais donc car que qui quand si comme y o pero porque cuando como"
)
CONJUNCTIONS = frozenset(_CONJUNCTIONS.split())
"""Words that start a new clause."""
_BOUND_WORDS_TEXT = (
    "a an the of to in on at by for with from my your his her its our their this these those"
    " i we he she they is are was were be very not no so and but or"
    " mr. mrs. ms. dr. st. prof."
    " der die das den dem des ein eine einen einem einer eines im zu zum zur von mit auf für nicht"
    " und oder"
    " le la les un une du de à au aux en dans pour par sur ce cette et ou"
    " el los las unos unas del al con por para su y o"
)
BOUND_WORDS = frozenset(_BOUND_WORDS_TEXT.split())
"""Words that belong to the next word; a line should not end with them."""


def lay_out(
    sentences: Iterable[Sequence[Spoken]],
    limits: SubtitleLimits,
    give_way: GiveWay = do_nothing,
) -> Iterator[Cue]:
    """Yield the cues for sentences in order of time; a sentence is its words or one item.

    Args:
        sentences: The sentences, in order of their first words.
        limits: Maximum size of a cue.
        give_way: Called for each word and cue.
    """
    runs = _runs(_units(sentences, limits.max_line_width, give_way))
    for run, following in _with_next(runs):
        next_ms = None if following is None else following[0].start_ms
        for units in _cut(run, next_ms, limits, give_way):
            give_way()
            text, first = _in_lines(units, limits.max_line_width), units[0]
            yield Cue(first.start_ms, units[-1].end_ms, text, first.speaker)


def settle(
    cues: Iterable[Cue], fixed: Iterable[Cue] = (), give_way: GiveWay = do_nothing
) -> Iterator[Cue]:
    """Extend cues to their reading time, without overlap.

    Args:
        cues: The result of :func:`lay_out`.
        fixed: Cues with fixed times: the lines for gaps.
        give_way: Called for each cue.
    """
    every = heapq.merge(
        ((cue, False) for cue in cues),
        ((cue, True) for cue in sorted(fixed, key=lambda cue: cue.start_ms)),
        key=lambda each: each[0].start_ms,
    )
    free_ms = 0
    for (cue, is_fixed), following in _with_next(every):
        give_way()
        start_ms = max(free_ms, cue.start_ms)
        end_ms = cue.end_ms
        if not is_fixed:
            end_ms = max(end_ms, start_ms + _needed_ms(text_width(cue.text)))
            end_ms = min(end_ms, start_ms + MAX_CUE_MS)
        if following is not None:
            next_cue, follows_fixed = following
            delay_ms = 0 if is_fixed or follows_fixed else MAX_DELAY_MS
            end_ms = min(end_ms, next_cue.start_ms + delay_ms)
        free_ms = max(end_ms, start_ms + SHORTEST_CUE_MS)
        yield replace(cue, start_ms=start_ms, end_ms=free_ms)


def _with_next(items: Iterable[T]) -> Iterator[tuple[T, T | None]]:
    """Yield each item with the one after it, ``None`` for the last."""
    for item, following in pairwise(chain(items, (None,))):
        assert item is not None, "only what follows the last one"
        yield item, following


def text_width(text: str) -> int:
    """Return the width of a text in Latin characters."""
    return sum(map(_character_width, text))


def _needed_ms(width: int) -> int:
    """Return the reading time of a text in milliseconds."""
    return min(MAX_CUE_MS, max(MIN_CUE_MS, -(-width * 1000 // MAX_CHARACTERS_PER_SECOND)))


def _units(
    sentences: Iterable[Sequence[Spoken]], max_width: int, give_way: GiveWay
) -> Iterator[_Unit]:
    """Yield the units of all sentences in order of time; none is wider than a line."""
    units: list[_Unit] = []
    for sentence in sentences:
        begins = True
        for word in sentence:
            give_way()
            parts = _SPACE.split(word.text)
            whole = max(1, sum(map(text_width, parts)))
            length_ms = min(word.end_ms - word.start_ms, whole * MAX_CHARACTER_MS)
            before = 0
            for number, part in enumerate(parts):
                for text in _atoms(part, max_width):
                    width = text_width(text)
                    start_ms, end_ms = (
                        word.start_ms + length_ms * at // whole for at in (before, before + width)
                    )
                    before += width
                    unit = _Unit(start_ms, end_ms, text, number > 0, width, word.speaker)
                    _append(units, unit, begins, max_width)
                    if len(units) > 1:
                        yield units.pop(0)
                    number, begins = 0, False
    yield from units


def _append(units: list[_Unit], unit: _Unit, begins: bool, max_width: int) -> None:
    """Append a unit; join it to the previous one if no line may break between them."""
    if not units:
        units.append(replace(unit, space=False))
        return
    last = units[-1]
    start_ms = max(unit.start_ms, last.start_ms)
    end_ms = max(unit.end_ms, start_ms)
    is_east_asian = _is_spaceless(last.text[-1]) and _is_spaceless(unit.text[0])
    space = (begins and not is_east_asian) or (unit.space and not begins)
    width = last.width + unit.width
    if begins or unit.space or width > max_width or _may_break(last.text[-1], unit.text[0]):
        units.append(replace(unit, start_ms=start_ms, end_ms=end_ms, space=space))
    else:
        end_ms = max(end_ms, last.end_ms)
        units[-1] = replace(last, end_ms=end_ms, text=last.text + unit.text, width=width)


def _atoms(part: str, max_width: int) -> list[str]:
    """Split a text without spaces at the positions where a line may break."""
    is_too_wide = text_width(part) > max_width
    atoms: list[str] = []
    for character in part:
        if not atoms or _is_atoms_end(atoms[-1], character, max_width, is_too_wide):
            atoms.append(character)
        else:
            atoms[-1] += character
    return atoms


def _is_atoms_end(atom: str, following: str, max_width: int, is_too_wide: bool) -> bool:
    width = _character_width(following)
    if not width:
        return False
    if text_width(atom) + width > max_width:
        return True
    if is_too_wide and not _holds_together(atom[-1], following):
        return True
    return _may_break(atom[-1], following)


def _may_break(before: str, after: str) -> bool:
    """Return whether a line may break between two characters without a space."""
    if _holds_together(before, after):
        return False
    return _is_spaceless(before) or _is_spaceless(after)


def _holds_together(before: str, after: str) -> bool:
    return before in _OPENING or after in _CLOSING or not _character_width(after)


def _runs(units: Iterable[_Unit]) -> Iterator[list[_Unit]]:
    """Yield the runs of one speaker's units without a pause."""
    run: list[_Unit] = []
    for unit in units:
        if run and (unit.speaker != run[-1].speaker or unit.start_ms - run[-1].end_ms >= PAUSE_MS):
            yield run
            run = []
        run.append(unit)
    if run:
        yield run


def _cut(
    run: Sequence[_Unit], next_ms: int | None, limits: SubtitleLimits, give_way: GiveWay
) -> list[list[_Unit]]:
    """Split a run without pauses into cues at minimum cost."""
    count = len(run)
    breaks = [0, *(_break_cost(a.text, b.text) for a, b in pairwise(run)), 0]
    capacity = limits.max_line_width * limits.max_lines
    costs: list[int | None] = [0, *[None] * count]
    came_from = [0] * (count + 1)
    for first in range(count):
        give_way()
        cost_before = costs[first]
        assert cost_before is not None  # one unit always makes a cue
        line, lines, width, inner = 0, 1, 0, 0
        for end in range(first + 1, count + 1):
            unit = run[end - 1]
            own = unit.width + (unit.space and end - 1 > first)
            width += own
            if line and line + own > limits.max_line_width:
                line, lines = unit.width, lines + 1
            else:
                line += own
            if end - 1 > first:
                if lines > limits.max_lines or unit.end_ms - run[first].start_ms > MAX_CUE_MS:
                    break
                inner += _INNER_SENTENCE_COST if breaks[end - 1] == _AT_SENTENCE else 0
            until_ms = run[end].start_ms if end < count else next_ms
            cost = cost_before + _CUE_COST + inner + breaks[end] + _slack_cost(width, capacity)
            if until_ms is not None:
                cost += max(0, _needed_ms(width) - (until_ms - run[first].start_ms))
            best = costs[end]
            if best is None or cost < best:
                costs[end], came_from[end] = cost, first
    return _taken(run, came_from)


def _in_lines(units: Sequence[_Unit], max_width: int) -> str:
    """Return the text of a cue in the minimum number of lines, broken at minimum cost."""
    count = len(units)
    breaks = [0, *(_break_cost(a.text, b.text) for a, b in pairwise(units)), 0]
    # Compare the number of lines first, then the cost of the breaks.
    costs: list[tuple[int, int] | None] = [(0, 0), *[None] * count]
    came_from = [0] * (count + 1)
    for first in range(count):
        before = costs[first]
        assert before is not None
        width = 0
        for end in range(first + 1, count + 1):
            unit = units[end - 1]
            width += unit.width + (unit.space and end - 1 > first)
            if width > max_width and end - 1 > first:
                break
            cost = (before[0] + 1, before[1] + breaks[end] + _slack_cost(width, max_width))
            best = costs[end]
            if best is None or cost < best:
                costs[end], came_from[end] = cost, first
    return "\n".join(map(_joined, _taken(units, came_from)))


def _taken(units: Sequence[_Unit], came_from: Sequence[int]) -> list[list[_Unit]]:
    """Return the parts of the cheapest split, traced back from its end."""
    stretches: list[list[_Unit]] = []
    end = len(units)
    while end:
        stretches.append(list(units[came_from[end] : end]))
        end = came_from[end]
    return stretches[::-1]


def _joined(units: Sequence[_Unit]) -> str:
    first, *others = units
    return first.text + "".join(" " * unit.space + unit.text for unit in others)


def _break_cost(before: str, after: str) -> int:
    """Return the cost of a line or cue break between two units."""
    is_bound = before.lower() in BOUND_WORDS
    if not is_bound and _SENTENCE_END.search(before):
        return _AT_CLAUSE if _SHORT.search(before) else _AT_SENTENCE
    if _CLAUSE_END.search(before):
        return _AT_CLAUSE
    cost = _AT_CONJUNCTION if after.lower() in CONJUNCTIONS else _ELSEWHERE
    return cost + (_AT_BOUND_WORD if is_bound else 0)


def _slack_cost(width: int, capacity: int) -> int:
    slack = max(0, capacity - width)
    return slack * slack * _SLACK_COST // (capacity * capacity)


@lru_cache(maxsize=4096)
def _character_width(character: str) -> int:
    if _is_within(character, _WIDE):
        return 2
    is_mark = unicodedata.category(character) in ("Mn", "Me")
    return 0 if is_mark or character in _INVISIBLE else 1


@lru_cache(maxsize=4096)
def _is_spaceless(character: str) -> bool:
    """Return whether a character belongs to a script that is written without spaces."""
    return _is_within(character, _WIDE) and not _is_within(character, _HANGUL)


def _is_within(character: str, ranges: Sequence[tuple[int, int]]) -> bool:
    code = ord(character)
    return code >= ranges[0][0] and any(first <= code <= last for first, last in ranges)
