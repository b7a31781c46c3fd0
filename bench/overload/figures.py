"""Figures of an overload, and whether they reach the targets."""

from collections.abc import Mapping, Sequence
from typing import Any

from auricle.values.errors import ServerFull
from bench.lib.cpu import CpuShare
from bench.lib.posting import Outcome, percentiles_ms, statuses
from bench.overload.flood import Flood
from bench.overload.work import Work, other_texts

MIN_OVERLOAD = 2
TARGET_REFUSAL_P99_MS = 100.0
TARGET_GOODPUT_SHARE = 0.95
TARGET_FINAL_P95_MS = 3000.0
TARGET_MODEST_SHARE = 0.99
TARGET_LIVEZ_P99_MS = 250.0
MAX_EXTRA_DELAY = 5.0
"""Maximum delay of the modest key, as a multiple of its delay alone."""


def goodput_audio_s_per_s(load: Flood, work: Work, key: str | None = None) -> float:
    """Return the seconds of audio done per second during overload."""
    begins_at, ends_at = load.began_at + work.settle_s, load.began_at + load.seconds
    if work.jobs_each and key is None:
        before, after = load.jobs_done
        return (after - before) / work.jobs_each * work.audio_s / (ends_at - begins_at)
    done = [
        outcome.audio_s
        for outcome in load.outcomes
        if outcome.is_done and begins_at <= outcome.ended_at < ends_at
        if key is None or outcome.key == key
    ]
    return sum(done) / (ends_at - begins_at)


def level_figures(
    load: Flood, work: Work, capacity: float, measured: CpuShare, level: float
) -> dict[str, Any]:
    """Return the figures of one level of load.

    Args:
        load: The results.
        work: The kind of work.
        capacity: Seconds of audio per second.
        measured: Use of the cores while the capacity was measured.
        level: Offered load in multiples of the capacity.
    """
    cpu = load.cpu or measured
    possible = cpu.possible(capacity, measured)
    refused = [outcome for outcome in load.outcomes if outcome.is_refused]
    done = [outcome for outcome in load.outcomes if outcome.is_done]
    good = goodput_audio_s_per_s(load, work)
    retries_s = [outcome.retry_after_s for outcome in refused if outcome.retry_after_s]
    answered = [probe for probe in load.probes if probe.status]
    return {
        "level": level,
        "seconds": load.seconds,
        "offered": load.offered,
        "unsent": load.unsent,
        "statuses": statuses(load.outcomes),
        "goodput_audio_s_per_s": round(good, 2),
        "goodput_share": round(good / capacity, 3),
        "possible_audio_s_per_s": round(possible, 2),
        "goodput_share_of_possible": round(good / possible, 3),
        "cpu": cpu.figures(),
        "refused_share": round(len(refused) / max(1, len(load.outcomes)), 3),
        "refusal_ms": percentiles_ms([outcome.took_s for outcome in refused]),
        "retry_after_s": [min(retries_s), max(retries_s)] if retries_s else None,
        "refused_without_retry_after": len(refused) - len(retries_s),
        "delay_ms": delays_ms(done),
        "other_texts": other_texts(done, work.expected),
        "patient": patient_figures(load),
        "livez_ms": percentiles_ms(load.livez_s),
        "generator_late_ms": percentiles_ms(load.lags_s),
        "headers_alone": statuses(load.probes),
        "headers_alone_ms": percentiles_ms([probe.took_s for probe in answered]),
    }


def delays_ms(done: Sequence[Outcome]) -> dict[str, float] | None:
    """Return the delays of responses, or of finals of live speech."""
    return percentiles_ms([delay_s for outcome in done for delay_s in outcome.delays_s])


def patient_figures(load: Flood) -> dict[str, Any] | None:
    """Return the results of clients that obeyed Retry-After."""
    if not load.patient:
        return None
    return {
        "clients": len(load.patient),
        "admitted": sum(one.last.is_done for one in load.patient),
        "tries": [one.tries for one in load.patient],
        "waited_s": [round(one.waited_s, 1) for one in load.patient],
    }


def key_figures(load: Flood, work: Work, key: str) -> dict[str, Any]:
    """Return the results of one key."""
    own = [outcome for outcome in load.outcomes if outcome.key == key]
    done = [outcome for outcome in own if outcome.is_done]
    return {
        "offered": len(own),
        "statuses": statuses(own),
        "answered_share": round(len(done) / max(1, len(own)), 4),
        "goodput_audio_s_per_s": round(goodput_audio_s_per_s(load, work, key), 2),
        "delay_ms": delays_ms(done),
        "other_texts": other_texts(done, work.expected),
    }


def level_targets(levels: Sequence[Mapping[str, Any]], *, is_live: bool) -> dict[str, bool]:
    """Return which targets one kind of work reaches, over all its levels.

    Args:
        levels: The figures of each.
        is_live: Whether it is live speech.
    """
    over = [level for level in levels if level["level"] >= MIN_OVERLOAD]
    patient = [level["patient"] for level in levels if level["patient"]]
    probed = [level["headers_alone"] for level in levels if level["headers_alone"]]
    found = {
        "every request is done or refused": all(
            set(level["statuses"]) <= _KNOWN for level in levels
        )
        and not any(level["unsent"] for level in levels),
        "every refusal has Retry-After": not any(
            level["refused_without_retry_after"] for level in levels
        ),
        f"refused within {TARGET_REFUSAL_P99_MS:g} ms (p99)": all(
            level["refusal_ms"] is None or level["refusal_ms"]["p99"] <= TARGET_REFUSAL_P99_MS
            for level in levels
        ),
        f"goodput at least {TARGET_GOODPUT_SHARE:.0%} of the possible one under overload": all(
            level["goodput_share_of_possible"] >= TARGET_GOODPUT_SHARE for level in over
        ),
        "the texts are those without load": not any(level["other_texts"] for level in levels),
        "clients that obey Retry-After are admitted": all(
            one["admitted"] == one["clients"] for one in patient
        ),
        f"finals within {TARGET_FINAL_P95_MS / 1000:g} s (p95)": all(
            level["delay_ms"] is None or level["delay_ms"]["p95"] <= TARGET_FINAL_P95_MS
            for level in (over if is_live else ())
        ),
        f"/livez within {TARGET_LIVEZ_P99_MS:g} ms (p99)": all(
            level["livez_ms"]["p99"] <= TARGET_LIVEZ_P99_MS for level in levels
        ),
    }
    if probed:
        found["refused before the body is read"] = all(set(one) == {"503"} for one in probed)
    return found


_KNOWN = {"200", "503 queue_full", "503 server_full", f"{ServerFull.close_code} server_full"}


def fairness_targets(shown: Mapping[str, Any]) -> dict[str, bool]:
    """Return whether a greedy key leaves a modest one unaffected."""
    alone, beside = shown["modest_alone"], shown["modest_beside_greedy"]
    return {
        f"the modest key is served at least {TARGET_MODEST_SHARE:.0%}": beside["answered_share"]
        >= TARGET_MODEST_SHARE,
        f"and waits at most {MAX_EXTRA_DELAY:g} times as long (p50)": bool(
            alone["delay_ms"]
            and beside["delay_ms"]
            and beside["delay_ms"]["p50"] <= MAX_EXTRA_DELAY * alone["delay_ms"]["p50"]
        ),
    }
