"""A gateway's models are those of its recognisers."""

import pytest

from auricle.cluster.gateway.models import FleetModels
from auricle.config.sections.model import ModelSettings
from auricle.engines.models import ModelTable
from auricle.values.errors import BadRequest, ModelNotFound, ModelUnavailable
from auricle.values.transcriber import ModelState, ModelStats, ModelTraits
from auricle.values.types import Options

pytestmark = pytest.mark.unit


def reported(
    name: str, engine: str = "whisper", languages: tuple[str, ...] = ("en", "de")
) -> ModelStats:
    traits = ModelTraits(engine, languages, True, False, True, True, 20.0, 4)
    return ModelStats(name, ModelState.READY, traits=traits)


def fleet(*models: ModelStats, **settings: object) -> FleetModels:
    parsed = ModelSettings.model_validate(settings)
    own = ModelTable.of(ModelSettings(), frozenset({"whisper-1"}))
    return FleetModels(parsed, own, lambda: models)


def test_they_are_known_from_the_reports() -> None:
    models = fleet(reported("small"), reported("parakeet", "sherpa", ("en",)))
    assert models.names == ("small", "parakeet")
    assert len(models) == 2
    assert [each.name for each in models] == ["small", "parakeet"]
    assert models.default is models.find("small") is models.find("")
    assert models.max_audio_samples == 20 * 16_000
    assert models.choose("parakeet").option == "parakeet"
    assert models.choose("whisper-1").model is models.default


def test_what_a_model_can_do_is_what_its_recogniser_reported() -> None:
    engine = fleet(reported("parakeet", "sherpa", ("en",))).find("parakeet").engine
    assert engine.languages == {"en"}
    assert (engine.batches.max_jobs, engine.max_audio_s, engine.reads_prompts) == (4, 20.0, True)
    with pytest.raises(BadRequest, match="language"):
        engine.fit(Options(language="de"))


def test_an_engine_that_is_not_built_in_is_not_imported() -> None:
    engine = fleet(reported("ours", "no.such.module")).default.engine
    assert engine.name == "no.such.module"


def test_a_model_with_unknown_languages_keeps_those_of_its_engine() -> None:
    assert "en" in fleet(reported("small", languages=("??",))).default.engine.languages


def test_an_unknown_model_is_not_found() -> None:
    models = fleet(reported("a"), reported("b"))
    with pytest.raises(ModelNotFound, match="its models are: a, b"):
        models.find("c")
    with pytest.raises(ModelNotFound):
        models.choose("c")


def test_before_the_first_report_nothing_is_known_to_be_missing() -> None:
    models = fleet()
    assert models.default.engine.name == "Whisper"
    assert models.find("").name == models.default.name
    for ask in (models.find, models.choose):
        with pytest.raises(ModelUnavailable):
            ask("parakeet")


def test_aliases_are_those_of_the_gateway() -> None:
    models = fleet(reported("a"), reported("b"), model_aliases=("fast=b",))
    assert models.choose("fast").model.name == "b"
    assert dict(models.aliases) == {"fast": "b"}


def test_an_alias_of_a_model_that_no_recogniser_has_is_ignored() -> None:
    models = fleet(reported("a"), model_aliases=("fast=b",))
    assert not models.aliases
    assert models.names == ("a",)


def test_a_change_of_the_recognisers_changes_the_models() -> None:
    now = [reported("a")]
    models = FleetModels(ModelSettings(), ModelTable.of(ModelSettings()), lambda: tuple(now))
    before = models.default
    assert models.default is before
    now.append(reported("b"))
    assert models.names == ("a", "b")
