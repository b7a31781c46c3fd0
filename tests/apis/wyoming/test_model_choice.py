from dataclasses import replace

import pytest

from auricle.apis.wyoming.model_choice import with_model
from auricle.engines.whisper.spec import SPEC
from auricle.values.commands import StreamParameters
from tests.support.models import models_of

pytestmark = pytest.mark.unit

MODELS = models_of(
    replace(SPEC, languages=frozenset({"en"})),
    nordic=replace(SPEC, languages=frozenset({"en", "no", "sv"})),
    all=SPEC,
)


@pytest.mark.parametrize(
    ("language", "model"),
    [("en", ""), ("no", "nordic"), ("de", "all"), ("tlh", ""), (None, "")],
)
def test_a_command_gets_the_first_model_with_its_language(language: str | None, model: str) -> None:
    assert with_model(StreamParameters(language=language), MODELS).model == model


def test_a_model_that_a_command_names_is_kept() -> None:
    assert with_model(StreamParameters(language="de", model="nordic"), MODELS).model == "nordic"
