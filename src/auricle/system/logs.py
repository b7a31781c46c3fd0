"""JSON logs on stderr, for all programs of Auricle.

Logs never contain speech or text, nor messages of exceptions, which may contain them. The logs of
uvicorn and other libraries use the same formatter, which also drops messages of exceptions.
"""

import contextlib
import io
import logging
import sys
import threading
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

Level = Literal["debug", "info", "warning", "error"]

_MAX_FRAMES = 12


class _Unfailing(io.TextIOBase):
    """A stream that ignores failed writes (full disk, closed pipe): only log lines are lost.

    ``None`` stands for a stream that was closed when the program started.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.flush()


def configure_logging(level: Level) -> None:
    """Send all logs of this process to stderr as JSON; call it once, in the program."""
    stream = _Unfailing(sys.stderr)
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        drop_exception_messages,
    ]
    number = getattr(logging, level.upper())
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, stream)),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(number, logging.WARNING), force=True)


def log_uncaught() -> None:
    """Log uncaught exceptions and Python's warnings instead of printing them.

    Printed, they would be plain text between the JSON, and an exception's message may contain
    speech.
    """
    log = structlog.get_logger("auricle")

    def in_main(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        log.critical("uncaught_exception", exc_info=(kind, error, trace))

    def in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_type is not SystemExit:
            found = (args.exc_type, args.exc_value, args.exc_traceback)
            log.error("uncaught_exception", where="thread", exc_info=found)

    def in_finalizer(args: "sys.UnraisableHookArgs") -> None:
        found = (args.exc_type, args.exc_value, args.exc_traceback)
        log.error("uncaught_exception", where="finalizer", exc_info=found)

    sys.excepthook = in_main
    threading.excepthook = in_thread
    sys.unraisablehook = in_finalizer
    logging.captureWarnings(True)


def drop_exception_messages(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Replace an exception in a log event with its class and frames."""
    found = event.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()
    error, trace = _error_of(found)
    if error is not None:
        event["error"] = type(error).__name__
        event["frames"] = _frames_of(trace)
    return event


def log_unexpected(error: BaseException, **context: object) -> None:
    """Log a bug: class and stack frames, never the message, which may contain a transcript."""
    structlog.get_logger("auricle.server").error(
        "unexpected_error",
        error=type(error).__name__,
        frames=_frames_of(error.__traceback__),
        **context,
    )


def _frames_of(trace: TracebackType | None) -> list[str]:
    return [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(trace)[-_MAX_FRAMES:]
    ]


def _error_of(found: Any) -> tuple[BaseException | None, TracebackType | None]:
    if isinstance(found, BaseException):
        return found, found.__traceback__
    if isinstance(found, tuple) and len(found) == 3:
        return found[1], found[2]
    return None, None


def log_safely(write: Callable[..., object], event: str, **values: object) -> None:
    """Log an event, ignoring write errors such as a full disk or a closed terminal."""
    with contextlib.suppress(OSError, ValueError):
        write(event, **values)
