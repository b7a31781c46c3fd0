"""Fuzzing: what reads strangers' bytes is fed billions of wrong ones, guided by what they reach.

``make fuzz`` runs it (:mod:`fuzz.__main__`). A target (:mod:`fuzz.targets`) is a function of bytes
that fails when a promise is broken, and works without the fuzzer, too: the tests feed it its seeds.
"""
