"""Speaker embeddings: one vector for each stretch of speech."""
