"""OpenAI's transcriptions: one response, or a stream of events."""

import json

import httpx2

from tests.resilience.chaos.clients.site import Broken, Refused, Site, check
from tests.resilience.chaos.recordings import Recording

WHOLE, STREAM = "openai", "openai_stream"
PATH = "/v1/audio/transcriptions"
FIELDS = {"model": "whisper-1", "language": "en"}


async def transcribe_whole(site: Site, recording: Recording) -> str:
    """Post a form and return the response's text."""
    response = await site.post(WHOLE, PATH, data=FIELDS, files={"file": ("a.wav", recording.wav)})
    return str(response.json()["text"])


async def transcribe_stream(site: Site, recording: Recording) -> str:
    """Post a form and return the text, which deltas and last event must agree on.

    Raises:
        Broken: They differ, or the stream ended early.
    """
    deltas: list[str] = []
    ends: list[str] = []
    try:
        async with (
            site.http(site.keys[STREAM]) as client,
            client.stream(
                "POST",
                PATH,
                data=FIELDS | {"stream": "true"},
                files={"file": ("a.ogg", recording.opus)},
            ) as response,
        ):
            if response.is_error:
                check(response.status_code, response.headers, (await response.aread()).decode())
            async for line in response.aiter_lines():
                if not line.startswith("data: {"):
                    continue
                event = json.loads(line.removeprefix("data: "))
                match event.get("type"):
                    case "transcript.text.delta":
                        deltas.append(event["delta"])
                    case "transcript.text.done":
                        ends.append(event["text"])
                    case _:
                        raise Broken(f"the stream sent {line[:300]}")
    except (httpx2.ConnectError, httpx2.ConnectTimeout):
        raise Refused("no_connection", 0.5) from None
    except httpx2.TransportError as error:
        raise Broken(f"stream: {type(error).__name__} {error}") from error
    if len(ends) != 1:
        raise Broken(f"the stream ended {len(ends)} times")
    if "".join(deltas).split() != ends[0].split():
        raise Broken("the deltas are not the text")
    return ends[0]
