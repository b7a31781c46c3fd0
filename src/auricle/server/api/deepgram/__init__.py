"""Deepgram's API, live and for files."""
