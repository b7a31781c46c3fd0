"""What a run has shown: figures from the outcomes and the watcher's looks, and what must hold."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.lib.scoring import Errors, errors, total, word_errors
from tests.resilience.chaos.load import KINDS, Outcome

LIVEZ_LIMIT_MS = 200.0
SLOW_LOOK_AFTER_S = 2.0
"""What went wrong so long before a slow answer may be why."""
MAX_GROWTH_MB = 40.0

Expected = Mapping[tuple[str, str], Outcome]


def by_kind(outcomes: Sequence[Outcome], expected: Expected) -> dict[str, dict[str, Any]]:
    """Return for each kind of client what became of what it asked."""
    figures = {}
    for kind in KINDS:
        own = [outcome for outcome in outcomes if outcome.kind == kind]
        done = [outcome for outcome in own if outcome.end == "done"]
        late_s = [outcome.took_s - _usual_s(outcome, expected) for outcome in done] or [0.0]
        figures[kind] = {
            "accepted": len(own),
            "done": len(done),
            "vanished": sum(outcome.end == "vanished" for outcome in own),
            "broken": sum(outcome.end == "broken" for outcome in own),
            "other_text": sum(is_other(outcome, expected) for outcome in done),
            "later_than_in_peace_s": {
                "p50": round(float(np.percentile(late_s, 50)), 2),
                "p95": round(float(np.percentile(late_s, 95)), 2),
                "max": round(float(max(late_s)), 2),
            },
        }
    return figures


def _usual_s(outcome: Outcome, expected: Expected) -> float:
    return expected[outcome.kind, outcome.said.name].took_s


def is_other(outcome: Outcome, expected: Expected) -> bool:
    """Whether the text has other words than in peace.

    Case is not compared: a session after a restart does not know whether a sentence goes on.
    """
    calm = expected[outcome.kind, outcome.said.name].text
    return outcome.text.casefold().split() != calm.casefold().split()


def word_figures(outcomes: Sequence[Outcome], expected: Expected) -> dict[str, Any]:
    """Return how the words differ from those in peace, and from what was said."""
    done = [outcome for outcome in outcomes if outcome.end == "done"]
    peace = total([_compared(expected[o.kind, o.said.name].text, o.text) for o in done])
    calm = [expected[kind, name] for kind, name in expected]
    return {
        "words": peace.reference,
        "missing": peace.deletions,
        "doubled_or_invented": peace.insertions,
        "other": peace.substitutions,
        "percent_of_what_came_in_peace": round(peace.percent, 3),
        "wrong_percent_in_peace": _percent([_heard(o) for o in calm]),
        "wrong_percent_under_faults": _percent([_heard(o) for o in done]),
    }


@cache
def _compared(calm: str, found: str) -> Errors:
    return errors(calm.split(), found.split())


@cache
def _against(said: str, heard: str) -> Errors:
    return word_errors(said, heard)


def _heard(outcome: Outcome) -> Errors:
    return _against(outcome.said.text, outcome.text)


def _percent(found: list[Errors]) -> float:
    return round(total(found).percent, 2)


def differences(outcomes: Sequence[Outcome], expected: Expected, most: int = 20) -> list[str]:
    """Return what was wrong, in words for whoever has to find the cause."""
    told = []
    for outcome in outcomes:
        name = f"{outcome.kind}, {outcome.said.name}"
        if outcome.end == "broken":
            told.append(f"{name}: {outcome.why}")
        elif outcome.end == "done" and is_other(outcome, expected):
            calm = expected[outcome.kind, outcome.said.name].text
            told.append(f"{name}: {outcome.text!r} in the place of {calm!r}")
    return told[:most]


def watched(
    path: Path, begin: float, inflicted: Sequence[tuple[float, str, str]]
) -> dict[str, Any]:
    """Return what the watcher saw from a time on, and how ``/livez`` had been before.

    Args:
        path: Its looks.
        begin: When the faults began.
        inflicted: When which fault was due.
    """
    seen = [json.loads(line) for line in path.read_text().splitlines()]
    looks = [look for look in seen if look["at"] >= begin]
    before = [look for look in seen if look["at"] < begin]
    counts = [look for look in looks if "children" in look]
    return {
        "looks": len(looks),
        "livez_ms": _delays_ms(looks),
        "livez_flat_out_ms": _delays_ms(before),
        "livez_less_watchers_wait_ms": _delays_ms(looks, "own_wait_ms"),
        "livez_less_all_waits_ms": _delays_ms(looks, "own_wait_ms", "server_wait_ms"),
        "slow_looks": [
            _slow(look, begin, inflicted)
            for look in looks
            if (look["livez_ms"] or 0.0) >= LIVEZ_LIMIT_MS
        ],
        "livez_unanswered": sum(look["livez_ms"] is None for look in looks),
        "watcher_late_ms": max(look["late_ms"] for look in looks),
        "server_mb": [look["mb"] for look in counts],
        "max_descriptors": max(look["descriptors"] for look in counts),
        "max_tasks": max(look["tasks"] or 0 for look in counts),
        "max_processes": max(len(look["children"]) for look in counts),
        "pids": sorted({pid for look in seen for pid in look.get("children", ())}),
    }


def _slow(
    look: dict[str, Any], begin: float, inflicted: Sequence[tuple[float, str, str]]
) -> dict[str, Any]:
    ended_at = look["at"] + look["livez_ms"] / 1000
    before = [name for at, name, _ in inflicted if 0 <= ended_at - at <= SLOW_LOOK_AFTER_S]
    at_s = round(look["at"] - begin, 1)
    return {"at_s": at_s, "livez_ms": look["livez_ms"], "faults_before": before}


def _delays_ms(looks: Sequence[dict[str, Any]], *waits: str) -> dict[str, float] | None:
    """Return how long ``/livez`` took, less these waits for a core."""
    answers = [
        max(0.0, look["livez_ms"] - sum(look.get(wait, 0.0) for wait in waits))
        for look in looks
        if look["livez_ms"] is not None
    ]
    if not answers:
        return None
    shares = {"p50": 50, "p99": 99, "p99_9": 99.9, "max": 100}
    return {name: round(float(np.percentile(answers, q)), 1) for name, q in shares.items()}


def log_figures(lines: Sequence[str], expected: Expected) -> dict[str, Any]:
    """Return what the server's log says of itself, and whether it says what was said."""
    events: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        events[entry.get("event", "")] += 1
        if entry.get("event") == "request" and entry.get("code"):
            codes[entry["code"]] += 1
    words = {word for outcome in expected.values() for word in outcome.text.split()}
    told = [word for word in words if len(word) > 8 and word.isdigit()]
    text = "\n".join(lines)
    return {
        "lines": len(lines),
        "unexpected_errors": events["unexpected_error"],
        "tracebacks": text.count("Traceback (most recent call last)"),
        "codes": dict(codes),
        "transcripts_in_log": sum(word in text for word in told),
    }


