"""Transcribes each channel of a file."""

from auricle.files.channels.transcribe import transcribe_channels

SPEC = transcribe_channels
