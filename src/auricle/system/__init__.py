"""The operating system and the event loop: files, memory, cores, logs."""
