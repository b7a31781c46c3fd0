"""Audio: Opus, live containers, resampling, voice activity, endpointing. Synchronous, no I/O."""
