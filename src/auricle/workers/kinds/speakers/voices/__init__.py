"""Who speaks when: from voiced ranges and speaker embeddings to turns and words; no I/O."""
