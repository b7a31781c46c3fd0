"""Sound: Opus, resampling, voice activity, the pieces of a file. Synchronous, no I/O."""
