"""Formats of transcripts: documents, subtitles and JSON."""
