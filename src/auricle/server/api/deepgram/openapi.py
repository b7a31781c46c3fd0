"""OpenAPI schemas of ``POST /v1/listen``, which parses its query without FastAPI."""

from typing import Any

from auricle.protocol.deepgram.query import (
    DEFAULT_LANGUAGE,
    DEFAULT_UTT_SPLIT_S,
    LINEAR16,
    MAX_RATE_HZ,
    MAX_UTT_SPLIT_S,
    MIN_RATE_HZ,
    OGG_OPUS,
    RAW_ENCODINGS,
)
from auricle.server.http.openapi import (
    DEEPGRAM_ERROR,
    POSTED,
    TEXT,
    Answers,
    Schema,
    answer,
    fields,
    refusals,
)

_FLAG: Schema = {"type": "boolean", "default": False}
_LIST: Schema = {"type": "array", "items": TEXT}

_PARAMETERS: dict[str, tuple[str, Schema]] = {
    "encoding": (
        "Encoding of raw audio; omit it for files with a header.",
        {"type": "string", "enum": [*sorted(RAW_ENCODINGS), OGG_OPUS]},
    ),
    "sample_rate": (
        f"Sample rate of raw audio, in Hz; required for `{LINEAR16}`.",
        {"type": "integer", "minimum": MIN_RATE_HZ, "maximum": MAX_RATE_HZ},
    ),
    "channels": (
        "Channels: 1, or 2 for a file; they are mixed.",
        {"type": "integer", "enum": [1, 2]},
    ),
    "language": (
        "Language code or English name; `multi` or `auto` to detect it.",
        {"type": "string", "default": DEFAULT_LANGUAGE},
    ),
    "detect_language": (
        "`true` to detect the language, or the languages that detection is restricted to.",
        _LIST,
    ),
    "keyterm": ("Words that the model should favour.", _LIST),
    "keywords": ("As `keyterm`; weights after a colon are ignored.", _LIST),
    "smart_format": ("Add punctuation and paragraphs.", _FLAG),
    "punctuate": ("Add punctuation and capital letters.", _FLAG),
    "paragraphs": ("Return paragraphs and their sentences.", _FLAG),
    "utterances": ("Return utterances, split at silences.", _FLAG),
    "utt_split": (
        "Minimum silence between utterances, in seconds.",
        {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": MAX_UTT_SPLIT_S,
            "default": DEFAULT_UTT_SPLIT_S,
        },
    ),
    "tag": ("Tags, returned in the metadata.", _LIST),
}

_AUDIO = {"schema": {"type": "string", "format": "binary"}}

LISTEN_OPENAPI: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The audio itself, of any type but `application/json`.",
        "content": {"audio/*": _AUDIO, "application/octet-stream": _AUDIO},
    },
    "parameters": [
        {"name": name, "in": "query", "schema": schema, "description": description}
        for name, (description, schema) in _PARAMETERS.items()
    ],
}

LISTEN_RESPONSES: Answers = {
    200: answer("The transcript.", fields(metadata={"type": "object"}, results={"type": "object"})),
    **refusals(DEEPGRAM_ERROR, *POSTED, 504),
}
