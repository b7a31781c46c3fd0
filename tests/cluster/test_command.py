"""``auricle cluster up``: errors at startup; tests/cluster covers real Ray."""

import socket
import sys

import pytest

from tests.cli.conftest import Run, auricle

__all__ = ["auricle"]

pytestmark = pytest.mark.unit


def test_without_ray_it_says_how_to_get_it(auricle: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "auricle.cluster.ray.up", raising=False)
    monkeypatch.delitem(sys.modules, "auricle.cluster.ray.app", raising=False)
    result = auricle("cluster", "up")
    assert result.exit_code == 2
    assert "pip install 'ray[serve]==" in result.stderr


def test_other_machines_need_a_key(auricle: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    result = auricle("cluster", "up", "--host", "0.0.0.0")
    assert result.exit_code == 2
    assert "AURICLE_ENGINE_KEY" in result.stderr
    monkeypatch.setenv("AURICLE_ENGINE_KEY", "k")
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "AURICLE_ENGINE_KEY" not in auricle("cluster", "up", "--host", "0.0.0.0").stderr


def test_a_port_in_use_is_reported_before_anything_starts(auricle: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = auricle("cluster", "up", "--port", str(port))
    assert result.exit_code == 2
    assert str(port) in result.stderr
    assert "--port" in result.stderr


def test_settings_that_can_not_be_used_are_reported(auricle: Run) -> None:
    result = auricle("cluster", "up", "--replicas", "0")
    assert result.exit_code == 2
    assert "--replicas" in result.stderr
