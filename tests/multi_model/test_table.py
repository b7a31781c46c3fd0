"""The table of several models: its setting, its names, and what it rejects."""

import pytest

from auricle.apis.registry import all_products, find_apis
from auricle.config.sections.model import ModelSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.config.settings import Settings
from auricle.engines.models import Load, ModelTable
from auricle.multi_model.settings import MultiModelSettings
from auricle.multi_model.table import of_one_model, parse_table
from auricle.values.errors import BadRequest, SetupError
from auricle.values.types import Options

pytestmark = pytest.mark.unit


def table(models: str, **settings: object) -> ModelTable:
    entries = MultiModelSettings.model_validate({"models": models}).models
    return parse_table(entries, ModelSettings.model_validate(settings), all_products(find_apis()))


def test_an_entry_names_engine_and_model() -> None:
    it = table("fast=moonshine, whisper=whisper:/models/large;load=demand ;workers=2;threads=3")
    fast, large = it
    assert it.default is fast
    assert (fast.name, fast.settings.engine, fast.settings.model) == ("fast", "moonshine", None)
    assert (large.settings.engine, large.settings.model) == ("whisper", "/models/large")
    assert (large.load, large.workers, large.threads) == (Load.DEMAND, 2, 3)


@pytest.mark.parametrize(
    ("name", "engine", "model"),
    [
        ("base", "whisper", "base"),
        ("whisper-base", "whisper", "base"),
        ("whisper-large-v3-turbo", "whisper", "large-v3-turbo"),
        ("faster-whisper-small", "faster-whisper", "small"),
        ("moonshine", "moonshine", None),
        ("whisper", "whisper", None),
    ],
)
def test_a_known_name_needs_no_engine(name: str, engine: str, model: str | None) -> None:
    (only,) = table(name)
    assert (only.name, only.settings.engine, only.settings.model) == (name, engine, model)


def test_a_model_has_its_own_languages() -> None:
    english = table("base, english=whisper:base.en").find("english").engine
    assert english.languages == {"en"}
    with pytest.raises(BadRequest, match="such as en"):
        english.fit(Options(language="de"))


def test_options_apply_to_one_model_only() -> None:
    it = table("base;device=auto;compute_type=int8, tiny=whisper:tiny;workers=1", device="cpu")
    base, tiny = it
    assert (base.settings.device, base.settings.compute_type) == ("auto", "int8")
    assert (tiny.settings.device, tiny.settings.compute_type) == ("cpu", "default")
    settings = WorkerSettings(workers=4, worker_threads=2)
    assert base.worker_settings(settings) == settings
    assert tiny.worker_settings(settings).workers == 1
    assert tiny.worker_settings(settings).worker_threads == 2


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ("base, base", "the name 'base' occurs twice"),
        ("a=whisper, a=moonshine", "the name 'a' occurs twice"),
        ("nonsense", "no engine lists a model 'nonsense'"),
        ("a=nonsense", "Engine 'nonsense' not found"),
        ("a=", "'a' names no engine"),
        ("a=:base", "'a' names no engine"),
        ("=whisper", "'' is not a name"),
        ("a b=whisper", "'a b' is not a name"),
        ("<b>=whisper", "'<b>' is not a name"),
        (f"{'a' * 101}=whisper", "is not a name"),
        ("base;size=3", "'size=3' is not an option of 'base'"),
        ("base;workers", "'workers' is not an option"),
        ("base;workers=1;workers=2", "occurs twice"),
        ("base;workers=-1", "an option of 'base' has an invalid value"),
        ("base;workers=many", "an option of 'base' has an invalid value"),
        ("base;load=never", "an option of 'base' has an invalid value"),
        ("base;device=tpu", "an option of 'base' has an invalid value"),
        ("base;load=demand, tiny", "'base' is the default model"),
        (",".join(f"m{i}=whisper" for i in range(33)), "more than 32 models"),
    ],
)
def test_an_invalid_table_is_refused_with_its_reason(models: str, message: str) -> None:
    with pytest.raises(SetupError, match="AURICLE_MODELS") as caught:
        table(models)
    assert message in str(caught.value)


@pytest.mark.parametrize("also", [{"model": "small"}, {"engine": "moonshine"}])
def test_models_and_a_single_model_exclude_each_other(also: dict[str, object]) -> None:
    with pytest.raises(SetupError, match=r"AURICLE_(MODEL|ENGINE) must not be set"):
        table("base", **also)


def test_a_command_that_loads_one_model_uses_the_default_or_names_another() -> None:
    models = "base, fast=moonshine:/models/m"
    assert of_one_model(Settings.load({"models": models})).model.model == "base"
    fast = of_one_model(Settings.load({"models": models, "model": "fast"}))
    assert (fast.model.engine, fast.model.model) == ("moonshine", "/models/m")
    assert fast.section(MultiModelSettings).models == ()
    with pytest.raises(SetupError, match="AURICLE_MODELS has no model 'other'.*: base, fast"):
        of_one_model(Settings.load({"models": models, "model": "other"}))
