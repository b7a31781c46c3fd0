"""Vosk's WebSocket protocol, as vosk-server and Nextcloud's live transcription speak it."""
