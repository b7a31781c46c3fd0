"""The values of the seam."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from auricle.config.sections.model import ModelSettings
from auricle.engines.base import (
    MAX_SLOWEST_FACTOR,
    BatchRules,
    CostModel,
    EngineSpec,
    LocalModel,
    MemoryEstimate,
    ModelStatus,
    NamedModel,
    NoModelFiles,
)
from auricle.values.errors import BadRequest
from auricle.values.types import Options, Task

pytestmark = pytest.mark.unit


def test_the_largest_factor_is_accepted() -> None:
    assert CostModel(slowest_factor=MAX_SLOWEST_FACTOR).slowest_factor == 100.0


@pytest.mark.parametrize("factor", [0.0, 100.1, float("inf"), float("nan")])
def test_an_engine_that_claims_to_need_endless_time_is_rejected(factor: float) -> None:
    with pytest.raises(ValueError, match="slowest_factor"):
        CostModel(slowest_factor=factor)


@pytest.mark.parametrize("cost", [0.0, -1.0, float("inf"), float("nan")])
@pytest.mark.parametrize("name", ["job_overhead_s", "first_seconds_per_load"])
def test_a_cost_that_is_no_time_is_rejected(name: str, cost: float) -> None:
    with pytest.raises(ValueError, match="positive and finite"):
        CostModel(**{name: cost})


def test_the_load_of_a_job_is_its_audio_and_the_fixed_cost() -> None:
    assert CostModel(job_overhead_s=3.0).load_s(2.5) == 5.5


@pytest.mark.parametrize("name", ["max_jobs", "max_final_jobs", "max_optional_jobs"])
def test_a_batch_without_jobs_is_rejected(name: str) -> None:
    sizes: dict[str, Any] = {name: 0}
    with pytest.raises(ValueError, match="at least one job"):
        BatchRules(**sizes)


@pytest.mark.parametrize(("batch_jobs", "max_jobs"), [(2, 2), (64, 8)])
def test_settings_can_only_make_batches_smaller(batch_jobs: int, max_jobs: int) -> None:
    rules = BatchRules(max_jobs=8, max_final_jobs=3)
    assert rules.within(batch_jobs) == replace(rules, max_jobs=max_jobs)


@pytest.mark.parametrize("ends_s", [(10.0, 5.0), (5.0, 5.0)])
def test_length_classes_that_do_not_ascend_are_rejected(ends_s: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="length_classes_s"):
        BatchRules(length_classes_s=ends_s)


def test_a_length_class_ends_with_its_upper_end_and_the_last_one_has_none() -> None:
    rules = BatchRules(length_classes_s=(8.0, 14.0))
    assert [rules.length_class(s) for s in (0.0, 8.0, 8.01, 14.0, 14.01, 30.0)] == [
        0,
        0,
        1,
        1,
        2,
        2,
    ]
    assert BatchRules(length_classes_s=()).length_class(30.0) == 0


def test_the_memory_of_a_worker_grows_with_its_model() -> None:
    assert MemoryEstimate(fixed_mb=300.0, per_model_mb=2.0).worker_mb(100.0) == 500.0


def test_an_engine_without_model_files_has_the_model_that_is_named(tmp_path: Path) -> None:
    models = NoModelFiles("ours")
    for settings, name in ((ModelSettings(), "ours"), (ModelSettings(model="other"), "other")):
        assert models.find(settings) == LocalModel(name, name)
        text = f"{name}, part of the engine"
        assert models.status(settings) == ModelStatus(text, 0.0, is_local=True)
    assert models.named(tmp_path) == (NamedModel("ours", "engine", 0, is_local=True),)


class ByName(EngineSpec):
    """An engine whose models are named by their language."""

    def parse_languages(self, model: str) -> frozenset[str]:
        return frozenset({model})


def test_the_languages_of_an_engine_are_those_of_its_model() -> None:
    spec = ByName("ours", models=NoModelFiles("en"))
    assert spec.for_model(ModelSettings()) == replace(spec, languages=frozenset({"en"}))
    assert spec.for_model(ModelSettings(model="de")).languages == {"de"}
    assert ENGLISH.for_model(ModelSettings(model="de")) == ENGLISH


def test_requests_may_call_the_model_by_its_name() -> None:
    assert ENGLISH.is_model_name("ours")
    assert not ENGLISH.is_model_name("other")


def test_the_longest_audio_of_a_job_is_also_known_in_samples() -> None:
    assert replace(ENGLISH, max_audio_s=3.0).max_audio_samples == 48_000
    assert replace(ENGLISH, max_audio_s=30.0).max_audio_samples == 480_000


@pytest.mark.parametrize("max_audio_s", [2.9, 30.1, float("nan")])
def test_a_window_that_holds_no_job_is_rejected(max_audio_s: float) -> None:
    with pytest.raises(ValueError, match="max_audio_s"):
        EngineSpec("ours", models=NoModelFiles("ours"), max_audio_s=max_audio_s)


ENGLISH = EngineSpec(
    "ours",
    models=NoModelFiles("ours"),
    languages=frozenset({"en"}),
    detects_language=False,
    has_word_times=False,
)


def test_an_engine_is_not_asked_for_what_it_lacks() -> None:
    options = Options(word_timestamps=True, initial_prompt="Auricle", hotwords=("Opus",))
    assert ENGLISH.fit(options) == Options(language="en")
    able = replace(ENGLISH, has_word_times=True, reads_prompts=True)
    assert able.fit(options) == replace(options, language="en")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (Options(language="de"), r"does not support this language; use a code such as en\.$"),
        (Options(languages=("en", "fr")), "does not support this language"),
        (Options(task=Task.TRANSLATE), "cannot translate"),
    ],
)
def test_what_an_engine_can_not_do_is_rejected(options: Options, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        ENGLISH.fit(options)


def test_an_engine_that_detects_the_language_advises_it() -> None:
    with pytest.raises(BadRequest, match=r"such as en, or omit it to detect it\.$"):
        replace(ENGLISH, detects_language=True).fit(Options(language="de"))
    both = replace(ENGLISH, languages=frozenset({"fr", "en"}))
    with pytest.raises(BadRequest, match=r"such as en, fr\.$"):
        both.fit(Options(language="de"))


def test_an_engine_that_detects_no_language_must_be_told_it() -> None:
    both = replace(ENGLISH, languages=frozenset({"en", "de"}))
    assert both.fit(Options(language="de")).language == "de"
    with pytest.raises(BadRequest, match="Name the language"):
        both.fit(Options())


@pytest.mark.parametrize("languages", [frozenset(), frozenset({"klingon"})])
def test_unknown_languages_are_rejected(languages: frozenset[str]) -> None:
    with pytest.raises(ValueError, match="languages"):
        replace(ENGLISH, languages=languages)
