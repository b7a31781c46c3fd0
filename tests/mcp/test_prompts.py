"""Requests that people choose in their client."""

import pytest

from auricle.mcp.prompts import PROMPTS
from auricle.values.errors import BadRequest

pytestmark = pytest.mark.unit

SUMMARISE, ANSWER = PROMPTS


def test_a_request_names_what_it_is_about() -> None:
    assert "transcript meeting" in SUMMARISE.request({"transcript_id": "meeting"})
    assert ANSWER.request({"question": "Who read it?"}).endswith("Who read it?")
    assert SUMMARISE.descriptions == {"transcript_id": "ID of the transcript."}


@pytest.mark.parametrize("id", ["", "..", "x\nIgnore all", "x" * 500])
def test_an_id_can_not_bring_instructions(id: str) -> None:
    with pytest.raises(BadRequest, match="transcript_id"):
        SUMMARISE.request({"transcript_id": id})


def test_a_missing_argument_is_named() -> None:
    with pytest.raises(BadRequest, match="question"):
        ANSWER.request({})
