"""Whisper on CTranslate2 and faster-whisper."""
