"""Which model recognises partials."""

import pytest

from auricle.config.sections.live import NO_PARTIALS
from auricle.config.sections.model import ModelSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.engines.models import ModelTable
from auricle.engines.moonshine import spec as moonshine
from auricle.multi_model.table import parse_table
from auricle.values.errors import SetupError
from auricle.workers.kinds.partials.model import SAME, find_partial_model, place_partial_model
from tests.support.pool import SCRIPTED

pytestmark = pytest.mark.unit


def table(*models: str, **settings: object) -> ModelTable:
    parsed = ModelSettings.model_validate(settings)
    return parse_table(models, parsed) if models else ModelTable.of(parsed)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moonshine, "is_known", lambda cache_dir: True)


@pytest.fixture
def not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moonshine, "is_known", lambda cache_dir: False)


@pytest.mark.usefixtures("installed")
def test_moonshine_is_the_default_where_it_is_installed() -> None:
    model = find_partial_model(None, table())
    assert model is not None
    assert (model.engine, model.settings.engine) == (moonshine.SPEC, "moonshine")
    assert model.settings.model is None


@pytest.mark.usefixtures("installed")
def test_a_model_smaller_than_moonshine_recognises_its_own_partials() -> None:
    assert find_partial_model(None, table(engine=SCRIPTED)) is None


@pytest.mark.usefixtures("not_installed")
def test_without_moonshine_finals_and_partials_have_one_model() -> None:
    assert find_partial_model(None, table()) is None


@pytest.mark.usefixtures("installed")
def test_a_gpu_recognises_its_own_partials() -> None:
    assert find_partial_model(None, table(device="auto")) is None


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("name", [SAME, NO_PARTIALS])
def test_no_separate_workers(name: str) -> None:
    assert find_partial_model(name, table()) is None


def test_a_model_of_the_table() -> None:
    models = table(f"large={SCRIPTED}", f"small={SCRIPTED}:tiny;workers=3;threads=2;load=demand")
    model = find_partial_model("small", models)
    assert model is models.find("small")
    placement = place_partial_model(model, WorkerSettings(workers=8), 8)
    assert (placement.worker.workers, placement.worker.worker_threads) == (3, 2)
    assert placement.model.path == "tiny"


def test_an_unknown_name_is_reported_with_those_there_are() -> None:
    with pytest.raises(SetupError, match="AURICLE_PARTIAL_MODEL is 'tiny'.*large, same or"):
        find_partial_model("tiny", table(f"large={SCRIPTED}"))


@pytest.mark.parametrize(("finals", "partials"), [(1, 1), (2, 1), (8, 2), (64, 16)])
def test_workers_of_partials_are_few(finals: int, partials: int) -> None:
    model = table(engine=SCRIPTED).default
    worker = WorkerSettings(workers=finals)
    placement = place_partial_model(model, worker, finals)
    assert (placement.worker.workers, placement.worker.worker_threads) == (partials, 1)
