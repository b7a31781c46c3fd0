"""Calls every tool at ``/mcp`` with wrong arguments: each must answer what is wrong with them."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import httpx2

PATH = "/mcp"
HEADERS = {"accept": "application/json", "content-type": "application/json"}
LIMIT_S = 60
VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**31, 2**53 + 1, 2**63, 2**70, 1.5, 1e308, -0.0),
    *("", " ", ".", "..", "../..", "a/b", "a?b=c", "%2e%2e", "x" * 10_000, "\0", "a\nb"),
    *("2026-13-45", "0000-00-00", "9999-12-31T23:59:60Z", "2026-12-01T00:00:00+99:99"),
    *(
        "NaN",
        "\U0001f600",
        "\u202eabc",
        "\u05e9\u05dc\u05d5\u05dd",
        "\ud800",
        "[(*+?",
        "' OR 1=1 --",
    ),
    *([], {}, [[]], {"a": {}}, ["x"] * 1000),
)
MESSAGES: tuple[Any, ...] = (
    *(None, 1, "x", [], {}, [{}]),
    {"jsonrpc": "1.0", "id": 1, "method": "tools/list"},
    {"jsonrpc": "2.0", "id": {}, "method": "tools/list"},
    {"jsonrpc": "2.0", "id": 1, "method": "x" * 10_000},
    {"jsonrpc": "2.0", "id": 1, "method": "tools/call"},
    {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": []},
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "resources/read",
        "params": {"uri": "file:///etc/passwd"},
    },
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "resources/read",
        "params": {"uri": "auricle://transcripts/.."},
    },
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "prompts/get",
        "params": {"name": "x", "arguments": {"a": "b"}},
    },
    {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}},
)
INTERNAL_ERROR = -32603


def failures(url: str, key: str) -> tuple[int, list[str]]:
    """Return the number of messages that were sent, and the unexpected answers."""
    headers = HEADERS | {"authorization": f"Bearer {key}"}
    found: list[str] = []
    with httpx2.Client(base_url=url, headers=headers, timeout=LIMIT_S) as web:
        listed = web.post(PATH, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).json()
        messages = [*MESSAGES, *_calls(listed["result"]["tools"])]
        for message in messages:
            answer = web.post(PATH, content=json.dumps(message).encode())
            if problem := _problem(answer):
                found.append(f"{problem}: {json.dumps(message)[:200]}")
    return len(messages), found


def _calls(tools: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for tool in tools:
        names = [*tool["inputSchema"]["properties"], "unknown"]
        required = dict.fromkeys(tool["inputSchema"].get("required", ()), "x")
        for name, value in itertools.product(names, VALUES):
            params = {"name": tool["name"], "arguments": required | {name: value}}
            yield {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def _problem(answer: httpx2.Response) -> str:
    """Return what is unexpected in an answer; empty: nothing."""
    if answer.status_code >= 500:
        return f"status {answer.status_code}"
    if not answer.content:
        return ""
    body = answer.json()
    if body.get("error", {}).get("code") == INTERNAL_ERROR:
        return "an internal error"
    if body.get("result", {}).get("isError"):
        [content] = body["result"]["content"]
        return "an unexpected error" if "internal" in content["text"].lower() else ""
    return ""
