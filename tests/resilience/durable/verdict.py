"""Figures of a run, and the conditions that must hold."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bench.lib.charts import Bars, Chart, Lines
from bench.lib.posting import percentiles
from tests.resilience.durable.jobs import SentJob
from tests.resilience.durable.live import LiveTake
from tests.resilience.live_chaos import Take, is_in_order

SHOWN = 10
"""Maximum number of differences that are described."""
COUNTED_EVENTS = (
    "unexpected_error",
    "lease_lost",
    "job_not_stored",
    "chunk_not_stored",
    "jobs_not_leased",
    "finals_wait",
    "final_not_kept",
    "finals_not_kept",
)
"""Events of the server's log that tell what happened."""


def job_figures(jobs: Sequence[SentJob], texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the figures of all jobs.

    Args:
        jobs: The jobs, after their results were fetched.
        texts: The text of each recording without faults.
    """
    accepted = [job for job in jobs if job.accepted_at]
    done = [job for job in accepted if job.body.get("state") == "done"]
    others = [job for job in done if job.text != texts[job.recording.name]]
    gaps = [job for job in done if job.body["result"]["error"] is not None]
    ended = [job for job in accepted if job.finished_at]
    return {
        "sent": len(jobs),
        "accepted": len(accepted),
        "done": len(done),
        "other_text": len(others),
        "with_gaps": len(gaps),
        "audio_s": round(sum(job.recording.seconds for job in accepted), 1),
        "lengths_s": sorted({round(job.recording.seconds, 1) for job in jobs}),
        "requests": sum(job.requests for job in jobs),
        "refusals": dict(Counter(str(code) for job in jobs for code in job.refusals)),
        "accepted_after_s": percentiles([job.accepted_at - job.sent_at for job in accepted]),
        "done_after_s": percentiles([job.finished_at - job.accepted_at for job in ended], 1),
        "wrong": [
            f"{job.id} ({job.recording.name}): {job.body.get('state')} {job.body.get('error')}"
            for job in accepted
            if job not in done or job in others or job in gaps
        ][:SHOWN],
    }


def live_figures(takes: Sequence[LiveTake], calm: Mapping[int, Take]) -> dict[str, Any]:
    """Return the figures of all live streams; case is not compared, as in ``live_chaos``."""
    finals = [received for one in takes for received in one.take.finals]
    others = [one for one in takes if _words(one.take) != _words(calm[one.stream])]
    return {
        "takes": len(takes),
        "finals": len(finals),
        "words": sum(len(one.take.text.split()) for one in takes),
        "other_words": len(others),
        "not_once_and_in_order": sum(not is_in_order(one.take) for one in takes),
        "with_errors": sum(received.final.error is not None for received in finals),
        "dropped_samples": sum(one.take.dropped_samples for one in takes),
        "reconnects": sum(one.take.reconnects for one in takes),
        "delay_s": percentiles([received.delay_s for received in finals], 2),
        "delay_calm_s": percentiles(
            [received.delay_s for take in calm.values() for received in take.finals], 2
        ),
        "wrong": [
            f"stream {one.stream}: {one.take.text!r} instead of {calm[one.stream].text!r}"
            for one in others
        ][:SHOWN],
    }


def _words(take: Take) -> list[str]:
    return take.text.casefold().split()


def log_figures(lines: Sequence[str], texts: Sequence[str]) -> dict[str, Any]:
    """Count events of the server's log, and lines that contain a transcript."""
    events: Counter[str] = Counter()
    for line in lines:
        try:
            events[json.loads(line).get("event", "")] += 1
        except ValueError:
            continue
    whole = "\n".join(lines)
    return {name: events[name] for name in COUNTED_EVENTS} | {
        "tracebacks": whole.count("Traceback (most recent call last)"),
        "transcripts_in_log": sum(bool(text) and text in whole for text in texts),
    }


def conditions(results: dict[str, Any]) -> dict[str, bool]:
    """Return the conditions, and whether they hold."""
    jobs, live, kept, log = (results[name] for name in ("jobs", "live", "kept", "log"))
    webhooks = results["webhooks"]
    broken = ("other_words", "not_once_and_in_order", "with_errors", "dropped_samples")
    return {
        "every job was accepted": jobs["accepted"] == jobs["sent"],
        "every accepted job is done": jobs["done"] == jobs["accepted"],
        "every job has the text of a run without faults": not jobs["other_text"]
        and not jobs["with_gaps"],
        "no accepted job was ever missing": not results["jobs_lost"],
        "no job changed after its end": not results["jobs_changed"],
        "every job's webhook was delivered, with one event id": webhooks["delivered"]
        == jobs["accepted"]
        and not webhooks["not_one_event"]
        and not webhooks["other_types"],
        "every word of the live streams arrived once": not any(live[name] for name in broken)
        and not results["live_failures"],
        "every final that a client received is kept": not kept["missing"],
        "no audio of jobs is left, but what a sweep deletes": results["audio_left"]
        <= results["audio_left_limit"],
        "no gateway ended by itself": not results["ended_by_themselves"],
        "the log has no unexpected error": not log["unexpected_error"],
        "the log has no transcript": not log["transcripts_in_log"],
    }


def show(results: dict[str, Any]) -> None:
    """Print the figures."""
    print(f"\n{sum(results['kills'].values())} kills in {results['took_s']} s: {results['kills']}")
    for name in ("jobs", "webhooks", "live", "kept", "repeated_work", "log"):
        print(f"  {name}: { ({k: v for k, v in results[name].items() if k != 'wrong'}) }")
    wrong = [line for name in ("jobs", "webhooks", "live") for line in results[name]["wrong"]]
    for line in [*wrong, *results["live_failures"]]:
        print(f"  WRONG: {line[:2000]}")


def picture(results: dict[str, Any], jobs: Sequence[SentJob], began_at: float) -> list[Chart]:
    """Return the progress of the jobs, the kills and the delays."""
    delays = {
        "without faults": results["live"]["delay_calm_s"],
        "killed": results["live"]["delay_s"],
    }
    quantiles = ("p50", "p95", "max")
    kills = results["kills"]
    return [
        Lines(
            "Jobs over time",
            {
                "accepted": _steps([job.accepted_at for job in jobs], began_at),
                "done": _steps([job.finished_at for job in jobs], began_at),
            },
            "min",
        ),
        Bars("Processes killed (SIGKILL)", list(kills), {"kills": list(kills.values())}),
        Bars(
            "Delay of live finals, s",
            quantiles,
            {name: [values[q] for q in quantiles] for name, values in delays.items()},
        ),
    ]


def _steps(times: Sequence[float], began_at: float) -> list[tuple[float, float | None]]:
    """Return how many of some events have happened by the time of each of them, in minutes."""
    minutes = sorted((at - began_at) / 60 for at in times if at)
    return [(0.0, 0.0), *((at, float(count)) for count, at in enumerate(minutes, 1))]
