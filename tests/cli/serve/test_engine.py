"""What recognises on this machine; that of a gateway is in tests/cluster."""

import pytest

from auricle.cli.serve.engine import find_engine
from auricle.config.sections.model import ModelSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.config.settings import Settings
from auricle.engines.models import ModelTable
from auricle.workers.kinds.asr.model_pools import ModelPools
from auricle.workers.poison import CrashBudget
from tests.support.pool import SCRIPTED

pytestmark = pytest.mark.unit


async def test_workers_of_this_machine_recognise() -> None:
    models = ModelSettings.model_validate({"models": (f"large={SCRIPTED}", f"small={SCRIPTED}")})
    settings = Settings(model=models, worker=WorkerSettings(workers=3))
    engine = await find_engine(settings, ModelTable.of(models), None, CrashBudget(3, 60))
    assert isinstance(engine.transcriber, ModelPools)
    assert engine.summary == "loads scripted in 3 workers, and serves small"
    assert (engine.model, engine.machine.workers, engine.is_remote) == ("large", 3, False)
    models_in_log = engine.facts["models"]
    assert isinstance(models_in_log, list)
    assert [model["name"] for model in models_in_log] == ["large", "small"]
    await engine.transcriber.aclose()
