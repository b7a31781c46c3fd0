"""JSON messages of servers. No I/O."""

import json
from typing import Any


def json_object(message: str | bytes) -> dict[str, Any]:
    """Return a message or a response's body as an object.

    Raises:
        ValueError: It is not a JSON object.
    """
    try:
        found = json.loads(message)
    except ValueError as error:
        raise ValueError("The response is not JSON.") from error
    if not isinstance(found, dict):
        raise ValueError("The response is not a JSON object.")
    return found
