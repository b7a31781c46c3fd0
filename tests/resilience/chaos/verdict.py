"""Figures from the results and the watcher's samples, and the conditions that must hold."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.lib.scoring import Errors, errors, total, word_errors
from tests.resilience.chaos.load import KINDS, Outcome
from tests.resilience.chaos.resources import Count

LIVEZ_LIMIT_MS = 200.0
SLOW_SAMPLE_AFTER_S = 2.0
"""A fault this long before a slow response may be its cause."""
MAX_GROWTH_MB = 40.0

Expected = Mapping[tuple[str, str], Outcome]


def by_kind(outcomes: Sequence[Outcome], expected: Expected) -> dict[str, dict[str, Any]]:
    """Return the results of each kind of client."""
    figures = {}
    for kind in KINDS:
        own = [outcome for outcome in outcomes if outcome.kind == kind]
        done = [outcome for outcome in own if outcome.end == "done"]
        late_s = [outcome.took_s - _usual_s(outcome, expected) for outcome in done] or [0.0]
        figures[kind] = {
            "accepted": len(own),
            "done": len(done),
            "disconnected": sum(outcome.end == "disconnected" for outcome in own),
            "broken": sum(outcome.end == "broken" for outcome in own),
            "other_text": sum(is_other(outcome, expected) for outcome in done),
            "later_than_calm_s": {
                "p50": round(float(np.percentile(late_s, 50)), 2),
                "p95": round(float(np.percentile(late_s, 95)), 2),
                "max": round(float(max(late_s)), 2),
            },
        }
    return figures


def _usual_s(outcome: Outcome, expected: Expected) -> float:
    return expected[outcome.kind, outcome.recording.name].took_s


def is_other(outcome: Outcome, expected: Expected) -> bool:
    """Whether the text has other words than without faults.

    Case is not compared: a session after a restart does not know whether a sentence continues.
    """
    calm = expected[outcome.kind, outcome.recording.name].text
    return outcome.text.casefold().split() != calm.casefold().split()


def word_figures(outcomes: Sequence[Outcome], expected: Expected) -> dict[str, Any]:
    """Compare the words with those without faults, and with the reference."""
    done = [outcome for outcome in outcomes if outcome.end == "done"]
    changed = total([_compared(expected[o.kind, o.recording.name].text, o.text) for o in done])
    calm = [expected[kind, name] for kind, name in expected]
    return {
        "words": changed.reference,
        "missing": changed.deletions,
        "doubled_or_invented": changed.insertions,
        "other": changed.substitutions,
        "percent_of_calm_words": round(changed.percent, 3),
        "wrong_percent_calm": _percent([_errors(o) for o in calm]),
        "wrong_percent_under_faults": _percent([_errors(o) for o in done]),
    }


@cache
def _compared(calm: str, text: str) -> Errors:
    return errors(calm.split(), text.split())


@cache
def _against(reference: str, text: str) -> Errors:
    return word_errors(reference, text)


def _errors(outcome: Outcome) -> Errors:
    return _against(outcome.recording.text, outcome.text)


def _percent(found: list[Errors]) -> float:
    return round(total(found).percent, 2)


def differences(outcomes: Sequence[Outcome], expected: Expected, most: int = 20) -> list[str]:
    """Describe wrong results, for debugging."""
    lines = []
    for outcome in outcomes:
        name = f"{outcome.kind}, {outcome.recording.name}"
        if outcome.end == "broken":
            lines.append(f"{name}: {outcome.why}")
        elif outcome.end == "done" and is_other(outcome, expected):
            calm = expected[outcome.kind, outcome.recording.name].text
            lines.append(f"{name}: {outcome.text!r} instead of {calm!r}")
    return lines[:most]


def watched(path: Path, begin: float, applied: Sequence[tuple[float, str, str]]) -> dict[str, Any]:
    """Return the watcher's figures since a time, and ``/livez`` before it.

    Args:
        path: Its samples.
        begin: Start of the faults.
        applied: Time, class and description of each fault.
    """
    seen = [json.loads(line) for line in path.read_text().splitlines()]
    samples = [sample for sample in seen if sample["at"] >= begin]
    before = [sample for sample in seen if sample["at"] < begin]
    counts = [sample for sample in samples if "children" in sample]
    return {
        "samples": len(samples),
        "livez_ms": _delays_ms(samples),
        "livez_flat_out_ms": _delays_ms(before),
        "livez_less_watchers_wait_ms": _delays_ms(samples, "own_wait_ms"),
        "livez_less_all_waits_ms": _delays_ms(samples, "own_wait_ms", "server_wait_ms"),
        "slow_samples": [
            _slow(sample, begin, applied)
            for sample in samples
            if (sample["livez_ms"] or 0.0) >= LIVEZ_LIMIT_MS
        ],
        "livez_unanswered": sum(sample["livez_ms"] is None for sample in samples),
        "watcher_late_ms": max(sample["late_ms"] for sample in samples),
        "server_mb": [sample["mb"] for sample in counts],
        "max_descriptors": max(sample["descriptors"] for sample in counts),
        "max_tasks": max(sample["tasks"] or 0 for sample in counts),
        "max_processes": max(len(sample["children"]) for sample in counts),
        "pids": sorted({pid for sample in seen for pid in sample.get("children", ())}),
    }


def _slow(
    sample: dict[str, Any], begin: float, applied: Sequence[tuple[float, str, str]]
) -> dict[str, Any]:
    ended_at = sample["at"] + sample["livez_ms"] / 1000
    before = [name for at, name, _ in applied if 0 <= ended_at - at <= SLOW_SAMPLE_AFTER_S]
    at_s = round(sample["at"] - begin, 1)
    return {"at_s": at_s, "livez_ms": sample["livez_ms"], "faults_before": before}


def _delays_ms(samples: Sequence[dict[str, Any]], *waits: str) -> dict[str, float] | None:
    """Return percentiles of the time of ``/livez``, less these waits for a core."""
    answers = [
        max(0.0, sample["livez_ms"] - sum(sample.get(wait, 0.0) for wait in waits))
        for sample in samples
        if sample["livez_ms"] is not None
    ]
    if not answers:
        return None
    shares = {"p50": 50, "p99": 99, "p99_9": 99.9, "max": 100}
    return {name: round(float(np.percentile(answers, q)), 1) for name, q in shares.items()}


def log_figures(lines: Sequence[str], expected: Expected) -> dict[str, Any]:
    """Return figures of the server's log, and whether it contains transcripts."""
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
    secrets = [word for word in words if len(word) > 8 and word.isdigit()]
    text = "\n".join(lines)
    return {
        "lines": len(lines),
        "unexpected_errors": events["unexpected_error"],
        "tracebacks": text.count("Traceback (most recent call last)"),
        "codes": dict(codes),
        "transcripts_in_log": sum(word in text for word in secrets),
    }


