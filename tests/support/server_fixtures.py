"""Fixtures for tests of the server: the application in process, and its log."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from structlog.testing import LogCapture

from tests.support.service import InProcess, in_process


@pytest.fixture
def service(tmp_path: Path) -> Iterator[InProcess]:
    with in_process(tmp_path) as started:
        yield started


@pytest.fixture(autouse=True)
def logged() -> Iterator[LogCapture]:
    """Everything that is logged through structlog."""
    capture = LogCapture()
    structlog.configure(processors=[capture])
    yield capture
    structlog.reset_defaults()
