"""OpenAPI schemas of jobs and of ``/utterance``, which parses its body without FastAPI."""

from typing import Any

from auricle.server.http.openapi import KEYED, NATIVE_ERROR, POSTED, Answers, answer, refusals
from auricle.server.uploads.params import AUDIO_FORMATS, MAX_RATE_HZ, MIN_RATE_HZ
from auricle.types import DEFAULT_BEAM_SIZE, MAX_BEAM_SIZE, Task

_DESCRIPTIONS = {
    "job_id": "Job id, 1 to 128 characters of A-Z a-z 0-9 . _ ~ : -; generated if omitted.",
    "trace_id": "Trace id, logged with the job id.",
    "audio_format": "Format of the audio; `auto` detects it from the data.",
    "sample_rate": "Sample rate of `pcm16` audio, in Hz.",
    "language": "Language code or English name; detected if `auto` or omitted.",
    "languages": "Languages that detection is restricted to; comma-separated in a query.",
    "src_lang": "Alias of `language`.",
    "task": "`translate` returns English text.",
    "beam_size": "Beam size; 1 is greedy decoding.",
    "initial_prompt": "Text that the model treats as preceding the audio.",
    "hotwords": "Words that the model should favour.",
    "condition_on_previous_text": "Use the previous text as context; chunks then run in order.",
    "word_timestamps": "Whether segments include words with timestamps.",
    "max_wait_s": "Deadline in seconds, including queueing, from the end of the upload.",
    "opus_packet_bytes": "Constant size of Opus packets without length prefix, in bytes.",
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
    "description": "0: return 202 and a job at once; poll it at `/jobs/{job_id}`.",
}

UTTERANCE_OPENAPI: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "JSON with base64 audio (at most 25 MB), or the audio itself, with "
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
                "description": f"{_DESCRIPTIONS[name]} Only if the body is the audio itself.",
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
        "start": {"type": "number", "description": "In seconds."},
        "end": {"type": "number", "description": "In seconds."},
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
    200: answer("The transcript.", _RESULT),
    202: answer("A job (`wait=0`).", _JOB),
    **refusals(NATIVE_ERROR, *POSTED, 415, 422, 504),
}
JOB_RESPONSES: Answers = {
    200: answer("The job.", _JOB),
    **refusals(NATIVE_ERROR, *KEYED, 404),
}
