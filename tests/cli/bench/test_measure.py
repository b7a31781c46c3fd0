"""What can be measured, and what is measured."""

import pytest

from auricle.cli.bench.measure import FULL, QUICK, check_settings
from auricle.config.settings import Settings
from auricle.errors import SetupError

pytestmark = pytest.mark.unit


def test_a_gateway_has_nothing_to_measure() -> None:
    with pytest.raises(SetupError, match="gateway"):
        check_settings(Settings.load({"engine_urls": "http://recogniser:6007"}))


def test_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", "/nowhere")
    with pytest.raises(SetupError, match="downloads nothing"):
        check_settings(Settings.load({"model": "large-v3"}))


def test_one_number_of_streams_is_one_level() -> None:
    plan = FULL.only(20)
    assert (plan.levels, plan.levels_without, plan.streams) == (1, 1, 20)
    assert plan.level_s == FULL.level_s > QUICK.level_s
