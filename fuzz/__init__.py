"""Fuzzing: parsers of untrusted input get billions of invalid inputs, guided by code coverage.

``make fuzz`` runs it (:mod:`fuzz.__main__`). A target (:mod:`fuzz.targets`) is a function of bytes
that fails when a promise is broken, and works without the fuzzer, too: the tests feed it its seeds.
"""
