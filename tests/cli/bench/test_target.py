"""Which model is measured, and what can't be."""

import pytest

from auricle.cli.bench.target import find_target
from auricle.config.settings import Settings
from auricle.values.errors import SetupError

pytestmark = pytest.mark.unit

SCRIPTED = "tests.support.scripted_engine"


def test_it_is_the_default_model_with_its_workers() -> None:
    settings = Settings.load({"engine": SCRIPTED, "workers": 3, "worker_threads": 1})
    target = find_target(settings)
    assert target.name == "scripted"
    assert target.placement.worker.workers == 3


def test_a_gateway_has_nothing_to_measure() -> None:
    with pytest.raises(SetupError, match="gateway"):
        find_target(Settings.load({"engine_urls": "http://recogniser:6007"}))


def test_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", "/nowhere")
    with pytest.raises(SetupError, match="downloads nothing"):
        find_target(Settings.load({"model": "large-v3"}))
