"""Whisper through faster-whisper, unchanged: a reference for the default engine."""
