"""Live audio formats: bytes in, samples out."""
