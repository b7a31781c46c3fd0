"""OpenAI's wire formats for files and models."""
