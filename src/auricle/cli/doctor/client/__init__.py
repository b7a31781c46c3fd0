"""``auricle doctor --client``: send speech to a server exactly as a known program does."""
