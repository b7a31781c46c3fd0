"""whisper-asr-webservice's API, used by subtitle tools."""
