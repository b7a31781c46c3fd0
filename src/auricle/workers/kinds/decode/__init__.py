"""The pool of decode workers, which read uploaded audio files."""
