"""OpenAPI, generated from the types that validate requests and shape responses."""

import functools
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from auricle.protocol.errors import ErrorResponse

Schema = dict[str, Any]
Answers = dict[int | str, dict[str, Any]]

_MEANINGS = {
    400: "Invalid request: JSON, types, ranges, or an unknown language or task.",
    401: "The key or token is missing, unknown or expired.",
    403: "Pages from other origins are rejected.",
    404: "Not found.",
    409: "The job_id belongs to a job with other audio or options.",
    413: "The body is too large, or the audio too long.",
    415: "Unsupported format.",
    421: "Host name not allowed on a server without keys.",
    422: "The audio can't be decoded, or is missing.",
    429: "Rate limit or connection limit exceeded; see Retry-After.",
    431: "The request line and headers are too long.",
    500: "Poison job (the audio killed workers repeatedly), or an internal error.",
    503: "Queue full, no worker ready, or shutting down; see Retry-After.",
    504: "Deadline exceeded.",
}
_ALWAYS = (421, 429, 500, 503)
"""Statuses that any path may return; 429 and 503 also if connection limits are exceeded."""

KEYED = (401, 403)
POSTED = (400, *KEYED, 413)

_OF_CLASSES = ("title", "description")
"""Keys with the names and docstrings of classes, which are for the server's developers."""


@functools.cache
def schema_of(shape: Any) -> Schema:
    """Return the schema of a type, with the schemas of its parts in place.

    Many routes describe the same errors, so all callers share one schema and must not change it.
    """
    (schema,), parts = msgspec.json.schema_components((shape,), ref_template="{name}")
    inlined: Schema = _inlined(schema, parts)
    return inlined


def _inlined(schema: Any, parts: Mapping[str, Any]) -> Any:
    if isinstance(schema, list | tuple):
        return [_inlined(each, parts) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if (name := schema.get("$ref")) is not None:
        part = {key: value for key, value in parts[name].items() if key not in _OF_CLASSES}
        others = {key: value for key, value in schema.items() if key != "$ref"}
        return _inlined(part, parts) | others
    inlined = {key: _inlined(value, parts) for key, value in schema.items()}
    if inlined.pop("multipleOf", None) == 1:
        inlined["type"] = "integer"
    return inlined


def answer(description: str, shape: Any, media_type: str = "application/json") -> Schema:
    """Return the OpenAPI description of a response, whose body has the shape of a type."""
    return {"description": description, "content": {media_type: {"schema": schema_of(shape)}}}


def refusals(error: Any, *statuses: int) -> Answers:
    """Return the OpenAPI descriptions of these error statuses and of the common ones."""
    listed = sorted({*statuses, *_ALWAYS})
    return {status: answer(_MEANINGS[status], error) for status in listed}


def server_sent_events(shape: Any) -> dict[str, Any]:
    """Return the OpenAPI content of events whose data is JSON of this shape.

    The schema is that of one event (OpenAPI 3.1 has no words for a sequence of them).
    """
    data = {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": schema_of(shape),
    }
    event = {"type": "object", "properties": {"data": data}, "required": ["data"]}
    return {"text/event-stream": {"schema": event}}


def json_body(fields: Any, *, is_required: bool = False) -> dict[str, Any]:
    """Return the OpenAPI description of a JSON body."""
    required = {"required": True} if is_required else {}
    content = {"application/json": {"schema": schema_of(fields)}}
    return {"requestBody": required | {"content": content}}


def query_parameters(fields: Any) -> list[Schema]:
    """Return the OpenAPI description of a query string."""
    return [
        {
            "name": name,
            "in": "query",
            "description": schema["description"],
            "schema": {key: value for key, value in schema.items() if key != "description"},
        }
        for name, schema in schema_of(fields)["properties"].items()
    ]


def audio_bodies() -> dict[str, Any]:
    """Return the OpenAPI description of a body that is the audio itself."""
    content = {"schema": {"type": "string", "format": "binary"}}
    return {"audio/*": content, "application/octet-stream": content}


_SCHEMES: Mapping[str, Schema] = {
    "key": {"type": "http", "scheme": "bearer", "description": "An API key, or its token."}
}
_INVALID = "HTTPValidationError"


def complete(document: dict[str, Any], *, has_keys: bool) -> dict[str, Any]:
    """Add what all routes share, and remove FastAPI's validation error, which no route returns.

    Shared are authentication, and the refusal of a long head, which precedes the choice of a route.

    Args:
        document: The document from FastAPI; changed in place.
        has_keys: Whether this server requires a key.
    """
    head_too_long = answer(_MEANINGS[431], ErrorResponse)
    for operations in document["paths"].values():
        for operation in operations.values():
            answers = operation["responses"]
            if _INVALID in str(answers.get("422")):
                del answers["422"]
            answers["431"] = head_too_long
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    parameter["schema"].pop("description", None)  # FastAPI repeats it there
            if has_keys and "401" in answers:
                operation["security"] = [{"key": []}]
    document["components"] = {"securitySchemes": _SCHEMES} if has_keys else {}
    document["components"]["responses"] = _shared_refusals(document["paths"])
    return document


def _shared_refusals(paths: Schema) -> Schema:
    """Replace the responses of errors, half of the document, by references; return them by name."""
    shared: Schema = {}
    names: dict[str, str] = {}
    for operation in (each for operations in paths.values() for each in operations.values()):
        for status, response in operation["responses"].items():
            if status >= "400":
                text = json.dumps([status, response], sort_keys=True)
                name = names.setdefault(text, f"{status}-{len(names) + 1}")
                shared[name] = response
                operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
    return shared
