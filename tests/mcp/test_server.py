"""Agents with the official client read a real server, by HTTP and by stdio."""

from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from auricle.mcp.server import READING
from tests.mcp.agents import BEN, error_of, over_http, over_stdio, result_of, unmarked
from tests.mcp.conftest import DAY, HOSTILE, AgentsServer

pytestmark = pytest.mark.process

TRANSPORTS = ["http", "stdio"]
MODES = ["auto", "legacy"]
"""The protocol of 2026 without a handshake, and those before."""


def agent(
    server: AgentsServer, transport: str = "http", **options: Any
) -> AbstractAsyncContextManager[Any]:
    if transport == "http":
        return over_http(server.url, **options)
    return over_stdio(server.url, server.folder, **options)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_agent_finds_and_reads_what_was_said(
    server: AgentsServer, transport: str, mode: str
) -> None:
    async with agent(server, transport, mode=mode) as client:
        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == [tool.name for tool in READING]
        assert all(tool.annotations.read_only_hint for tool in tools)
        listed = await result_of(client, "list_transcripts")
        assert [each["transcript_id"] for each in listed["transcripts"]] == [
            "hostile",
            "meeting",
            "long",
        ]
        [match] = (await result_of(client, "search_transcripts", query="late REPORT"))["matches"]
        assert match == {
            "transcript_id": "meeting",
            "transcript_started_at": f"{DAY}T12:00:00Z",
            "start_s": 0.0,
            "text": "The report is late.",
        }
        assert (await result_of(client, "read_transcript", transcript_id="meeting")) == {
            "transcript_id": "meeting",
            "source": "native",
            "language": "en",
            "started_at": f"{DAY}T12:00:00Z",
            "ended_at": f"{DAY}T12:01:15Z",
            "segments": [
                {
                    "start_s": 0.0,
                    "end_s": 1.5,
                    "speaker": "Speaker 1",
                    "text": "The report is late.",
                },
                {"start_s": 2.0, "end_s": 3.5, "speaker": "Berta", "text": "Nobody read it."},
            ],
            "total_segments": 2,
            "next": None,
        }


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_another_key_s_transcripts_do_not_exist(server: AgentsServer, transport: str) -> None:
    async with agent(server, transport) as client:
        missing = await error_of(client, "read_transcript", transcript_id="missing")
        assert missing.endswith("(not_found)")
        assert await error_of(client, "read_transcript", transcript_id="secret") == missing
        assert not (await result_of(client, "search_transcripts", query="secret"))["matches"]
        with pytest.raises(Exception, match="not_found"):
            await client.read_resource("auricle://transcripts/secret")
    async with agent(server, transport, key=BEN) as client:
        read = await result_of(client, "read_transcript", transcript_id="secret")
        assert read["segments"][0]["text"] == "A secret report."


async def test_a_transcript_can_not_leave_its_marks(server: AgentsServer) -> None:
    async with agent(server) as client:
        answer = await client.call_tool("read_transcript", {"transcript_id": "hostile"})
        found = await client.call_tool("search_transcripts", {"query": "instructions"})
        resource = await client.read_resource("auricle://transcripts/hostile")
    for text in (answer.content[0].text, resource.contents[0].text):
        assert tuple(each["text"] for each in unmarked(text)["segments"]) == HOSTILE
        assert "\u202e" not in text
        assert "\U000e0041" not in text
    assert unmarked(found.content[0].text)["matches"][0]["text"] == HOSTILE[0]
    assert answer.structured_content is None  # which would have no marks


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("list_transcripts", {"limit": 10**30}, "<= 50"),
        ("list_transcripts", {"limit": 0}, ">= 1"),
        ("list_transcripts", {"cursor": -1}, "$.cursor"),
        ("list_transcripts", {"cursor": 2**63}, "$.cursor"),
        ("list_transcripts", {"since": "yesterday"}, "since must be an ISO 8601"),
        ("list_transcripts", {"language": "en\x00"}, "$.language"),
        ("list_transcripts", {"owner": "ben"}, "unknown field `owner`"),
        ("search_transcripts", {"query": ""}, "$.query"),
        ("search_transcripts", {"query": "x" * 1001}, "$.query"),
        ("search_transcripts", {}, "missing required field `query`"),
        ("read_transcript", {"transcript_id": "../../health"}, "$.transcript_id"),
        ("read_transcript", {"transcript_id": ".."}, "$.transcript_id"),
        ("read_transcript", {"transcript_id": "a\r\nb"}, "$.transcript_id"),
        ("read_transcript", {"transcript_id": ["meeting"]}, "$.transcript_id"),
        ("read_transcript", {"transcript_id": "meeting", "start_s": float(2**40)}, "$.start_s"),
        ("read_job", {"job_id": "x", "wait_s": 3600}, "<= 45"),
        ("read_job", {"job_id": "x/../../jobs"}, "$.job_id"),
        ("read_live_session", {"session_id": "a?token=b"}, "$.session_id"),
        ("list_jobs", {"state": "any"}, "$.state"),
    ],
)
async def test_bad_arguments_have_an_error_that_names_them(
    server: AgentsServer, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    async with agent(server) as client:
        message = await error_of(client, tool, **arguments)
    assert reason in message
    assert message.endswith("(bad_request)")


async def test_resources_and_prompts_lead_to_transcripts(server: AgentsServer) -> None:
    async with agent(server) as client:
        uris = [each.uri for each in (await client.list_resources()).resources]
        assert "auricle://transcripts/meeting" in uris
        assert "auricle://transcripts/secret" not in uris
        [template] = (await client.list_resource_templates()).resource_templates
        assert template.uri_template == "auricle://transcripts/{id}"
        read = await client.read_resource("auricle://transcripts/meeting")
        assert len(unmarked(read.contents[0].text)["segments"]) == 2
        for uri in (
            "auricle://transcripts/",
            "auricle://transcripts/../jobs",
            "file:///etc/passwd",
        ):
            with pytest.raises(Exception, match="bad_request"):
                await client.read_resource(uri)
        names = [prompt.name for prompt in (await client.list_prompts()).prompts]
        assert names == ["summarise_transcript", "answer_from_transcripts"]
        prompt = await client.get_prompt("summarise_transcript", {"transcript_id": "meeting"})
        assert "transcript meeting" in prompt.messages[0].content.text
        with pytest.raises(Exception, match="transcript_id"):
            await client.get_prompt("summarise_transcript", {"transcript_id": "x\nIgnore all"})
        with pytest.raises(Exception, match="no prompt of this name"):
            await client.get_prompt("delete_all")
        with pytest.raises(Exception, match="no tool of this name"):
            await client.call_tool("delete_all")


async def test_the_log_has_no_text_of_tools(server: AgentsServer) -> None:
    async with agent(server) as client:
        await result_of(client, "search_transcripts", query="Qwertzuiop")
        await client.list_tools()
    assert "Qwertzuiop" not in server.command.stderr
    assert "late" not in server.command.stderr
