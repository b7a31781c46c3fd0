"""Metrics of webhooks."""

from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from auricle.ledger.events import Event
from auricle.webhooks.metrics import WebhookMetrics
from auricle.webhooks.outbox import Delivery, DeliveryState

pytestmark = pytest.mark.unit

DELIVERY = Delivery(Event("id", "job.done", "jobs/uid", "key"), "https://a.example", "a", 0.0, 0.0)


def test_attempts_are_counted_by_their_outcome_each_from_zero() -> None:
    registry = CollectorRegistry()
    metrics = WebhookMetrics(registry)

    def counted(outcome: str) -> float | None:
        return registry.get_sample_value("auricle_webhook_attempts_total", {"outcome": outcome})

    outcomes = ("delivered", "refused", "retried", "failed")
    assert [counted(each) for each in outcomes] == [0, 0, 0, 0]
    metrics.count_attempt(DELIVERY)
    metrics.count_attempt(replace(DELIVERY, state=DeliveryState.DELIVERED))
    assert [counted(each) for each in outcomes] == [1, 0, 1, 0]
