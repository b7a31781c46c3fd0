"""JSON responses, and a header of all formats."""

import msgspec
from starlette.responses import Response

GAPS_HEADER = "x-auricle-gaps"
"""Response header with the number of gaps, for formats that can't contain them."""


def json_response(
    body: object, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Return a JSON response."""
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")
