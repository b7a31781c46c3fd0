"""OpenAI's transcriptions: one answer, or a stream of events."""

import json

import httpx2

from tests.resilience.chaos.clients.site import Broken, Refused, Site, check
from tests.resilience.chaos.said import OutboundItem

WHOLE, STREAM = "openai", "openai_stream"
PATH = "/v1/audio/transcriptions"
FIELDS = {"model": "whisper-1", "language": "en"}


async def ask_whole(site: Site, said: OutboundItem) -> str:
    """Post a form and return the answer's text."""
    answer = await site.post(WHOLE, PATH, data=FIELDS, files={"file": ("a.wav", said.wav)})
    return str(answer.json()["text"])


async def ask_stream(site: Site, said: OutboundItem) -> str:
    """Post a form and return the text of the deltas, which is that of the last event.

    Raises:
        Broken: It is not, or the stream broke off.
    """
    deltas: list[str] = []
    ends: list[str] = []
    try:
        async with (
            site.http(site.keys[STREAM]) as client,
            client.stream(
                "POST", PATH, data=FIELDS | {"stream": "true"}, files={"file": ("a.ogg", said.opus)}
            ) as answer,
        ):
            if answer.is_error:
                check(answer.status_code, answer.headers, (await answer.aread()).decode())
            async for line in answer.aiter_lines():
                if not line.startswith("data: {"):
                    continue
                event = json.loads(line.removeprefix("data: "))
                match event.get("type"):
                    case "transcript.text.delta":
                        deltas.append(event["delta"])
                    case "transcript.text.done":
                        ends.append(event["text"])
                    case _:
                        raise Broken(f"the stream said {line[:300]}")
    except (httpx2.ConnectError, httpx2.ConnectTimeout):
        raise Refused("no_connection", 0.5) from None
    except httpx2.TransportError as error:
        raise Broken(f"stream: {type(error).__name__} {error}") from error
    if len(ends) != 1:
        raise Broken(f"the stream ended {len(ends)} times")
    if "".join(deltas).split() != ends[0].split():
        raise Broken("the deltas are not the text")
    return ends[0]
