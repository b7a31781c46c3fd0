"""The live session: bytes and transcripts in, events and jobs out; no I/O."""
