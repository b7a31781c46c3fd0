"""The models of a server, and which one a request means."""

from pathlib import Path

import pytest

from auricle.apis.registry import all_products, find_apis
from auricle.config.sections.model import ModelSettings
from auricle.engines.models import Load, ModelTable, ServedModel, find_spec
from auricle.values.errors import ModelNotFound, SetupError
from auricle.values.types import MAX_JOB_SAMPLES

pytestmark = pytest.mark.unit


def table(**settings: object) -> ModelTable:
    return ModelTable.of(ModelSettings.model_validate(settings), all_products(find_apis()))


def two(other: str = "moonshine", **settings: object) -> ModelTable:
    """Return a table of Whisper base and a model of Moonshine."""
    parsed = ModelSettings.model_validate(settings)
    models = (
        ServedModel("base", find_spec(parsed), parsed.model_copy(update={"model": "base"})),
        _moonshine(other, parsed),
    )
    return ModelTable.with_models(models, parsed, all_products(find_apis()))


def _moonshine(model: str, settings: ModelSettings) -> ServedModel:
    own = settings.model_copy(update={"engine": "moonshine", "model": model})
    return ServedModel("quick", find_spec(own), own)


def test_there_is_the_one_model_of_the_engine() -> None:
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


def test_a_request_chooses_a_model_by_its_name_an_alias_or_its_weights(tmp_path: Path) -> None:
    it = two(str(tmp_path / "tiny-en"), model_aliases="fast=quick")
    for name in ("quick", "FAST", "UsefulSensors/moonshine-tiny", "moonshine-tiny-en"):
        choice = it.choose(name)
        assert (choice.model.name, choice.option, choice.warnings) == ("quick", "quick", ())
    for name in ("", "whisper-1", "openai/whisper-base"):
        assert it.choose(name).option == "base"


def test_an_unknown_model_is_not_found_if_there_are_several() -> None:
    with pytest.raises(ModelNotFound, match="its models are: base, quick") as caught:
        two().choose("large-v3")
    assert caught.value.field == "model"
    assert two(unknown_models="default").choose("large-v3").model.name == "base"
    with pytest.raises(ModelNotFound):
        table(unknown_models="reject").choose("large-v3")


def test_an_unknown_name_is_refused_with_the_list() -> None:
    with pytest.raises(ModelNotFound, match=r"its models are: base, quick\."):
        two().find("nova-3")


def test_the_longest_job_fits_each_model() -> None:
    assert two().max_audio_samples == MAX_JOB_SAMPLES


def test_an_alias_of_a_model_that_is_not_served_is_reported() -> None:
    with pytest.raises(SetupError, match="AURICLE_MODEL_ALIASES: fast names the model tiny"):
        two(model_aliases="fast=tiny")


def test_an_only_model_needs_no_option_and_warns_if_another_was_requested() -> None:
    choice = table().choose("large-v3")
    assert (choice.model.name, choice.option) == ("whisper-base", "")
    assert choice.warnings == ("The model large-v3 is not served; whisper-base is used.",)
    assert table().choose("whisper-1").warnings == ()


def test_a_name_of_a_model_is_shown_in_one_short_line() -> None:
    [warning] = table().choose("a\r\nb" + "c" * 500).warnings
    assert warning == f"The model a??b{'c' * 96} is not served; whisper-base is used."
