"""One utterance: from samples to its audio, its partials and its final."""
