"""The databases of the ledger: SQLite, and those that folders with a ``spec`` add."""
