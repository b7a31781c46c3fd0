"""Opus packets out of containers that are still being written: Ogg and WebM, byte by byte.

No process, thread or file for a connection: bytes go in as they come, packets come out as soon as
they are whole. PyAV can do neither live. Only audio in Opus is taken; everything else in the
container is skipped without being kept.
"""
