"""What a program of Auricle logs: JSON lines that never hold words of anybody's."""

import errno
import io
import json
import logging
import sys

import pytest
import structlog

from auricle.system.logs import configure_logging, log_safely

pytestmark = pytest.mark.unit

SECRET = "what somebody said"


@pytest.fixture
def own_logging() -> object:
    """Put the root logger back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.mark.usefixtures("own_logging")
def test_everything_is_json_on_stderr_and_exceptions_lose_their_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("info")
    structlog.get_logger("auricle.server").info("request", status=200)
    structlog.get_logger("auricle.server").debug("not shown")
    try:
        raise ValueError(SECRET)
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    logging.getLogger("some.library").info("not shown")
    out, err = capsys.readouterr()
    assert out == ""
    first, second = map(json.loads, err.splitlines())
    assert (first["event"], first["level"], first["status"]) == ("request", "info", 200)
    assert first["timestamp"].endswith("Z")
    assert (second["error"], second["level"]) == ("ValueError", "error")
    assert any("test_logs.py" in frame for frame in second["frames"])
    assert SECRET not in err
    sys.stderr.flush()


class FullDisk(io.StringIO):
    """Where nothing can be written any more."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.usefixtures("own_logging")
def test_a_full_disk_under_the_log_costs_lines_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stderr", FullDisk())
    configure_logging("info")
    structlog.get_logger("auricle.server").info("draining", requests=1)
    logging.getLogger("uvicorn.error").warning("shutting down")


def test_a_write_error_of_the_log_ends_nothing() -> None:
    def write(event: str, **values: object) -> None:
        raise OSError(errno.ENOSPC, event)

    log_safely(write, "worker_ready", worker="asr-1")
