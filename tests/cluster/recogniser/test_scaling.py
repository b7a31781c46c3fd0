"""How many recognisers there ought to be."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from auricle.cluster.recogniser.scaling import ONGOING_AUDIO, AudioLoadPolicy, ingresses_per_machine

pytestmark = pytest.mark.unit


@dataclass
class Observed:
    """What Serve knows."""

    aggregated_metrics: Mapping[str, Mapping[str, float]] | None
    target_num_replicas: int = 3


def replicas(*audio_s: float) -> float:
    reported = {f"replica-{n}": value for n, value in enumerate(audio_s)}
    return AudioLoadPolicy(30.0)(Observed({ONGOING_AUDIO: reported}))[0]


def test_there_is_one_replica_for_each_unit_of_waiting_audio() -> None:
    assert replicas(30.0, 60.0) == 3.0
    assert replicas(45.0) == 1.5  # Serve rounds up
    assert replicas(0.0, 0.0) == 0.0  # Serve keeps the least


@pytest.mark.parametrize("metrics", [None, {}, {"other": {"a": 5.0}}, {ONGOING_AUDIO: {}}])
def test_without_any_report_nothing_changes(
    metrics: Mapping[str, Mapping[str, float]] | None,
) -> None:
    assert AudioLoadPolicy(30.0)(Observed(metrics)) == (3, {})


@pytest.mark.parametrize(
    ("ingresses", "machines", "each"),
    [(2, 1, 2), (2, 2, 1), (2, 5, 1), (5, 2, 3), (1, 0, 1)],
)
def test_ingresses_are_spread_over_the_machines(ingresses: int, machines: int, each: int) -> None:
    assert ingresses_per_machine(ingresses, machines) == each
