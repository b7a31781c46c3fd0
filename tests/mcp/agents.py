"""The official client of the Model Context Protocol, as an agent's program uses it."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from auricle.mcp.untrusted import BEGIN, END, NOTE
from tests.support.command import environment

ANNA, BEN, CARL = "anna-secret-key", "ben-secret-key", "carl-secret-key"


@asynccontextmanager
async def over_http(url: str, key: str = ANNA, mode: str = "auto") -> AsyncIterator[Any]:
    """Connect to a server's ``/mcp``."""
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {key}"}, timeout=60) as http:
        transport = streamable_http_client(f"{url}/mcp", http_client=http)
        async with Client(transport, mode=mode) as client:
            yield client


@asynccontextmanager
async def over_stdio(
    url: str, folder: Path, *arguments: str, key: str = ANNA, mode: str = "auto"
) -> AsyncIterator[Any]:
    """Start ``auricle mcp`` for a server, and connect to it."""
    started = StdioServerParameters(
        command=sys.executable,
        args=["-m", "auricle", "mcp", *arguments],
        env=environment(folder, url=url, api_key=key),
    )
    async with Client(started, mode=mode) as client:
        yield client


async def result_of(client: Any, tool: str, **arguments: object) -> dict[str, Any]:
    """Return the result of a tool that succeeds, from between its marks."""
    answer = await client.call_tool(tool, arguments)
    [content] = answer.content
    assert not answer.is_error, content.text
    return unmarked(content.text)


def unmarked(text: str) -> dict[str, Any]:
    """Return the data in a marked text, whose marks are whole lines."""
    note, begin, data, end = text.split("\n")
    assert (note, begin, end) == (NOTE, BEGIN, END)
    found: dict[str, Any] = json.loads(data)
    return found


async def error_of(client: Any, tool: str, **arguments: object) -> str:
    """Return the message of a tool that fails."""
    answer = await client.call_tool(tool, arguments)
    [content] = answer.content
    assert answer.is_error, content.text
    text: str = content.text
    return text
