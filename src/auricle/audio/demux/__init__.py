"""Demux Opus packets from containers that are still being written: Ogg and WebM.

No process, thread or file for a connection: a demuxer receives bytes as they arrive and returns
packets as soon as they are complete. PyAV supports neither container live. Only Opus audio is
read; everything else in the container is skipped without being stored.
"""
