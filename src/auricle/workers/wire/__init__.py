"""What a pool and its workers exchange: messages, their framing, and open files."""
