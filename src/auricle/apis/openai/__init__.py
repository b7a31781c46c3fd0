"""OpenAI's REST and Realtime APIs."""
