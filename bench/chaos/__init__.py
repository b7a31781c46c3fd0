"""Everything at once while everything fails: ``python -m bench.chaos``; see ``__main__``."""
