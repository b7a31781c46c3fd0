"""Which servers have workers for partials."""

import pytest

from auricle.config.sections.live import LiveSettings
from auricle.config.sections.model import ModelSettings
from auricle.config.settings import Settings
from auricle.multi_model.table import parse_table
from auricle.values.errors import SetupError
from auricle.workers.kinds.partials import spec
from auricle.workers.kinds.partials.spec import SPEC
from auricle.workers.poison import CrashBudget
from auricle.workers.spec import PoolContext
from tests.support.pool import SCRIPTED

pytestmark = pytest.mark.unit

MODELS = parse_table((f"large={SCRIPTED}", f"small={SCRIPTED}"), ModelSettings())


def context(settings: Settings, warnings: list[str], *, is_gateway: bool = False) -> PoolContext:
    def warn(event: str, sentence: str) -> None:
        warnings.append(f"{event}: {sentence}")

    return PoolContext(settings, MODELS, 8, is_gateway, CrashBudget(1, 60.0), warn)


async def test_a_model_of_the_setting_has_workers() -> None:
    settings = Settings(live=LiveSettings(partial_model="small"))
    pool = await SPEC.open(context(settings, []))
    assert pool is not None
    stats = pool.stats()
    assert (len(stats.workers), stats.ready) == (2, False)


async def test_finals_and_partials_have_the_same_workers() -> None:
    settings = Settings(live=LiveSettings(partial_model="same"))
    assert await SPEC.open(context(settings, [])) is None


async def test_a_gateway_has_workers_only_for_a_named_model() -> None:
    assert await SPEC.open(context(Settings(), [], is_gateway=True)) is None
    named = Settings(live=LiveSettings(partial_model="small"))
    assert await SPEC.open(context(named, [], is_gateway=True)) is not None


@pytest.mark.parametrize("name", [None, "small"])
async def test_a_model_that_cannot_be_used_is_an_error_only_if_it_was_named(
    name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def place(*_: object) -> None:
        raise SetupError("no memory")

    monkeypatch.setattr(spec, "place_partial_model", place)
    settings = Settings(live=LiveSettings(partial_model=name))
    monkeypatch.setattr(spec, "find_partial_model", lambda *_: MODELS.find("small"))
    warnings: list[str] = []
    if name is None:
        assert await SPEC.open(context(settings, warnings)) is None
        assert len(warnings) == 1
        assert warnings[0].endswith("is not used for partials: no memory")
    else:
        with pytest.raises(SetupError, match="no memory"):
            await SPEC.open(context(settings, warnings))
