"""OpenAI's wire protocols."""
