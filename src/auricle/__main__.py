"""``python -m auricle``: the same as the ``auricle`` command."""

from auricle.cli import app

app()
