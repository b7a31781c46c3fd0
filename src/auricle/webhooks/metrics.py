"""Metrics of webhooks."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from auricle.webhooks.outbox import Delivery, DeliveryState

_OUTCOMES = {
    DeliveryState.DELIVERED: "delivered",
    DeliveryState.REFUSED: "refused",
    DeliveryState.PENDING: "retried",
    DeliveryState.FAILED: "failed",
}


class WebhookMetrics:
    """Attempts to send webhooks, and webhooks still to be sent.

    Args:
        registry: The registry of the server's metrics.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._attempts = Counter(
            "auricle_webhook_attempts",
            "Attempts to send a webhook, by outcome; failed: given up after a day.",
            ("outcome",),
            registry=registry,
        )
        for outcome in _OUTCOMES.values():
            self._attempts.labels(outcome)
        self.pending = Gauge(
            "auricle_webhooks_pending", "Webhooks that are still to be sent.", registry=registry
        )

    def count_attempt(self, delivery: Delivery) -> None:
        """Count an attempt by the delivery after it."""
        self._attempts.labels(_OUTCOMES[delivery.state]).inc()
