"""JSON messages of servers."""

import pytest

from auricle.protocol.json_object import json_object

pytestmark = pytest.mark.unit


def test_an_object_is_read() -> None:
    assert json_object('{"a": 1}') == json_object(b'{"a": 1}') == {"a": 1}


@pytest.mark.parametrize("message", ["", "<html>", "[]", b"\xff"])
def test_what_is_not_an_object(message: str | bytes) -> None:
    with pytest.raises(ValueError, match="not"):
        json_object(message)
