"""OpenAI's models for Realtime, whose names mean the default model."""

PRODUCTS = frozenset(
    {
        *("gpt-realtime", "gpt-realtime-mini", "gpt-realtime-whisper", "gpt-live-transcribe"),
        *("gpt-4o-realtime-preview", "gpt-4o-mini-realtime-preview"),
    }
)
