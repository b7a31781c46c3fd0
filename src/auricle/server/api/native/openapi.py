"""What the OpenAPI document says of ``/utterance``, which reads its body by itself, and of jobs."""

from typing import Any

from auricle.server.http.openapi import KEYED, NATIVE_ERROR, POSTED, Answers, answer, refusals
from auricle.server.uploads.params import AUDIO_FORMATS, MAX_RATE_HZ, MIN_RATE_HZ
from auricle.types import DEFAULT_BEAM_SIZE, MAX_BEAM_SIZE, Task

_DESCRIPTIONS = {
    "job_id": "Your own id, 1 to 128 of A-Z a-z 0-9 . _ ~ : -; one is made if left out.",
    "trace_id": "Goes into the logs beside the id.",
    "audio_format": "What the audio is; `auto` looks at the bytes.",
    "sample_rate": "Of `pcm16`, in Hz.",
    "language": "A language, as a code or an English name; `auto` or omitted: it is detected.",
    "languages": "Languages that detection is restricted to; in a query separated by commas.",
    "src_lang": "Another name for `language`.",
    "task": "`translate` is to English.",
    "beam_size": "1 is greedy.",
    "initial_prompt": "Text that the model takes as having come before.",
    "hotwords": "Words that the model should expect.",
    "condition_on_previous_text": "Pieces of a long file run one after another.",
    "word_timestamps": "Whether segments carry words with their times.",
    "max_wait_s": "Your deadline, waiting included, from when all of the audio is there.",
    "opus_packet_bytes": "Constant size of Opus packets that come without boundaries.",
}

_SCHEMAS: dict[str, dict[str, Any]] = {
    "job_id": {"type": "string"},
    "trace_id": {"type": "string"},
    "audio_format": {"type": "string", "enum": list(AUDIO_FORMATS), "default": "auto"},
    "sample_rate": {
        "type": "integer",
        "minimum": MIN_RATE_HZ,
        "maximum": MAX_RATE_HZ,
        "default": 16_000,
    },
    "language": {"type": "string"},
    "languages": {"type": "array", "items": {"type": "string"}},
    "src_lang": {"type": "string"},
    "task": {"type": "string", "enum": [task.value for task in Task], "default": "transcribe"},
    "beam_size": {
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_BEAM_SIZE,
        "default": DEFAULT_BEAM_SIZE,
    },
    "initial_prompt": {"type": "string"},
    "hotwords": {"type": "array", "items": {"type": "string"}},
    "condition_on_previous_text": {"type": "boolean", "default": False},
    "word_timestamps": {"type": "boolean", "default": False},
    "max_wait_s": {"type": "number", "exclusiveMinimum": 0},
    "opus_packet_bytes": {"type": "integer", "minimum": 1},
}

_FIELDS = {
    name: {**schema, "description": _DESCRIPTIONS[name]} for name, schema in _SCHEMAS.items()
}

_JSON_BODY = {
    "type": "object",
    "required": ["audio"],
    "properties": {
        "audio": {"type": "string", "contentEncoding": "base64", "description": "The audio."},
        **_FIELDS,
    },
}

_AUDIO_BODY = {"schema": {"type": "string", "format": "binary"}}

_WAIT = {
    "name": "wait",
    "in": "query",
    "schema": {"type": "integer", "enum": [0, 1], "default": 1},
    "description": "0: answer 202 with a job at once, to be asked for at `/jobs/{job_id}`.",
}

UTTERANCE_OPENAPI: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "JSON with the audio in base64 (25 MB at most), or the audio itself, with "
        "all other fields in the query.",
        "content": {
            "application/json": {"schema": _JSON_BODY},
            "audio/*": _AUDIO_BODY,
            "application/octet-stream": _AUDIO_BODY,
        },
    },
    "parameters": [
        _WAIT,
        *(
            {
                "name": name,
                "in": "query",
                "schema": schema,
                "description": f"{_DESCRIPTIONS[name]} For bodies that are the audio itself.",
            }
            for name, schema in _SCHEMAS.items()
        ),
    ],
}

_WORD = {
    "type": "object",
    "properties": {
        "start": {"type": "number"},
        "end": {"type": "number"},
        "word": {"type": "string"},
        "probability": {"type": "number"},
    },
}

_SEGMENT = {
    "type": "object",
    "properties": {
        "start": {"type": "number", "description": "Seconds."},
        "end": {"type": "number", "description": "Seconds."},
        "text": {"type": "string"},
        "language": {"type": ["string", "null"]},
        "words": {"type": ["array", "null"], "items": _WORD},
    },
}

_RESULT = {
    "type": "object",
    "properties": {
        "job_id": {"type": "string"},
        "trace_id": {"type": "string"},
        "text": {"type": "string"},
        "language": {"type": ["string", "null"]},
        "language_probability": {"type": "number"},
        "duration_ms": {"type": "integer"},
        "segments": {"type": "array", "items": _SEGMENT},
        "timing_ms": {"type": "object", "additionalProperties": {"type": "number"}},
        "attempts": {"type": "integer"},
        "warnings": {"type": "array", "items": {"type": "string"}},
        "error": {"type": ["object", "null"]},
    },
}

_JOB = {
    "type": "object",
    "properties": {
        "job_id": {"type": "string"},
        "trace_id": {"type": "string"},
        "state": {"type": "string", "enum": ["queued", "running", "done", "failed", "cancelled"]},
        "progress": {"type": "number"},
        "text": {"type": "string"},
        "result": {"type": ["object", "null"]},
        "error": {"type": ["object", "null"]},
    },
}


UTTERANCE_RESPONSES: Answers = {
    200: answer("The text.", _RESULT),
    202: answer("A job (`wait=0`).", _JOB),
    **refusals(NATIVE_ERROR, *POSTED, 415, 422, 504),
}
JOB_RESPONSES: Answers = {
    200: answer("The job.", _JOB),
    **refusals(NATIVE_ERROR, *KEYED, 404),
}
