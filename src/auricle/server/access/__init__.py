"""Keys, tokens, origins, limits: who may do what."""
