"""Webhooks of the jobs: what their receiver got."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from tests.resilience.durable.jobs import SentJob
from tests.support.receiver import Receiver

SHOWN = 10
STATUSES = (503, 200, 200, 200)
"""What the receiver answers in turn."""


def answer_in_turn(receiver: Receiver, jobs: int) -> None:
    """Let a receiver refuse some of the requests for this number of jobs."""
    receiver.statuses = list(STATUSES) * jobs


def webhook_figures(jobs: Sequence[SentJob], bodies: Sequence[bytes]) -> dict[str, Any]:
    """Return the figures of all webhooks.

    Args:
        jobs: The jobs, after their results were fetched.
        bodies: The requests that the receiver got.
    """
    events = [json.loads(body) for body in bodies]
    ids: dict[str, set[str]] = defaultdict(set)
    for event in events:
        ids[event["data"]["job_id"]].add(event["event_id"])
    accepted = [job for job in jobs if job.accepted_at]
    delivered = [job for job in accepted if _state(job) == "delivered"]
    once = [job for job in accepted if len(ids[job.id]) == 1]
    other = [event for event in events if event["type"] != "job.done"]
    attempts = Counter(event["event_id"] for event in events)
    return {
        "requests": len(events),
        "events": len(attempts),
        "delivered": len(delivered),
        "not_one_event": len(accepted) - len(once),
        "other_types": len(other),
        "max_requests_per_event": max(attempts.values(), default=0),
        "wrong": [
            f"{job.id}: webhook {job.body.get('webhook')}, events {sorted(ids[job.id])}"
            for job in accepted
            if job not in once or job not in delivered
        ][:SHOWN],
    }


def _state(job: SentJob) -> str:
    return str((job.body.get("webhook") or {}).get("state", ""))
