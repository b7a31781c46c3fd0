"""OpenAI's Realtime API: live transcription."""

EPHEMERAL_PREFIX = "ek_"
"""Prefix of OpenAI's short-lived keys. Tokens issued to OpenAI clients have it, and may carry
session options after a ``~`` (:mod:`.live`)."""
