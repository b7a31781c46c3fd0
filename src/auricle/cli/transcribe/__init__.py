"""``auricle transcribe``: transcripts of files, from local workers or a server."""
