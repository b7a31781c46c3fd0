"""The renderers of background jobs, by the names of the APIs that accepted them."""

import pytest

from auricle.server.job_answers import JobAnswers, answers_of
from auricle.values.errors import ApiUnavailable

pytestmark = pytest.mark.unit

ANSWERS = JobAnswers(lambda *_: b"", lambda *_: b"")


def test_renderers_are_found_by_the_name_of_the_api() -> None:
    assert answers_of({"native": ANSWERS}, "native") is ANSWERS


def test_an_api_that_was_removed_is_named() -> None:
    with pytest.raises(ApiUnavailable, match="`gone`, is not part of this server"):
        answers_of({"native": ANSWERS}, "gone")
