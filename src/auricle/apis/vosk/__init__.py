"""Vosk's WebSocket, on a separate port."""
