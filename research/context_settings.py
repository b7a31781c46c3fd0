"""The settings that ``research/context_sweep.py`` compares: arithmetic on decodings, no model.

A setting says which lead, encoder length and fallback a clip gets; its errors and CPU time are
then those of the decodings that it would have made.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

from auricle.engines.whisper.guard import (
    Attempt,
    GuardPolicy,
    Verdict,
    judge_second,
    judge_short,
)
from auricle.engines.whisper.window import FULL_FRAMES, TokenLimit, WindowPolicy
from bench.lib.charts import Bars
from bench.lib.scoring import Errors, total

CLASSES = (1000, 1200, 1400, 1600, 2000, 2500, FULL_FRAMES)
LEADS = (0, 30)
FLOORS = (1000, 1200, 1600)
TAILS = (50, 100, 200, 300, 400)
MEAN_ONLY = GuardPolicy(brief_up_to_frames=0)
CHOSEN = "as chosen"
GUARDS: Mapping[str, GuardPolicy | None] = {
    "none": None,
    "mean -1": MEAN_ONLY,
    "mean -0.7": replace(MEAN_ONLY, short_min_logprob=-0.7),
    "whole -9": GuardPolicy(brief_min_logprob=-9),
    "whole -8": GuardPolicy(brief_min_logprob=-8),
    "whole -7": GuardPolicy(brief_min_logprob=-7),
    CHOSEN: GuardPolicy(),
}
LOOP_INSERTIONS = 10
GREY = "30 s, grey"
WHOLE = "30 s"


@dataclass(frozen=True, slots=True)
class Decoded:
    """One clip at one lead, encoder length and beam size."""

    clip: str
    kind: str
    seconds: float
    sound_frames: int
    is_clean: bool
    is_grey: bool
    lead_frames: int
    frames: int
    beam_size: int
    attempt: Attempt
    errors: Errors
    cpu_s: float

    @classmethod
    def parse(cls, line: str) -> "Decoded":
        """Read a line of the file."""
        fields = json.loads(line)
        fields["attempt"]["tokens"] = tuple(fields["attempt"]["tokens"])
        attempt, errors = Attempt(**fields.pop("attempt")), Errors(**fields.pop("errors"))
        return cls(**fields, attempt=attempt, errors=errors)


@dataclass(frozen=True, slots=True)
class Row:
    """A clip at one beam size: by lead and length."""

    any: Decoded
    grey: Decoded
    at: Mapping[tuple[int, int], Decoded]


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to choose lead and encoder length, and when to try the full window."""

    name: str
    policy: WindowPolicy | None
    """``None`` is faster-whisper's own window."""
    guard: GuardPolicy | None = None


def rows_of(decodings: Sequence[Decoded]) -> list[Row]:
    grouped: dict[tuple[str, int], list[Decoded]] = defaultdict(list)
    for decoded in decodings:
        grouped[decoded.clip, decoded.beam_size].append(decoded)
    return [
        Row(
            group[0],
            next(decoded for decoded in group if decoded.is_grey),
            {(d.lead_frames, d.frames): d for d in group if not d.is_grey},
        )
        for group in grouped.values()
    ]


def simulate(row: Row, setting: Setting) -> tuple[Errors, float, bool]:
    """Return a clip's errors and CPU time under one setting, and whether it fell back."""
    policy = setting.policy
    if policy is None:
        return row.grey.errors, row.grey.cpu_s, False
    clip = row.any
    takes_lead = clip.is_clean and clip.sound_frames <= policy.lead_up_to_frames
    lead = policy.lead_frames if takes_lead else 0
    content_frames = clip.sound_frames + lead
    short = row.at[lead, policy.frames_for(content_frames)]
    if setting.guard is None or short.frames == FULL_FRAMES:
        return short.errors, short.cpu_s, False
    verdict = judge_short(short.attempt, content_frames, TokenLimit(), setting.guard)
    if verdict is Verdict.ACCEPT:
        return short.errors, short.cpu_s, False
    longer = row.at.get((lead, policy.frames_for(short.frames)))
    if verdict is Verdict.UNSURE and longer is not None:
        verdict = judge_short(longer.attempt, content_frames, TokenLimit(), setting.guard)
        kept, verdict = judge_second(short.attempt, longer.attempt, verdict)
        if verdict is Verdict.ACCEPT:
            errors = longer.errors if kept is longer.attempt else short.errors
            return errors, short.cpu_s + longer.cpu_s, False
    full = row.at[lead, FULL_FRAMES]
    return full.errors, short.cpu_s + full.cpu_s, True


def setting(floor: int, tail: int, lead: int, guard: str) -> Setting:
    classes = tuple(frames for frames in CLASSES if frames >= floor)
    policy = WindowPolicy(classes, lead_frames=lead, tail_frames=tail)
    name = f"floor {floor}, tail {tail}, lead {lead}, guard {guard}"
    return Setting(name, policy, GUARDS[guard])


