"""Wire protocols and file formats: bytes in, values out. No I/O."""
