"""Deepgram's API, for live audio and files."""
