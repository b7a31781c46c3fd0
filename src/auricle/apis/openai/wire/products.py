"""OpenAI's models for files, whose names mean the default model."""

FILE_MODELS = (
    "whisper-1",
    "gpt-transcribe",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-mini-transcribe-2025-12-15",
)
"""Names for files, listed by ``GET /v1/models``: some programs offer only listed names."""

PRODUCTS = frozenset(
    {
        *FILE_MODELS,
        *("gpt-4o-transcribe-latest", "gpt-4o-mini-transcribe-latest", "gpt-4o-transcribe-diarize"),
    }
)
