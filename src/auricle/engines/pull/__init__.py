"""Downloads models: HTTP with resume, unpacking, checks and publishing."""
