"""What recognises on this machine; that of a gateway is in tests/cluster."""

import pytest

from auricle.cli.serve.engine import find_engine
from auricle.config.sections.model import ModelSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.config.settings import Settings
from auricle.engines.models import ModelTable
from auricle.workers.kinds.asr.model_pool import ModelPool
from auricle.workers.poison import CrashBudget
from tests.support.pool import SCRIPTED

pytestmark = pytest.mark.unit


async def test_workers_of_this_machine_recognise() -> None:
    models = ModelSettings(engine=SCRIPTED)
    settings = Settings(model=models, worker=WorkerSettings(workers=3))
    engine = await find_engine(settings, ModelTable.of(models), None, CrashBudget(3, 60))
    assert isinstance(engine.transcriber, ModelPool)
    assert engine.summary == "loads scripted in 3 workers"
    assert (engine.model, engine.machine.workers, engine.is_remote) == ("scripted", 3, False)
    assert engine.facts["workers"] == 3
    assert "models" not in engine.facts
    await engine.transcriber.aclose()
