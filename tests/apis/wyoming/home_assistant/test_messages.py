import json
from typing import Any

import pytest

from auricle.apis.wyoming.home_assistant.messages import NamesConversation, speakable
from auricle.values.errors import SetupError
from auricle.values.limits import MAX_HOTWORD_CHARACTERS, MAX_HOTWORDS
from tests.apis.wyoming.home_assistant.fake import RESULTS, TOKEN

pytestmark = pytest.mark.unit

Results = dict[str, Any]


def talk(**results: Any) -> tuple[str, ...] | None:
    """Hold the conversation; ``None`` as a result is an error."""
    conversation = NamesConversation(TOKEN)
    sent = conversation.receive('{"type": "auth_required"}')
    assert sent is not None
    assert json.loads(sent) == {"type": "auth", "access_token": TOKEN}
    reply = conversation.receive(b'{"type": "auth_ok"}')
    while reply is not None:
        command = json.loads(reply)
        result = (RESULTS | results).get(command["type"])
        is_known = result is not None
        answer = {"id": command["id"], "type": "result", "success": is_known, "result": result}
        reply = conversation.receive(json.dumps(answer))
    return conversation.names


def test_rooms_come_first_then_what_is_called_by_name_then_the_rest() -> None:
    assert talk() == (
        *("Upstairs", "First floor", "Küche", "Bath"),
        *("Bjørnholm lamp", "Reading light", "Wurlitzer", "Ilmatar"),
    )


def test_without_the_right_to_know_what_is_exposed_everything_is() -> None:
    names = talk(**{"homeassistant/expose_entity/list": None})
    assert names is not None
    assert {"Hidden", "Alexa only", "Bjørnholm lamp"} <= set(names)


def test_commands_that_a_version_does_not_know_are_left_out() -> None:
    names = talk(**{"config/floor_registry/list": None, "config/entity_registry/get_entries": None})
    assert names == ("Küche", "Bath", "Bjørnholm lamp", "Ilmatar")


def test_without_states_there_are_no_names() -> None:
    with pytest.raises(SetupError, match="does not let this token read"):
        talk(get_states=None)


def test_a_home_with_nothing_in_it_has_no_names() -> None:
    nothing: Results = {
        "get_states": [],
        "config/floor_registry/list": [],
        "config/area_registry/list": [],
    }
    assert talk(**nothing, **{"config/entity_registry/get_entries": {}}) == ()


def test_a_wrong_token_is_said_without_the_token() -> None:
    conversation = NamesConversation(TOKEN)
    with pytest.raises(SetupError) as raised:
        conversation.receive(json.dumps({"type": "auth_invalid", "message": TOKEN}))
    assert TOKEN not in str(raised.value)


@pytest.mark.parametrize(
    "message",
    [b"\xff", "", "[]", '{"type": 5}', '{"id": 1}', "[" * 10_000, '{"type": "result", "id": "x"}'],
)
def test_what_is_not_home_assistant_is_an_error(message: bytes | str) -> None:
    with pytest.raises(SetupError, match="not Home Assistant's"):
        NamesConversation(TOKEN).receive(message)


@pytest.mark.parametrize(
    ("command", "result"),
    [
        ("homeassistant/expose_entity/list", {"exposed_entities": []}),
        ("get_states", {"light.x": {}}),
        ("get_states", [{"state": "on"}]),
        ("config/entity_registry/get_entries", [1]),
        ("config/area_registry/list", ["Kitchen"]),
    ],
)
def test_results_of_another_form_are_an_error(command: str, result: Any) -> None:
    with pytest.raises(SetupError, match="not Home Assistant's"):
        talk(**{command: result})


def test_messages_that_answer_nothing_are_ignored() -> None:
    conversation = NamesConversation(TOKEN)
    conversation.receive('{"type": "auth_ok"}')
    assert conversation.receive('{"type": "event", "id": 1}') is None
    assert conversation.receive('{"type": "result", "id": 7, "success": true}') is None
    assert conversation.names is None


def test_names_are_clean_and_there_once() -> None:
    names = [" Kitchen\n lamp ", "KITCHEN LAMP", "", None, 5, ["x"], "a\x00\x1b\u202eb", "電気"]
    assert speakable(names) == ("Kitchen lamp", "ab", "電気")


def test_names_are_bounded_in_number_and_length() -> None:
    fitting = "x" * MAX_HOTWORD_CHARACTERS
    assert speakable([fitting + "x", fitting]) == (fitting,)
    names = (f"name {number}" for number in range(10_000))
    assert len(speakable(names)) == MAX_HOTWORDS
    assert next(names) == f"name {MAX_HOTWORDS}"  # the others are not read
