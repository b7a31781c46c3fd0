"""``auricle live``: live captions of a microphone or a recording, from a server."""
