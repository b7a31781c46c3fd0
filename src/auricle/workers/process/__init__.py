"""Child processes: their supervisor, messages and limits."""
