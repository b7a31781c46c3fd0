"""Deepgram's wire format."""
