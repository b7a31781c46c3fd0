"""Sound: Opus, live containers, resampling, voice activity, utterances. Synchronous, no I/O."""
