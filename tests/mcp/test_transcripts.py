"""Tools that list, search and read kept transcripts."""

import pytest

from tests.mcp.agents import over_http, result_of
from tests.mcp.conftest import DAY, LONG, AgentsServer

pytestmark = pytest.mark.process


async def test_pages_have_all_segments_once(server: AgentsServer) -> None:
    texts, cursor, pages = [], 0, 0
    async with over_http(server.url) as client:
        while cursor is not None:
            page = await result_of(client, "read_transcript", transcript_id="long", cursor=cursor)
            texts += [segment["text"] for segment in page["segments"]]
            cursor, pages = page["next"], pages + 1
        later = await result_of(client, "read_transcript", transcript_id="long", start_s=1001)
    assert texts == [f"Sentence {n} of many." for n in range(LONG)]
    assert pages > 1
    assert later["segments"][0]["text"] == "Sentence 500 of many."


async def test_lists_have_pages_and_filters(server: AgentsServer) -> None:
    async with over_http(server.url) as client:
        first = await result_of(client, "list_transcripts", limit="2")  # models write it as text
        second = await result_of(client, "list_transcripts", limit=2, cursor=first["next"])
        found = [each["transcript_id"] for each in first["transcripts"] + second["transcripts"]]
        assert (found, second["next"]) == (["hostile", "meeting", "long"], None)
        since = await result_of(client, "list_transcripts", since=f"{DAY}T13:00:30+01:00")
        assert [each["transcript_id"] for each in since["transcripts"]] == ["hostile"]
        until = await result_of(client, "list_transcripts", until=DAY)
        assert [each["transcript_id"] for each in until["transcripts"]] == ["long"]


async def test_any_script_can_be_searched(server: AgentsServer) -> None:
    async with over_http(server.url) as client:
        for words in (
            "报告",
            "отчёт",
            "تقرير",
            "דוח",
            "रिपोर्ट",
            "รายงาน",
            "보고서",
            "報告",
            "έκθεση",
            "\x1b[2J",
        ):
            assert not (await result_of(client, "search_transcripts", query=words))["matches"]
