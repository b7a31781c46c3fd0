"""Split live MP3, AAC and FLAC into frames for decode workers; nothing is decoded here."""
