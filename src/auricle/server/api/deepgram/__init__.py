"""deepgram."""
