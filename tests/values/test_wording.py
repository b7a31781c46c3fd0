"""What is added to the options of a request."""

import pytest

from auricle.values.errors import UnsupportedOption
from auricle.values.limits import MAX_HOTWORDS
from auricle.values.types import Options
from auricle.values.wording import NO_WORDING, NO_WORDINGS, Wording

pytestmark = [pytest.mark.unit, pytest.mark.anyio]


def test_further_hot_words_follow_those_of_the_request_once() -> None:
    options = Options(hotwords=("Ørsted", "Zyntrix"))
    words = Wording(hotwords=("Zyntrix", "Digique")).applied(options).hotwords
    assert words == ("Ørsted", "Zyntrix", "Digique")


def test_there_are_no_more_hot_words_than_a_request_may_have() -> None:
    options = Options(hotwords=tuple(f"own {number}" for number in range(MAX_HOTWORDS - 1)))
    words = Wording(hotwords=("Zyntrix", "Digique")).applied(options).hotwords
    assert words == (*options.hotwords, "Zyntrix")


def test_options_without_further_hot_words_stay() -> None:
    options = Options(hotwords=("Ørsted",))
    assert NO_WORDING.applied(options) is options


async def test_an_installation_without_vocabularies_refuses_a_name_only() -> None:
    assert (await NO_WORDINGS.find(None, ""))(Options()) == NO_WORDING
    with pytest.raises(UnsupportedOption, match="remove `vocabulary`"):
        await NO_WORDINGS.find(None, "names")
