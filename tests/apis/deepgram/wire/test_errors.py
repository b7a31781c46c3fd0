"""How connections end."""

import pytest

from auricle.apis.deepgram.wire.errors import closing_frame
from auricle.protocol.dialect import End
from auricle.values.events import Failed

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("code", "close_code", "closed_with", "reason"),
    [
        ("idle_timeout", 1008, 1011, "NET-0001: "),
        ("bad_audio", 1007, 1008, "DATA-0000: why"),
        ("protocol_error", 1002, 1008, "DATA-0000: why"),
        ("draining", 1012, 1012, "draining: why"),
        ("queue_full", 1013, 1013, "queue_full: why"),
    ],
)
def test_connections_part_with_codes_that_clients_know(
    code: str, close_code: int, closed_with: int, reason: str
) -> None:
    shown = closing_frame(End(code, close_code, Failed(code, "why", False)), ("text",))
    assert (shown.texts, shown.close_code) == (("text",), closed_with)
    assert shown.reason.startswith(reason)
