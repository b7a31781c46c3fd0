"""Several models in the commands that find them."""

import pytest

from auricle.cli.bench.target import find_target
from auricle.cli.doctor.checks import check_engine, check_models, of_default_model
from auricle.cli.serve.engine import find_engine
from auricle.cli.support.finding import Level
from auricle.config.settings import Settings
from auricle.multi_model.pools import ModelPools
from auricle.values.errors import ModelNotFound
from auricle.workers.local_models import find_local_models
from auricle.workers.poison import CrashBudget
from tests.support.pool import SCRIPTED

pytestmark = pytest.mark.unit

TABLE = "base, other=tests.support.scripted_engine, broken=whisper:/no/such/model;load=demand"


def settings(**overrides: object) -> Settings:
    return Settings.load({"port": 0, **overrides})


async def test_the_workers_of_all_models_recognise() -> None:
    given = settings(models=(f"large={SCRIPTED}", f"small={SCRIPTED}"), workers=3)
    models = find_local_models(given).table(given)
    engine = await find_engine(given, models, None, CrashBudget(3, 60))
    assert isinstance(engine.transcriber, ModelPools)
    assert engine.summary == "loads scripted in 3 workers, and serves small"
    assert (engine.model, engine.machine.workers, engine.is_remote) == ("large", 3, False)
    models_in_log = engine.facts["models"]
    assert isinstance(models_in_log, list)
    assert [model["name"] for model in models_in_log] == ["large", "small"]
    await engine.transcriber.aclose()


def test_all_models_of_a_table_are_checked() -> None:
    finding = check_models(settings(models=TABLE))
    assert finding.level is Level.WARNING
    assert "other (1 worker, 300 MB), broken on demand" in finding.text
    assert finding.advice.startswith("broken: There is no model '/no/such/model'")
    assert check_models(settings()).text == "one"


@pytest.mark.parametrize(
    ("models", "advice"),
    [("base, base", "occurs twice"), ("base;workers=200, tiny", "MB of memory")],
)
def test_a_table_that_cannot_be_served_is_wrong(models: str, advice: str) -> None:
    finding = check_models(settings(models=models))
    assert finding.level is Level.WRONG
    assert advice in finding.advice


def test_other_checks_are_of_the_default_model() -> None:
    table = settings(models="other=tests.support.scripted_engine, base")
    assert check_engine(of_default_model(table)).text.startswith("scripted")
    wrong = settings(models="base, base")
    assert of_default_model(wrong) is wrong


def test_one_of_several_models_has_its_share_of_the_machine() -> None:
    models = (f"one={SCRIPTED};workers=2", f"two={SCRIPTED}:scripted:slow:1;workers=1;load=demand")
    given = settings(models=models)
    assert find_target(given).name == "one"
    target = find_target(given, "two")
    assert target.name == "two"
    assert target.placement.worker.workers == 1
    assert target.placement.model.name == "scripted:slow:1"
    with pytest.raises(ModelNotFound, match="one, two"):
        find_target(given, "three")
