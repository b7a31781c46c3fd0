"""The pool of decode workers, which open containers."""
