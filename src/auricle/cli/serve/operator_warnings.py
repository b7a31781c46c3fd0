"""Warnings of a server for its operator."""

import sys

import structlog

from auricle.cli.support.console import errors, is_terminal

log = structlog.get_logger("auricle.server")


def warn(event: str, message: str) -> None:
    """Warn the operator with a plain line on a terminal, else with a log event."""
    if is_terminal(sys.stderr):
        errors.print(f"auricle: {message}", style="yellow")
    else:
        log.warning(event, message=message)
