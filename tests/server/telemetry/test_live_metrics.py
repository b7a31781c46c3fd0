import pytest
from prometheus_client import CollectorRegistry

from auricle.server.telemetry.live_metrics import NODE_BUCKETS_S, LiveMetrics
from auricle.values.events import Closed, Final

pytestmark = pytest.mark.unit


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> LiveMetrics:
    return LiveMetrics(registry)


def final(text: str, error: str | None = None, latency_ms: float = 300.0) -> Final:
    return Final(1, 1, text, 0, 16_000, "en", None, latency_ms, False, error)


def quantile_bounds(registry: CollectorRegistry, share: float) -> tuple[float, float]:
    """Return between which bounds this share of the packets' delays ends."""
    name, below = "auricle_live_node_delay_seconds", 0.0
    count = registry.get_sample_value(f"{name}_count")
    assert count
    for bound in NODE_BUCKETS_S:
        so_far = registry.get_sample_value(f"{name}_bucket", {"le": str(float(bound))})
        assert so_far is not None
        if so_far >= share * count:
            return below, bound
        below = bound
    raise AssertionError("slower than all buckets")


@pytest.mark.parametrize("slowest_s", [0.0004, 0.0019, 0.0029, 0.0041, 0.0049, 0.0051, 0.0079])
def test_what_the_node_adds_to_one_packet_in_a_hundred_can_be_read_to_the_millisecond(
    registry: CollectorRegistry, metrics: LiveMetrics, slowest_s: float
) -> None:
    for _ in range(980):
        metrics.observe_node_delay(0.0002)
    for _ in range(20):
        metrics.observe_node_delay(slowest_s)
    lower_s, upper_s = quantile_bounds(registry, 0.99)
    assert lower_s < slowest_s <= upper_s
    assert upper_s - lower_s <= 0.001


def test_finals_are_counted_by_what_they_hold(
    registry: CollectorRegistry, metrics: LiveMetrics
) -> None:
    for told in (final("so"), final(""), final("", "poison_job"), final("so", latency_ms=800)):
        metrics.count_final(told)
    counted = {
        outcome: registry.get_sample_value("auricle_live_finals_total", {"outcome": outcome})
        for outcome in ("text", "empty", "failed")
    }
    assert counted == {"text": 2, "empty": 1, "failed": 1}
    name = "auricle_live_final_delay_seconds"
    assert registry.get_sample_value(f"{name}_sum") == pytest.approx(1.7)
    assert metrics.take_final_delays() == (0.3, 0.3, 0.3, 0.8)
    assert metrics.take_final_delays() == ()


def test_packets_of_finished_sessions_are_counted_by_what_became_of_them(
    registry: CollectorRegistry, metrics: LiveMetrics
) -> None:
    for _ in range(2):
        metrics.count_closed(Closed("stop", 16_000, 50, 3, 2))
    counted = {
        outcome: registry.get_sample_value("auricle_live_packets_total", {"outcome": outcome})
        for outcome in ("received", "lost", "undecodable")
    }
    assert counted == {"received": 100, "lost": 6, "undecodable": 4}
