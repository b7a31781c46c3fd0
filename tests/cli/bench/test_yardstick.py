"""faster-whisper's speed on one core, or why there is none."""

import asyncio
from pathlib import Path

import pytest

from auricle.cli.bench.yardstick import Yardstick, measure_yardstick
from auricle.config.settings import Settings
from auricle.engines.whisper.models import fetch
from tests.support.model import CACHE_DIR, bundled_model


@pytest.mark.unit
def test_a_machine_without_the_model_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "bundled_available", lambda: False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    settings = Settings.load({"cache_dir": tmp_path})
    measured = asyncio.run(measure_yardstick(settings, 1))
    assert measured == Yardstick(0.0, "Whisper base is not on this machine")


@pytest.mark.model
def test_the_real_one_is_measured() -> None:
    bundled_model()
    settings = Settings.load({"cache_dir": CACHE_DIR})
    assert asyncio.run(measure_yardstick(settings, 1)).speed > 0
