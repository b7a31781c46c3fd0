"""Encode and decode errors between machines. No I/O.

An error ends an answer as a :class:`~auricle.cluster.wire.messages.ErrorFrame`. Before an answer
has begun, it is sent as ``{"error": {"code", "message", "retry_after_s"}}`` with the class's HTTP
status. Any other response with an error status comes from a proxy, not from a recogniser.
"""

import msgspec

from auricle.cluster.wire.messages import RemoteError
from auricle.values.errors import (
    AudioError,
    AuricleError,
    BadRequest,
    DeadlineExceeded,
    Draining,
    EmptyAudio,
    IdleTimeout,
    ModelNotFound,
    ModelUnavailable,
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
from auricle.workers.wire.framing import decode

_PLAIN: dict[str, type[AuricleError]] = {
    error.code: error
    for error in (
        AudioError,
        EmptyAudio,
        BadRequest,
        ModelNotFound,
        TooLong,
        Superseded,
        PoisonJob,
        WorkerError,
    )
}
_WITH_RETRY: dict[str, type[Overloaded | RateLimited | DeadlineExceeded]] = {
    error.code: error
    for error in (
        Overloaded,
        NoWorkerReady,
        ModelUnavailable,
        Draining,
        RateLimited,
        DeadlineExceeded,
    )
}
AMONG_MACHINES = frozenset(
    error.code for error in (Unauthorized, NotFound, RemoteProtocolError, TooLarge, IdleTimeout)
)
"""Codes of errors that concern the connection or configuration of two machines, not the job."""
MAX_MESSAGE_CHARS = 300
MAX_RETRY_AFTER_S = 3600
MAX_ERROR_BYTES = 4096
"""Longer than any recogniser's error; longer bodies come from proxies."""


class _Envelope(msgspec.Struct, frozen=True):
    error: RemoteError


_decoder: msgspec.json.Decoder[_Envelope] = msgspec.json.Decoder(_Envelope)


def remote_error(error: AuricleError) -> RemoteError:
    """Return the message for an error."""
    return RemoteError(error.code, str(error), error.retry_after_s)


def error_of(failed: RemoteError) -> AuricleError:
    """Return the exception for a recogniser's error.

    Unknown codes, and those of :data:`AMONG_MACHINES`, become a :class:`WorkerError`, because they
    are not the client's fault.
    """
    message = "".join(filter(str.isprintable, failed.message[:MAX_MESSAGE_CHARS]))
    if (busy := _WITH_RETRY.get(failed.code)) is not None:
        return busy(message, min(max(failed.retry_after_s or 1, 1), MAX_RETRY_AFTER_S))
    if (plain := _PLAIN.get(failed.code)) is not None:
        return plain(message)
    return WorkerError("the recogniser could not accept the job")


def pack_error(error: AuricleError) -> bytes:
    """Encode the body of an error response, sent before an answer has begun."""
    return msgspec.json.encode(_Envelope(remote_error(error)))


def parse_error(body: bytes) -> RemoteError | None:
    """Parse the body of an error response; ``None`` if it is not from a recogniser."""
    if len(body) > MAX_ERROR_BYTES:
        return None
    try:
        return decode(_decoder, body).error
    except msgspec.DecodeError:
        return None
