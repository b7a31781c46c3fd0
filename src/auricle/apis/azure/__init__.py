"""Azure OpenAI's paths, which serve OpenAI's API."""
