"""OpenAPI schemas of OpenAI's routes, which parse their bodies without FastAPI."""

from typing import Any

from auricle.protocol.openai.transcriptions import Format
from auricle.protocol.subtitle_layout import MAX_LINE_WIDTH, MAX_LINES, MIN_LINE_WIDTH, USUAL
from auricle.server.http.openapi import (
    KEYED,
    OPENAI_ERROR,
    POSTED,
    TEXT,
    WHOLE,
    Answers,
    Schema,
    answer,
    fields,
    json_body,
    refusals,
)

_LIST = {"type": "array", "items": TEXT}

_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary", "description": "The audio."},
        "model": {**TEXT, "description": "Any name, unless the server checks model names."},
        "language": {**TEXT, "description": "Language code or English name; detected if omitted."},
        "languages[]": {**_LIST, "description": "Languages that detection is restricted to."},
        "prompt": {**TEXT, "description": "Text that the model treats as preceding the audio."},
        "keywords[]": {**_LIST, "description": "Words that the model should favour."},
        "response_format": {"type": "string", "enum": list(Format), "default": "json"},
        "temperature": {"type": "number", "minimum": 0, "maximum": 1},
        "timestamp_granularities[]": {
            "type": "array",
            "items": {"type": "string", "enum": ["word", "segment"]},
            "description": "Only for `verbose_json`.",
        },
        "max_line_width": {
            "type": "integer",
            "minimum": MIN_LINE_WIDTH,
            "maximum": MAX_LINE_WIDTH,
            "default": USUAL.max_line_width,
            "description": "Only for `srt` and `vtt`; East Asian characters count twice.",
        },
        "max_lines": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_LINES,
            "default": USUAL.max_lines,
            "description": "Only for `srt` and `vtt`: maximum lines of a subtitle.",
        },
        "stream": {
            "type": "boolean",
            "description": "Return an event stream (transcriptions only).",
        },
    },
}

OPENAI_OPENAPI: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}
}

_MEDIA_TYPES = ("application/json", "text/plain", "text/vtt", "text/event-stream")

OPENAI_RESPONSES: Answers = {
    200: {
        "description": "The transcript in the requested format.",
        "content": {
            media_type: {"schema": {"type": "object"} if "json" in media_type else TEXT}
            for media_type in _MEDIA_TYPES
        },
    },
    **refusals(OPENAI_ERROR, *POSTED, 404, 504),
}

_MODEL = fields(id=TEXT, object=TEXT, created=WHOLE, owned_by=TEXT)
MODEL_RESPONSES: Answers = {
    200: answer("The model.", _MODEL),
    **refusals(OPENAI_ERROR, *KEYED, 404),
}
MODELS_RESPONSES: Answers = {
    200: answer("All models.", fields(object=TEXT, data={"type": "array", "items": _MODEL})),
    **refusals(OPENAI_ERROR, *KEYED),
}

_SESSION: Schema = {"type": "object", "description": "As in `session.update`."}
_SECONDS: Schema = {"type": "integer", "minimum": 10, "maximum": 7200}
_BETA_SECRET: Schema = {
    "type": "object",
    "properties": {"expires_at": {"type": "object", "properties": {"seconds": _SECONDS}}},
}

SECRET_OPENAPI = json_body(
    {
        "type": "object",
        "properties": {
            "expires_after": {"type": "object", "properties": {"seconds": _SECONDS}},
            "session": _SESSION,
        },
    }
)
SECRET_RESPONSES: Answers = {
    200: answer("The secret.", fields(value=TEXT, expires_at=WHOLE, session=_SESSION)),
    **refusals(OPENAI_ERROR, *POSTED),
}
BETA_SECRET_OPENAPI = json_body({**_SESSION, "properties": {"client_secret": _BETA_SECRET}})
BETA_SECRET_RESPONSES: Answers = {
    200: answer(
        "The session.", fields(id=TEXT, client_secret=fields(value=TEXT, expires_at=WHOLE))
    ),
    **refusals(OPENAI_ERROR, *POSTED),
}
