"""OpenAPI schemas of the responses that many routes share, and of authentication."""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]
Answers = dict[int | str, dict[str, Any]]

TEXT: Schema = {"type": "string"}
TEXT_OR_NONE: Schema = {"type": ["string", "null"]}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer"}

_MEANINGS = {
    400: "Invalid request: JSON, types, ranges, or an unknown language or task.",
    401: "The key or token is missing, unknown or expired.",
    403: "Pages from other origins are rejected.",
    404: "Not found.",
    413: "The body is too large, or the audio too long.",
    415: "Unsupported format.",
    421: "Host name not allowed on a server without keys.",
    422: "The audio can't be decoded, or is missing.",
    429: "Rate limit or connection limit exceeded; see Retry-After.",
    500: "Poison job (the audio killed workers repeatedly), or an internal error.",
    503: "Queue full, no worker ready, or shutting down; see Retry-After.",
    504: "Deadline exceeded.",
}
_ALWAYS = (421, 429, 500, 503)
"""Statuses that any path may return; 429 and 503 also if connection limits are exceeded."""

KEYED = (401, 403)
POSTED = (400, *KEYED, 413)


def fields(**properties: Schema) -> Schema:
    """Return the schema of an object with these required fields; more may be added later."""
    return {"type": "object", "properties": properties, "required": list(properties)}


NATIVE_ERROR = fields(
    error=fields(
        code=TEXT,
        message=TEXT,
        retryable={"type": "boolean"},
        retry_after_s={"type": ["integer", "null"]},
    )
)
OPENAI_ERROR = fields(error=fields(message=TEXT, type=TEXT, param=TEXT_OR_NONE, code=TEXT))
DEEPGRAM_ERROR = fields(err_code=TEXT, err_msg=TEXT, request_id=TEXT, code=TEXT)


def answer(description: str, schema: Schema, media_type: str = "application/json") -> Schema:
    """Return the OpenAPI description of a response."""
    return {"description": description, "content": {media_type: {"schema": schema}}}


def refusals(error: Schema, *statuses: int) -> Answers:
    """Return the OpenAPI descriptions of these error statuses and of the common ones."""
    listed = sorted({*statuses, *_ALWAYS})
    return {status: answer(_MEANINGS[status], error) for status in listed}


def json_body(schema: Schema) -> dict[str, Any]:
    """Return the OpenAPI description of an optional JSON body."""
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}


_SCHEMES: Mapping[str, Schema] = {
    "key": {"type": "http", "scheme": "bearer", "description": "An API key, or its token."}
}
_INVALID = "HTTPValidationError"


def complete(document: dict[str, Any], *, has_keys: bool) -> dict[str, Any]:
    """Add authentication, and remove FastAPI's validation error, which no route returns.

    Args:
        document: The document from FastAPI; changed in place.
        has_keys: Whether this server requires a key.
    """
    for operations in document["paths"].values():
        for operation in operations.values():
            answers = operation["responses"]
            if _INVALID in str(answers.get("422")):
                del answers["422"]
            if has_keys and "401" in answers:
                operation["security"] = [{"key": []}]
    document["components"] = {"securitySchemes": _SCHEMES} if has_keys else {}
    return document
