"""The model and options of later utterances."""

import pytest

from auricle.engines.whisper.spec import SPEC
from auricle.session.choice import ModelChoice
from auricle.values.commands import Configure, StreamParameters
from auricle.values.errors import BadRequest, ModelNotFound
from auricle.values.text_filters import FilterChoice
from auricle.values.types import LIVE_BEAM_SIZE, Options
from auricle.values.wording import Wording
from tests.support.models import models_of

pytestmark = pytest.mark.unit

MODELS = models_of(SPEC, other=SPEC)
START = ModelChoice.of(StreamParameters(language="de", prompt="Ask"), MODELS)


def test_the_start_has_what_was_requested() -> None:
    assert (START.model.name, START.options.language) == ("scripted", "de")
    assert START.options.initial_prompt == "Ask"
    assert START.options.beam_size == LIVE_BEAM_SIZE


def test_a_command_changes_what_it_names() -> None:
    later = START.after(Configure(language="en", prompt="", hotwords=("Auricle",)), MODELS)
    assert (later.options.language, later.options.initial_prompt) == ("en", None)
    assert later.options.hotwords == ("Auricle",)
    assert later.model == START.model
    assert START.after(Configure(), MODELS) == START


def test_a_wording_follows_the_hot_words_of_a_command() -> None:
    def wording_of(options: Options) -> Wording:
        terms = (*options.hotwords, "Zyntrix")
        return Wording(terms, (FilterChoice.of("numerals", len(terms)),))

    start = ModelChoice.of(StreamParameters(), MODELS, wording_of)
    assert (start.options.hotwords, start.filters[0].options) == (("Zyntrix",), "1")
    later = start.after(Configure(hotwords=("Auricle",)), MODELS)
    assert later.options.hotwords == ("Auricle", "Zyntrix")
    assert later.filters[0].options == "2"
    assert later.after(Configure(hotwords=()), MODELS) == start


def test_another_model_gets_the_same_requests() -> None:
    other = START.after(Configure(model="other"), MODELS)
    assert (other.model.name, other.options.model) == ("other", "other")
    assert other.requested.language == "de"
    assert other.after(Configure(language="en"), MODELS).model.name == "other"


def test_an_impossible_command_is_rejected() -> None:
    with pytest.raises(ModelNotFound):
        START.after(Configure(model="unknown"), MODELS)
    with pytest.raises(BadRequest):
        START.after(Configure(language="xx"), MODELS)
