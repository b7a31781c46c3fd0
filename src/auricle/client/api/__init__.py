"""The HTTP API for Python programs: recordings, jobs, kept transcripts and live sessions.

:mod:`.client` and :mod:`.async_client` hold the connections; everything else is free of I/O.
"""
