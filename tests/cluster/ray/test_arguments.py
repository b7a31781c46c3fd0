"""Settings in a configuration file of Ray Serve."""

import pytest

from auricle.cluster.ray.arguments import settings_from
from auricle.cluster.settings import ClusterSettings
from auricle.values.errors import SetupError

pytestmark = pytest.mark.unit


def test_they_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_REPLICAS", "3")
    monkeypatch.setenv("AURICLE_MAX_REPLICAS", "6")
    cluster = settings_from({"replicas": "5", "replica_cpus": 1.5}).section(ClusterSettings)
    assert (cluster.replicas, cluster.max_replicas, cluster.replica_cpus) == (5, 6, 1.5)


def test_a_misspelled_one_is_reported() -> None:
    with pytest.raises(SetupError, match="Did you mean replicas"):
        settings_from({"replica": 4})
    with pytest.raises(SetupError, match="no setting 'nonsense'"):
        settings_from({"nonsense": 4})


def test_a_key_is_refused() -> None:
    with pytest.raises(SetupError, match="AURICLE_ENGINE_KEY") as caught:
        settings_from({"engine_key": "the-key"})
    assert "the-key" not in str(caught.value)


def test_one_that_can_not_be_used_is_reported() -> None:
    with pytest.raises(SetupError, match="replicas"):
        settings_from({"replicas": 0})
