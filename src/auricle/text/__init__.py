"""The text of transcripts: filters that change it, and formats that it is written in."""