def verdicts(
    told: dict[str, Any], left_processes: list[int], *, is_scripted: bool, is_brief: bool
) -> dict[str, bool]:
    """Return what had to hold, and whether it did."""
    clients, looks, log = told["clients"].values(), told["watched"], told["log"]
    broken = sum(one["broken"] for one in clients)
    other = sum(one["other_text"] for one in clients)
    ended = all(one["accepted"] == one["done"] + one["vanished"] + one["broken"] for one in clients)
    held = {
        "each that was accepted ended once, and well": ended and not broken,
        "no innocent speech was convicted": not told["jobs"]["poison"],
        "the server is the process that it was": told["is_running"],
        "no process, descriptor or task is left": told["before"] == told["after"],
        "no process outlived the server": not left_processes,
        "no room, session, upload or job is left": not told["left_over"] and not told["spooled"],
        "its log tells no bug": not log["unexpected_errors"],
        "its log tells nothing that was said": not log["transcripts_in_log"],
    }
    if is_scripted:
        held["every word came once, in order"] = not other
    else:
        held["every word came once"] = not (
            told["words"]["missing"] or told["words"]["doubled_or_invented"]
        )
    if not is_brief:
        memory = looks["server_mb"]
        settled, last = memory[len(memory) // 4], memory[-1]
        limit_ms, max_mb = LIVEZ_LIMIT_MS, MAX_GROWTH_MB
        held[f"/livez answered within {limit_ms:g} ms"] = looks["livez_ms"]["max"] < limit_ms
        held["/livez always answered"] = not looks["livez_unanswered"]
        held[f"the server grew by less than {max_mb:g} MB"] = last - settled < max_mb
    return held
