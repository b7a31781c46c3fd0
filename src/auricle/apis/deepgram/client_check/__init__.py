"""The programs of ``auricle doctor --client`` that use Deepgram's API."""