def verdicts(
    results: dict[str, Any], left_processes: list[int], *, is_scripted: bool, is_brief: bool
) -> dict[str, bool]:
    """Return the conditions, and whether they hold."""
    clients, samples, log = results["clients"].values(), results["watched"], results["log"]
    broken = sum(one["broken"] for one in clients)
    other = sum(one["other_text"] for one in clients)
    ended = all(
        one["accepted"] == one["done"] + one["disconnected"] + one["broken"] for one in clients
    )
    held = {
        "every accepted request ended once, without an error": ended and not broken,
        "no audio was quarantined": not results["jobs"]["poison"],
        "the server process survived": results["is_running"],
        "no process, descriptor or task is left": Count(**results["after"]).is_back_to(
            Count(**results["before"])
        ),
        "no process outlived the server": not left_processes,
        "no reservation, session, upload or job is left": not results["left_over"]
        and not results["spooled"],
        "the log has no unexpected error": not log["unexpected_errors"],
        "the log has no transcript": not log["transcripts_in_log"],
    }
    if is_scripted:
        held["every word arrived once, in order"] = not other
    else:
        held["every word arrived once"] = not (
            results["words"]["missing"] or results["words"]["doubled_or_invented"]
        )
    if not is_brief:
        memory = samples["server_mb"]
        settled, last = memory[len(memory) // 4], memory[-1]
        limit_ms, max_mb = LIVEZ_LIMIT_MS, MAX_GROWTH_MB
        held[f"/livez answered within {limit_ms:g} ms"] = samples["livez_ms"]["max"] < limit_ms
        held["/livez always answered"] = not samples["livez_unanswered"]
        held[f"the server grew by less than {max_mb:g} MB"] = last - settled < max_mb
    return held
