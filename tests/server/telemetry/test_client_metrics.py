"""Usage of each client, with a bounded number of series."""

import pytest
from prometheus_client import generate_latest

from auricle.server.telemetry.client_metrics import (
    MAX_CLIENTS,
    OTHER,
    ClientMetrics,
    ClientUsage,
)
from auricle.values.types import ClientId

pytestmark = pytest.mark.unit


def value(metrics: ClientMetrics, name: str, client: str) -> float | None:
    return metrics.registry.get_sample_value(name, {"client": client})


def test_requests_audio_and_sessions_are_counted_by_client() -> None:
    metrics, client = ClientMetrics(), ClientId("anna")
    metrics.count_request(client)
    metrics.count_audio(client, 2.5)
    metrics.count_audio(client, 0.5)
    metrics.session_started(client)
    metrics.session_started(client)
    metrics.session_ended(client)
    assert value(metrics, "auricle_client_requests_total", "anna") == 1
    assert value(metrics, "auricle_client_audio_seconds_total", "anna") == 3
    assert value(metrics, "auricle_client_live_sessions", "anna") == 1


def test_the_usage_lists_the_client_with_the_most_audio_first() -> None:
    metrics = ClientMetrics()
    assert metrics.usage() == []
    metrics.count_request(ClientId("bert"))
    metrics.count_audio(ClientId("anna"), 2.5)
    metrics.session_started(ClientId("bert"))
    assert metrics.usage() == [ClientUsage("anna", 0, 2.5, 0), ClientUsage("bert", 1, 0.0, 1)]


def test_names_beyond_the_limit_share_one_series() -> None:
    metrics = ClientMetrics()
    for number in range(MAX_CLIENTS + 5):
        metrics.count_request(ClientId(f"key{number}"))
    metrics.count_request(ClientId("key0"))
    assert value(metrics, "auricle_client_requests_total", OTHER) == 5
    assert value(metrics, "auricle_client_requests_total", "key0") == 2
    lines = generate_latest(metrics.registry).decode().splitlines()
    series = [line for line in lines if line.startswith("auricle_client_requests_total")]
    assert len(series) == MAX_CLIENTS + 1
