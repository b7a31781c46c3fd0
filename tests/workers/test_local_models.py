"""Without an optional part, there is one model."""

from pathlib import Path

import pytest

from auricle.config.sections.model import ModelSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.config.settings import Settings
from auricle.system import spec_modules
from auricle.workers.local_models import OneModel, find_local_models
from tests.support.pool import SCRIPTED

pytestmark = pytest.mark.unit


def test_a_part_without_its_setting_and_no_part_mean_one_model(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert isinstance(find_local_models(Settings()), OneModel)
    monkeypatch.setattr(spec_modules, "PACKAGE", tmp_path)
    assert isinstance(find_local_models(Settings()), OneModel)
    assert find_local_models(Settings()).describe(Settings()) == ("one", "")


def test_the_only_model_has_the_whole_machine() -> None:
    settings = Settings(model=ModelSettings(engine=SCRIPTED))
    local = find_local_models(settings)
    assert local.of_one_model(settings) is settings
    (plan,) = local.plan(WorkerSettings(workers=3), local.table(settings), cores=2)
    assert (plan.model.name, plan.worker, plan.cores) == ("scripted", WorkerSettings(workers=3), 2)
