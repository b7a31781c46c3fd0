"""Split live MP3, AAC and FLAC into frames for workers; nothing is decoded here."""
