"""What the OpenAPI document says of ``POST /v1/listen``, which reads its query by itself."""

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
        "Of samples without a header; left out for files, which say themselves what they are.",
        {"type": "string", "enum": [*sorted(RAW_ENCODINGS), OGG_OPUS]},
    ),
    "sample_rate": (
        f"Of samples without a header, in Hz; needed for `{LINEAR16}`.",
        {"type": "integer", "minimum": MIN_RATE_HZ, "maximum": MAX_RATE_HZ},
    ),
    "channels": ("1, or 2 of a file; they are mixed.", {"type": "integer", "enum": [1, 2]}),
    "language": (
        "A language, as a code or an English name; `multi` or `auto` to detect it.",
        {"type": "string", "default": DEFAULT_LANGUAGE},
    ),
    "detect_language": (
        "`true`: the language is detected; or the languages that it can be.",
        _LIST,
    ),
    "keyterm": ("Words that the model should expect.", _LIST),
    "keywords": ("The same; weights behind a colon are left out.", _LIST),
    "smart_format": ("Punctuation and paragraphs.", _FLAG),
    "punctuate": ("Punctuation and capitals.", _FLAG),
    "paragraphs": ("Paragraphs and their sentences.", _FLAG),
    "utterances": ("What lies between two silences.", _FLAG),
    "utt_split": (
        "How long such a silence is, in seconds.",
        {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": MAX_UTT_SPLIT_S,
            "default": DEFAULT_UTT_SPLIT_S,
        },
    ),
    "tag": ("Told again in the metadata.", _LIST),
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
    200: answer("The text.", fields(metadata={"type": "object"}, results={"type": "object"})),
    **refusals(DEEPGRAM_ERROR, *POSTED, 504),
}