def settings() -> Iterator[Setting]:
    yield Setting(GREY, None)
    for lead in LEADS:
        yield Setting(f"{WHOLE}, lead {lead}", WindowPolicy((FULL_FRAMES,), lead_frames=lead))
    for lead, floor, tail, guard in product(LEADS, FLOORS, TAILS, GUARDS):
        yield setting(floor, tail, lead, guard)


def summary(rows: Sequence[Row], setting: Setting) -> dict[str, Any]:
    outcomes = [simulate(row, setting) for row in rows]
    errors = total([outcome[0] for outcome in outcomes])
    return {
        "percent": round(errors.percent, 2),
        "errors": asdict(errors),
        "loops": sum(outcome[0].insertions >= LOOP_INSERTIONS for outcome in outcomes),
        "cpu_s": round(sum(outcome[1] for outcome in outcomes), 2),
        "fallbacks": sum(outcome[2] for outcome in outcomes),
        "clips": len(rows),
        "audio_s": round(sum(row.any.seconds for row in rows), 1),
    }


def report(decodings: Sequence[Decoded], show: Callable[[str], None]) -> dict[str, Any]:
    """Show all settings by beam size and kind; return those that are near the engine's."""
    rows = rows_of(decodings)
    table: dict[str, Any] = {}
    for beam_size in sorted({row.any.beam_size for row in rows}):
        of_beam = [row for row in rows if row.any.beam_size == beam_size]
        kinds = list(dict.fromkeys(row.any.kind for row in of_beam))
        show(f"\nbeam {beam_size:<43}" + "".join(f"{kind:>23}" for kind in kinds))
        for setting in settings():
            of_kinds = {
                kind: summary([row for row in of_beam if row.any.kind == kind], setting)
                for kind in kinds
            }
            table.setdefault(f"beam {beam_size}", {})[setting.name] = of_kinds
            cells = (
                f"{of['percent']:7}% {of['cpu_s']:6}s f{of['fallbacks']:<3}l{of['loops']:<1}"
                for of in of_kinds.values()
            )
            show(f"{setting.name:46}" + "".join(f"{cell:>23}" for cell in cells))
    near = {name for column in _columns().values() for name in column.values()}
    return {
        "settings": {
            beam: {name: of_kinds for name, of_kinds in of_beam.items() if name in near}
            for beam, of_beam in table.items()
        }
    }


GROUPS: Mapping[str, Callable[[str], bool]] = {
    "read": lambda kind: kind == "read",
    "spelled": lambda kind: kind == "an4",
    "synthetic": lambda kind: kind == "spoken",
    "sentences in noise": lambda kind: "@" in kind and not kind.startswith("an4"),
    "spelled in noise": lambda kind: "@" in kind and kind.startswith("an4"),
}


def pictures(result: Mapping[str, Any]) -> list[Bars]:
    """Return charts of errors and CPU time against floor, tail, lead and guard."""
    charts = []
    for beam, table in result["settings"].items():
        for what, names in _columns().items():
            if what == "lead":  # two bars; they are in the JSON
                continue
            column = {label: table[name] for label, name in names.items()}
            charts.append(_bars(f"{beam}: errors in percent by {what}", column, _percent))
            charts.append(_bars(f"{beam}: CPU s for a s of sound by {what}", column, _cpu_share))
    return charts


def _columns() -> dict[str, dict[str, str]]:
    """Return the settings that differ from the engine's in one thing: labels and names."""
    whole = {GREY: GREY, WHOLE: f"{WHOLE}, lead 0"}
    return {
        "floor": whole | {f"floor {floor}": _chosen(floor=floor) for floor in FLOORS},
        "tail": {f"tail {tail}": _chosen(tail=tail) for tail in TAILS},
        "lead": {f"lead {lead}": _chosen(lead=lead) for lead in LEADS},
        "guard": {f"guard {guard}": _chosen(guard=guard) for guard in GUARDS},
    }


def _chosen(
    floor: int = WindowPolicy().classes[0],
    tail: int = WindowPolicy().tail_frames,
    lead: int = WindowPolicy().lead_frames,
    guard: str = CHOSEN,
) -> str:
    """Return the name of the setting that the engine has, but for one thing."""
    return setting(floor, tail, lead, guard).name


def _bars(title: str, column: Mapping[str, Any], value: Callable[[list[Any]], float]) -> Bars:
    series = {
        group: [
            value([of for kind, of in kinds.items() if belongs(kind)]) for kinds in column.values()
        ]
        for group, belongs in GROUPS.items()
    }
    return Bars(title, tuple(column), series)


def _percent(figures: list[Any]) -> float:
    return total([Errors(**of["errors"]) for of in figures]).percent


def _cpu_share(figures: list[Any]) -> float:
    return float(sum(of["cpu_s"] for of in figures) / sum(of["audio_s"] for of in figures))
