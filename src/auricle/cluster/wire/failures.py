"""Errors on their way between machines: which class a code stands for. No I/O.

Two forms carry them: a :class:`~auricle.cluster.wire.messages.Failed` at the end of an answer, and,
before an answer has begun, ``{"error": {"code", "message", "retry_after_s"}}`` with the class's
status. Anything else with such a status came from a proxy between us and no recogniser has said it.
"""

import msgspec

from auricle.cluster.wire.messages import Failed
from auricle.errors import (
    AudioError,
    AuricleError,
    BadRequest,
    DeadlineExceeded,
    Draining,
    EmptyAudio,
    IdleTimeout,
    NotFound,
    NoWorkerReady,
    Overloaded,
    PoisonJob,
    RateLimited,
    RemoteProtocolError,
    Superseded,
    TooLarge,
    TooLong,
    Unauthorized,
    WorkerError,
)

_PLAIN: dict[str, type[AuricleError]] = {
    error.code: error
    for error in (
        AudioError,
        EmptyAudio,
        BadRequest,
        TooLong,
        Superseded,
        PoisonJob,
        WorkerError,
    )
}
_WITH_RETRY: dict[str, type[Overloaded | RateLimited | DeadlineExceeded]] = {
    error.code: error
    for error in (Overloaded, NoWorkerReady, Draining, RateLimited, DeadlineExceeded)
}
AMONG_MACHINES = frozenset(
    error.code for error in (Unauthorized, NotFound, RemoteProtocolError, TooLarge, IdleTimeout)
)
"""Codes of errors that say nothing of a job, only of two machines that don't suit each other."""
MAX_MESSAGE_CHARS = 300
MAX_RETRY_AFTER_S = 3600
MAX_ERROR_BYTES = 4096
"""Our own errors are shorter; a proxy's page need not be read."""


class _Error(msgspec.Struct, frozen=True):
    code: str
    message: str
    retry_after_s: int | None = None


class _Envelope(msgspec.Struct, frozen=True):
    error: _Error


_decoder: msgspec.json.Decoder[_Envelope] = msgspec.json.Decoder(_Envelope)


def failure_of(error: AuricleError) -> Failed:
    """Return an error as it is sent."""
    return Failed(error.code, str(error), error.retry_after_s)


def error_of(failed: Failed) -> AuricleError:
    """Return what a recogniser said as the class that its code stands for.

    A code that only the two machines among themselves may be to blame for (a wrong key, a broken
    protocol), or that is not known, is a :class:`WorkerError`: no client has done anything wrong.
    """
    message = "".join(filter(str.isprintable, failed.message[:MAX_MESSAGE_CHARS]))
    if (busy := _WITH_RETRY.get(failed.code)) is not None:
        return busy(message, min(max(failed.retry_after_s or 1, 1), MAX_RETRY_AFTER_S))
    if (plain := _PLAIN.get(failed.code)) is not None:
        return plain(message)
    return WorkerError("the recogniser could not take the job")


def pack_error(error: AuricleError) -> bytes:
    """Return the body that tells of an error before an answer has begun."""
    failed = failure_of(error)
    return msgspec.json.encode(
        _Envelope(_Error(failed.code, failed.message, failed.retry_after_s)),
    )


def parse_error(body: bytes) -> Failed | None:
    """Return what a recogniser said in a body; ``None`` if no recogniser has written it."""
    if len(body) > MAX_ERROR_BYTES:
        return None
    try:
        error = _decoder.decode(body).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return Failed(error.code, error.message, error.retry_after_s)
