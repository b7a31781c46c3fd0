"""Tools that list live sessions, and read them while they grow."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from auricle.client.api import calls
from auricle.client.api.calls import Call
from auricle.mcp.segments import fits_page, page_of, segment_of
from auricle.mcp.tool import Api, Arguments, Cursor, Id, Tool, WaitS, iso_time
from auricle.mcp.waiting import wait_for

MAX_SESSIONS = 100
MAX_UNFINISHED_CHARACTERS = 2000


class ListArguments(Arguments):
    """The arguments of ``list_live_sessions``: none."""


class ReadArguments(Arguments):
    """The arguments of ``read_live_session``."""

    session_id: Annotated[Id, Meta(description="ID of the session, as list_live_sessions returns.")]
    cursor: Annotated[
        Cursor, Meta(description="`next` of the previous answer; 0: what was said before, too.")
    ] = 0
    wait_s: WaitS = 0


async def _list(api: Api, arguments: ListArguments) -> dict[str, Any]:
    found = await api.send(calls.list_sessions())
    sessions = [
        {
            "session_id": each.id,
            "source": each.source,
            "started_at": iso_time(each.started_at),
        }
        for each in found[:MAX_SESSIONS]
    ]
    return {"sessions": sessions, "total_sessions": len(found)}


async def _read(api: Api, arguments: ReadArguments) -> dict[str, Any]:
    call = _page_after(arguments.session_id, arguments.cursor)
    return await wait_for(api, call, _has_news, arguments.wait_s)


def _page_after(session_id: str, number: int) -> Call[dict[str, Any]]:
    def decode(body: bytes) -> dict[str, Any]:
        return page_of_events(body.decode(), number)

    path = f"/v1/sessions/{session_id}/events"
    return Call("GET", path, decode, {"follow": "false", "after": str(number)})


def _has_news(page: dict[str, Any]) -> bool:
    return bool(page["segments"] or page["other_speakers"] or page["has_ended"])


def page_of_events(events: str, cursor: int) -> dict[str, Any]:
    """Return what happened after an event, from server-sent events, as far as it fits a page.

    There are none, not even that of the start, once a session has ended and all were read. Of an
    event that does not fit a page, the newest segments are returned.
    """
    segments: list[dict[str, Any]] = []
    speakers: list[dict[str, Any]] = []
    unfinished, has_ended = "", not events
    for number, event in numbered(events):
        found = _segments(event)
        if found and not fits_page([*segments, *speakers, *found]):
            if segments or speakers:
                unfinished = ""
                break
            found = page_of(found[::-1], 0, dict)["segments"][::-1]
        match event["type"]:
            case "final":
                segments += found
                unfinished = ""
            case "partial":
                unfinished = event["stable"] + event["unstable"]
            case "speaker_revision":
                speakers += found
            case "ended":
                has_ended = True
        cursor = number
    return {
        "segments": segments,
        "other_speakers": speakers,
        "unfinished": unfinished.strip()[-MAX_UNFINISHED_CHARACTERS:],
        "has_ended": has_ended,
        "next": cursor,
    }


def numbered(events: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Iterate over the events of a stream that have a number."""
    for block in events.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if "id" in fields:
            yield int(fields["id"]), msgspec.json.decode(fields["data"])


def _segments(event: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the segments of an event: the parts by speaker of its finals, or whole finals."""
    found: list[dict[str, Any]] = []
    for final in event.get("finals") or [event]:
        names = {each["speaker"]: each["name"] for each in final.get("speakers", ())}
        if parts := final.get("segments"):
            found += [
                segment_of(part["start"], part["end"], part["text"], part["speaker"], names)
                for part in parts
                if part["text"]
            ]
        elif event["type"] == "final" and event["text"]:
            speaker = event.get("speaker")
            found.append(
                segment_of(event["start_s"], event["end_s"], event["text"], speaker, names)
            )
    return found


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        "list_live_sessions",
        "List live sessions",
        "List the live sessions that are open: people speak, and the server transcribes them.",
        ListArguments,
        _list,
    ),
    Tool(
        "read_live_session",
        "Read a live session",
        "Read what is said in a live session, as it grows. `segments` are final; `unfinished` is "
        "the sentence that is being said, and may still change. `other_speakers` are earlier "
        "segments whose speaker is now known better. To continue, call again with cursor=next, and "
        "with wait_s to wait for the next sentence. Stop when has_ended is true; a server that "
        "keeps transcripts then has it under the same ID, see read_transcript.",
        ReadArguments,
        _read,
    ),
)
