"""OpenAI's Realtime transcription as a wire protocol."""
