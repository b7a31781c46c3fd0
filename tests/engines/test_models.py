"""The table of models: its setting, its names, and what it rejects."""

from pathlib import Path

import pytest

from auricle.apis.registry import all_products, find_apis
from auricle.config.sections.model import ModelSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.engines.models import Load, ModelTable, chosen_model
from auricle.values.errors import BadRequest, ModelNotFound, SetupError
from auricle.values.types import MAX_JOB_SAMPLES, Options

pytestmark = pytest.mark.unit


def table(models: str = "", **settings: object) -> ModelTable:
    parsed = ModelSettings.model_validate({"models": models, **settings})
    return ModelTable.of(parsed, all_products(find_apis()))


def test_without_the_setting_there_is_the_one_model_of_the_engine() -> None:
    it = table()
    assert it.names == ("whisper-base",)
    assert it.default.engine.name == "Whisper"
    assert it.find("") is it.find("whisper-base") is it.default
    assert len(it) == 1
    assert it.default.load is Load.START


def test_the_only_model_is_named_by_the_last_part_of_its_path(tmp_path: Path) -> None:
    it = table(engine="moonshine", model=str(tmp_path / "tiny-en"))
    assert it.names == ("tiny-en",)
    assert it.default.settings.model == str(tmp_path / "tiny-en")


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


def test_the_longest_job_fits_each_model() -> None:
    assert table("base, moonshine").max_audio_samples == MAX_JOB_SAMPLES


def test_an_unknown_name_is_refused_with_the_list() -> None:
    with pytest.raises(ModelNotFound, match=r"its models are: base, tiny\."):
        table("base, tiny").find("nova-3")


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


def test_a_request_chooses_a_model_by_its_name_an_alias_or_its_weights(tmp_path: Path) -> None:
    it = table(f"base, quick=moonshine:{tmp_path / 'tiny-en'}", model_aliases="fast=quick")
    for name in ("quick", "FAST", "UsefulSensors/moonshine-tiny", "moonshine-tiny-en"):
        choice = it.choose(name)
        assert (choice.model.name, choice.option, choice.warnings) == ("quick", "quick", ())
    for name in ("", "whisper-1", "openai/whisper-base"):
        assert it.choose(name).option == "base"


def test_an_unknown_model_is_not_found_if_there_are_several() -> None:
    two = "base, quick=moonshine"
    with pytest.raises(ModelNotFound, match="its models are: base, quick") as caught:
        table(two).choose("large-v3")
    assert caught.value.field == "model"
    assert table(two, unknown_models="default").choose("large-v3").model.name == "base"
    with pytest.raises(ModelNotFound):
        table(unknown_models="reject").choose("large-v3")


def test_an_only_model_needs_no_option_and_warns_if_another_was_requested() -> None:
    choice = table().choose("large-v3")
    assert (choice.model.name, choice.option) == ("whisper-base", "")
    assert choice.warnings == ("The requested model is not served; whisper-base is used.",)
    assert table().choose("whisper-1").warnings == ()


def test_an_alias_of_a_model_that_is_not_served_is_reported() -> None:
    with pytest.raises(SetupError, match="AURICLE_MODEL_ALIASES: fast names the model tiny"):
        table("base, quick=moonshine", model_aliases="fast=tiny")


def test_a_command_that_loads_one_model_uses_the_default_or_names_another() -> None:
    alone = ModelSettings(model="small")
    assert chosen_model(alone) is alone
    models = "base, fast=moonshine:/models/m"
    assert chosen_model(ModelSettings.model_validate({"models": models})).model == "base"
    fast = chosen_model(ModelSettings.model_validate({"models": models, "model": "fast"}))
    assert (fast.engine, fast.model, fast.models) == ("moonshine", "/models/m", ())
    with pytest.raises(SetupError, match="AURICLE_MODELS has no model 'other'.*: base, fast"):
        chosen_model(ModelSettings.model_validate({"models": models, "model": "other"}))
