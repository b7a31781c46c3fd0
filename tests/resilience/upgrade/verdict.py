"""The conditions that must hold after an upgrade and the way back."""

from collections.abc import Mapping
from typing import Any

NEWER = "schema version"
"""What the message of a refused start names."""
SETUP_ERROR = 2
"""Exit status of a command that cannot begin."""


def conditions(results: Mapping[str, Any]) -> dict[str, bool]:
    """Return the conditions, and whether they hold."""
    jobs, live, webhooks = (results[name] for name in ("jobs", "live", "webhooks"))
    restored = results["restored"]
    broken = ("other_words", "not_once_and_in_order", "with_errors", "dropped_samples")
    stopped = results["at_the_stop"]["jobs"]
    return {
        "jobs were unfinished at the stop": bool(stopped.get("queued") or stopped.get("running")),
        "every job was accepted": jobs["accepted"] == jobs["sent"],
        "every accepted job is done": jobs["done"] == jobs["accepted"],
        "every job has the text of a run without interruptions": not jobs["other_text"]
        and not jobs["with_gaps"],
        "no accepted job was ever missing": not results["jobs_lost"],
        "no job changed after its end": not results["jobs_changed"],
        "every webhook was delivered, with one event id": webhooks["delivered"] == jobs["accepted"]
        and not webhooks["not_one_event"]
        and not webhooks["other_types"],
        "live streams were interrupted and resumed": live["reconnects"] > 0,
        "every word of the live streams arrived once": not any(live[name] for name in broken)
        and not results["live_failures"],
        "a reader got every final once": results["reader"]["as_the_speaker"],
        "every final that a client received is kept": not results["kept"]["missing"],
        "all that could be read from the old version is unchanged": not (
            results["documents"]["other"] or results["documents_in_the_end"]["other"]
        ),
        "no table has fewer rows of ended work": not _lost_rows(results),
        "the old version continues, or refuses clearly and changes nothing": all(
            map(is_clear, results["back"]["starts"])
        ),
        "with the backup, the old version has all that it had": not (
            restored["documents"]["other"] or restored["jobs"]["missing"]
        ),
        "with the backup, clients that repeat their requests get every result": not restored[
            "jobs"
        ]["wrong"],
        "the log has no unexpected error": not results["log"]["unexpected_error"],
    }


def is_clear(start: Mapping[str, Any]) -> bool:
    """Return whether a version that was started on newer data continued, or refused in order.

    Where another server was running, it is not known what the refused start changed.
    """
    if not start["refused"]:
        return True
    is_named = any(NEWER in line for line in start["said"])
    return is_named and start["status"] == SETUP_ERROR and not start["changed"]


def _lost_rows(results: Mapping[str, Any]) -> list[str]:
    """Return tables of finished work that have fewer rows than before; feeds and chunks end."""
    before, after = results["at_the_stop"]["rows"], results["rows_after_the_start"]
    lasting = ("jobs", "transcripts", "segments", "deliveries", "vocabularies", "known_voices")
    return [name for name in lasting if after.get(name, 0) < before.get(name, 0)]


def show(results: Mapping[str, Any], held: Mapping[str, bool]) -> None:
    """Print the figures and the conditions."""
    for name, figures in results.items():
        print(f"  {name}: {figures}")
    for name, is_held in held.items():
        print(f"{name}: {'yes' if is_held else 'NO'}")
