"""The programs of ``auricle doctor --client`` that use OpenAI's Realtime API."""
