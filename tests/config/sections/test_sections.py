"""Rules of the other sections."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from auricle.config.section import Section
from auricle.config.sections.ledger import LedgerSettings
from auricle.config.sections.live import LiveSettings
from auricle.config.sections.model import ModelSettings
from auricle.config.sections.worker import WorkerSettings

pytestmark = pytest.mark.unit


def test_lists_are_cut_at_commas() -> None:
    model = ModelSettings.model_validate({"model_aliases": "fast=tiny, small=base"})
    assert model.model_aliases == ("fast=tiny", "small=base")
    assert ModelSettings.model_validate({"model_aliases": ""}).model_aliases == ()
    worker = WorkerSettings.model_validate({"sandbox_folders": "/a,/b"})
    assert worker.sandbox_folders == (Path("/a"), Path("/b"))


def test_the_delay_of_finals_is_without_limit_or_at_least_a_second() -> None:
    assert LiveSettings(max_lag_s=0).max_lag_s == 0
    assert LiveSettings(max_lag_s=1).max_lag_s == 1
    with pytest.raises(ValidationError, match="use 0, or 1 to 60"):
        LiveSettings(max_lag_s=0.5)


def test_the_database_is_in_the_state_directory() -> None:
    assert LedgerSettings(state_dir=Path("/state")).directory == Path("/state")
    assert LedgerSettings(state_dir=None).directory.name == "auricle"


@pytest.mark.parametrize(
    ("section", "values"),
    [
        (WorkerSettings, {"workers": 257}),
        (ModelSettings, {"device": "tpu"}),
        (LedgerSettings, {"keep_audio_s": -1}),
        (LiveSettings, {"endpoint_ms": 1}),
    ],
)
def test_values_out_of_range_are_refused(section: type[Section], values: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(values))):
        section.model_validate(values)
