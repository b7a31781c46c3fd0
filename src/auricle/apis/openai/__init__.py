"""OpenAI's API for files, and its list of models."""
