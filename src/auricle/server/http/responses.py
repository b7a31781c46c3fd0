"""JSON responses, streamed ones, and a header of all formats."""

from collections.abc import Mapping

import msgspec
from starlette.responses import Response
from starlette.types import Send

EVENTS_TYPE = "text/event-stream"
GAPS_HEADER = "x-auricle-gaps"
"""Response header with the number of gaps, for formats that can't contain them."""


def json_response(
    body: object, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Return a JSON response."""
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")


class StreamedResponse(Response):
    """A successful response whose parts are sent while they are made.

    A subclass sends them in ``__call__``, after :meth:`begin`.

    Args:
        headers: The headers, besides the one that keeps proxies from buffering.
        media_type: The media type.
    """

    def __init__(self, headers: Mapping[str, str], media_type: str = EVENTS_TYPE) -> None:
        self.status_code = 200
        self.background = None
        self.media_type = media_type
        self.init_headers({"x-accel-buffering": "no", **headers})

    async def begin(self, send: Send) -> None:
        """Send the status and the headers."""
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
