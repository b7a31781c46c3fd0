"""``auricle bench``: how many live streams this machine holds, and how fast it transcribes files.

It starts ``auricle serve`` with the operator's own settings and plays speech to it, because the
capacity of a server is bounded by all of its parts. Parents first: :mod:`.command` (options and
output), :mod:`.measure` (the order of the measurements), :mod:`.play`, :mod:`.server` and
:mod:`.yardstick` (processes and sockets); :mod:`.levels`, :mod:`.score`, :mod:`.speech` and
:mod:`.report` do no I/O.
"""
