"""Speaker embeddings, in dedicated workers."""
