"""One module for each target: a function of bytes, its seeds, and the format's shape."""
