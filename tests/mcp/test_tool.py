"""The schemas and errors of tools' arguments."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from auricle.mcp.recordings import AUDIO_TOOL, file_tool
from auricle.mcp.server import READING
from auricle.mcp.tool import iso_time, moment
from auricle.values.errors import BadRequest

pytestmark = pytest.mark.unit


def test_each_argument_is_described_to_the_model() -> None:
    for tool in (*READING, AUDIO_TOOL, file_tool(Path("recordings"))):
        assert tool.schema["type"] == "object"
        for name, schema in tool.schema["properties"].items():
            assert schema["description"], (tool.name, name)


def test_times_are_utc_unless_they_have_a_zone() -> None:
    assert moment(None, "since") is None
    assert moment("2026-12-01", "since") == datetime(2026, 12, 1, tzinfo=UTC)
    assert moment("2026-12-01T09:30:00Z", "since") == datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
    with pytest.raises(BadRequest, match="since"):
        moment("12/01/2026", "since")
    assert iso_time(0.9) == "1970-01-01T00:00:00Z"
