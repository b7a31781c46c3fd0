"""The pool of recognition workers."""
