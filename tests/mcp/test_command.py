"""``auricle mcp`` and the servers that it reads."""

import json
import re
import sys
from pathlib import Path

import pytest

from auricle.cli.part import find_parts
from auricle.mcp import REQUIREMENT
from auricle.mcp.part import PART
from tests.mcp.agents import error_of, over_stdio
from tests.support.command import ROOT, completed, environment

pytestmark = pytest.mark.process


def test_it_is_a_command_of_its_own() -> None:
    assert PART in find_parts()
    assert completed("mcp", "--help", environ={}).returncode == 0


async def test_a_missing_server_is_an_error_of_the_tool_not_of_the_command(tmp_path: Path) -> None:
    async with over_stdio("http://127.0.0.1:9", tmp_path) as client:
        assert (await client.list_tools()).tools
        message = await error_of(client, "list_transcripts")
    assert message.startswith("No Auricle server answers at http://127.0.0.1:9")


def test_the_settings_on_the_page_start_the_command() -> None:
    page = (ROOT / "docs/clients/mcp.md").read_text()
    of_stdio, of_http = map(json.loads, re.findall(r"```json\n(.*?)```", page, re.DOTALL))
    started = of_stdio["mcpServers"]["auricle"]
    help_text = completed(*started["args"], "--help", environ={}).stdout
    assert all(name in help_text for name in started["env"])
    assert of_http["servers"]["auricle"]["url"].endswith("/mcp")


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp.server.stdio", None)
    done = completed("mcp", environ=environment(tmp_path, url="http://127.0.0.1:9"))
    assert done.returncode == 2
    assert f"pip install '{REQUIREMENT}'" in done.stderr
