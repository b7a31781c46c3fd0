"""Limits and defaults of speech input, common to all wire formats, settings and clients."""

MIN_ENDPOINT_MS, MAX_ENDPOINT_MS, DEFAULT_ENDPOINT_MS = 100, 5000, 500
"""Silence that ends an utterance; the default is that of the setting ``endpoint_ms``."""
