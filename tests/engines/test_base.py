"""The values of the seam."""

from dataclasses import replace
from typing import Any

import pytest

from auricle.engines.base import BatchRules, CostModel, EngineSpec, NoModelFiles
from auricle.values.errors import BadRequest
from auricle.values.types import Options, Task

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("factor", [0.0, 101.0, float("inf"), float("nan")])
def test_an_engine_that_claims_to_need_endless_time_is_rejected(factor: float) -> None:
    with pytest.raises(ValueError, match="slowest_factor"):
        CostModel(slowest_factor=factor)


@pytest.mark.parametrize("cost", [0.0, -1.0, float("inf"), float("nan")])
@pytest.mark.parametrize("name", ["job_overhead_s", "first_seconds_per_load"])
def test_a_cost_that_is_no_time_is_rejected(name: str, cost: float) -> None:
    with pytest.raises(ValueError, match="positive and finite"):
        CostModel(**{name: cost})


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


def test_an_engine_that_detects_no_language_must_be_told_it() -> None:
    both = replace(ENGLISH, languages=frozenset({"en", "de"}))
    assert both.fit(Options(language="de")).language == "de"
    with pytest.raises(BadRequest, match="Name the language"):
        both.fit(Options())


@pytest.mark.parametrize("languages", [frozenset(), frozenset({"klingon"})])
def test_unknown_languages_are_rejected(languages: frozenset[str]) -> None:
    with pytest.raises(ValueError, match="languages"):
        replace(ENGLISH, languages=languages)
