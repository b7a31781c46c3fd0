"""What the OpenAPI document says of OpenAI's routes, which read their forms by themselves."""

from typing import Any

from auricle.protocol.openai_rest import Format

_TEXT = {"type": "string"}
_LIST = {"type": "array", "items": _TEXT}

_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary", "description": "The audio."},
        "model": {**_TEXT, "description": "Any name, unless the server is strict about it."},
        "language": {**_TEXT, "description": "A Whisper language code; left out: detected."},
        "languages[]": {**_LIST, "description": "A single one is taken as `language`."},
        "prompt": {**_TEXT, "description": "Text that the model takes as having come before."},
        "keywords[]": {**_LIST, "description": "Words that the model should expect."},
        "response_format": {"type": "string", "enum": list(Format), "default": "json"},
        "temperature": {"type": "number", "minimum": 0, "maximum": 1},
        "timestamp_granularities[]": {
            "type": "array",
            "items": {"type": "string", "enum": ["word", "segment"]},
            "description": "Of `verbose_json`.",
        },
        "stream": {"type": "boolean", "description": "Answer with events (transcriptions only)."},
    },
}

OPENAI_OPENAPI: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}
}

_ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "message": _TEXT,
                "type": _TEXT,
                "param": {"type": ["string", "null"]},
                "code": _TEXT,
            },
        }
    },
}


_JSON, _PLAIN, _EVENTS = "application/json", "text/plain", "text/event-stream"


def _answer(description: str, schemas: dict[str, Any]) -> dict[str, Any]:
    content = {media_type: {"schema": schema} for media_type, schema in schemas.items()}
    return {"description": description, "content": content}


def _error(description: str) -> dict[str, Any]:
    return _answer(description, {_JSON: _ERROR})


OPENAI_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: _answer(
        "The text.",
        {_JSON: {"type": "object"}, _PLAIN: _TEXT, "text/vtt": _TEXT, _EVENTS: _TEXT},
    ),
    400: _error("A field can't be used, or the file can't be decoded."),
    401: _error("No valid key."),
    403: _error("A page of another site."),
    404: _error("No such model, where the server is strict."),
    413: _error("Too many bytes, or too long."),
    429: _error("This key has used up its allowance; see Retry-After."),
    500: _error("This audio killed the engine repeatedly, or a bug."),
    503: _error("No room, no worker, or shutting down; see Retry-After."),
    504: _error("Not done in time."),
}
