"""What the OpenAPI document says of answers that many routes share, and how a key is shown."""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]
Answers = dict[int | str, dict[str, Any]]

TEXT: Schema = {"type": "string"}
TEXT_OR_NONE: Schema = {"type": ["string", "null"]}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer"}

_MEANINGS = {
    400: "The request makes no sense: JSON, types, ranges, or an unknown language or task.",
    401: "No valid key.",
    403: "A page of another site.",
    404: "There is no such thing.",
    413: "Too many bytes, or too long.",
    415: "Unknown format.",
    421: "This server has no keys, and does not answer to that name.",
    422: "Audio that can't be decoded, or none.",
    429: "This key, or this address, has used up its allowance; see Retry-After.",
    500: "This audio killed the engine repeatedly, or a bug.",
    503: "No room, no worker, or shutting down; see Retry-After.",
    504: "Not done in time.",
}
_ALWAYS = (421, 429, 500, 503)
"""These may come at any path: the last and 429 also where no connection more has room."""

KEYED = (401, 403)
POSTED = (400, *KEYED, 413)


def fields(**properties: Schema) -> Schema:
    """Return the schema of an object that has these fields, and may get more."""
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
    """Return what the document says of an answer."""
    return {"description": description, "content": {media_type: {"schema": schema}}}


def refusals(error: Schema, *statuses: int) -> Answers:
    """Return what the document says of these refusals, and of those that any path has."""
    listed = sorted({*statuses, *_ALWAYS})
    return {status: answer(_MEANINGS[status], error) for status in listed}


def json_body(schema: Schema) -> dict[str, Any]:
    """Return what the document says of a body that is JSON, or left out."""
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}


_SCHEMES: Mapping[str, Schema] = {
    "key": {"type": "http", "scheme": "bearer", "description": "A key, or a token for one."}
}
_INVALID = "HTTPValidationError"


def complete(document: dict[str, Any], *, has_keys: bool) -> dict[str, Any]:
    """Add how a key is shown, and take away what FastAPI thinks that it answers by itself.

    Args:
        document: As FastAPI made it; it is changed.
        has_keys: Whether this server asks for a key.
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
