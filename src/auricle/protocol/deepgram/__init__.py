"""Deepgram's wire protocol."""
