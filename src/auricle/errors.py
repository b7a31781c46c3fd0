"""The whole error tree, and nothing else.

Blame is a type: the class says whose fault it was, and its ``code`` is the stable word that clients
see in every API.
"""

from typing import ClassVar


class AuricleError(Exception):
    """Base of every error that this package raises on purpose.

    * ProtocolError
        * LocalProtocolError      our own code broke a protocol: a bug
        * RemoteProtocolError     the peer broke it: close the connection
    * RequestError                the caller asked for something that can't be
        * BadRequest, Unauthorized, TokenExpired, ForbiddenOrigin, ForbiddenHost, NotFound,
          UnknownModel, MethodNotAllowed, TooLarge, HeadTooLarge, TooLong, UnsupportedFormat,
          RateLimited, IdleTimeout, TakenOver
    * AudioError                  this input can't be decoded or transcribed
        * EmptyAudio, OpusWithoutBoundaries
    * Overloaded                  a bounded queue is full: come back later
        * NoWorkerReady, Draining, ServerStopped
    * DeadlineExceeded            the caller's own deadline passed
    * Superseded                  a newer partial took this one's place
    * WorkerError                 a worker died, hung or could not start
        * PoisonJob               this audio killed the engine again and again
    * Unreachable                 a client's server is not there, or was gone for too long
    * SetupError                  the operator's settings, model or port can't be used

    ``str(error)`` is a plain sentence that says what to do next. It is sent to the client for
    ``RequestError``, ``AudioError``, ``Overloaded``, ``DeadlineExceeded`` and ``PoisonJob``, and
    so never contains speech, text, a path or a key.
    """

    code: ClassVar[str] = "internal"
    http_status: ClassVar[int] = 500
    close_code: ClassVar[int] = 1011  # RFC 6455 §7.4.1: internal error
    retryable: ClassVar[bool] = False
    retry_after_s: int | None = None
    """Seconds after which the same request may succeed; set where ``retryable`` is."""


class ProtocolError(AuricleError):
    """Someone broke a wire protocol."""


class LocalProtocolError(ProtocolError):
    """Our own code called a protocol object out of order: a bug."""


class RemoteProtocolError(ProtocolError):
    """The peer sent something that it should not have."""

    code = "protocol_error"
    http_status = 400
    close_code = 1002  # RFC 6455 §7.4.1: protocol error


class RequestError(AuricleError):
    """The caller asked for something that can't be done as asked.

    ``field`` is the one that is to blame, where a dialect has a place to tell it.
    """

    code = "bad_request"
    http_status = 400
    close_code = 1008
    field: str | None = None


class BadRequest(RequestError):
    """JSON, types or ranges are wrong, or the language or task is unknown."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class Unauthorized(RequestError):
    """No key, or a key that is not known: the answer is the same for both."""

    code = "unauthorized"
    http_status = 401


class TokenExpired(RequestError):
    """A short-lived token came too late; its holder needs a new one."""

    code = "token_expired"
    http_status = 401


class ForbiddenOrigin(RequestError):
    """A page from another origin tried to use the service."""

    code = "forbidden_origin"
    http_status = 403


class ForbiddenHost(RequestError):
    """A server without keys was asked for by a name that is not its own."""

    code = "forbidden_host"
    http_status = 421  # RFC 9110 §15.5.20: misdirected request


class NotFound(RequestError):
    """There is no such job or path."""

    code = "not_found"
    http_status = 404


class UnknownModel(RequestError):
    """The model that was named is not served here, and the operator wants that told."""

    code = "model_not_found"
    http_status = 404
    field = "model"


class MethodNotAllowed(RequestError):
    """The path exists, but does not support this method."""

    code = "method_not_allowed"
    http_status = 405  # RFC 9110 §15.5.6


class TooLarge(RequestError):
    """The body has more bytes than the settings allow."""

    code = "too_large"
    http_status = 413
    close_code = 1009


class HeadTooLarge(RequestError):
    """The request line and headers have more bytes than a server takes."""

    code = "head_too_large"
    http_status = 431  # RFC 6585 §5: request header fields too large


class TooLong(RequestError):
    """The audio lasts longer than the settings allow."""

    code = "too_long"
    http_status = 413
    close_code = 1009


class UnsupportedFormat(RequestError):
    """The audio's format is unknown or not on the list."""

    code = "unsupported_format"
    http_status = 415


class RateLimited(RequestError):
    """This key has used up its allowance; ``retry_after_s`` says when to come back."""

    code = "rate_limited"
    http_status = 429
    retryable = True
    retry_after_s: int

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class IdleTimeout(RequestError):
    """Nothing came over a connection for too long."""

    code = "idle_timeout"
    http_status = 408
    retryable = True
    retry_after_s = 1


class TakenOver(RequestError):
    """Another connection of the same client goes on with this live session."""

    code = "taken_over"
    http_status = 409


class AudioError(AuricleError):
    """This input can't be decoded or transcribed."""

    code = "bad_audio"
    http_status = 422
    close_code = 1007  # RFC 6455 §7.4.1: data inconsistent with its type


class EmptyAudio(AudioError):
    """The input holds no audio at all (silence is not empty)."""

    code = "empty_audio"


class OpusWithoutBoundaries(AudioError):
    """Raw Opus without packet boundaries can't be decoded."""

    code = "opus_without_boundaries"


class Overloaded(AuricleError):
    """A bounded queue is full; ``retry_after_s`` says when to come back."""

    code = "queue_full"
    http_status = 503
    close_code = 1013  # IANA WebSocket close code registry: try again later
    retryable = True
    retry_after_s: int

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NoWorkerReady(Overloaded):
    """Every worker is starting or restarting."""

    code = "no_worker_ready"


class Draining(Overloaded):
    """The service is shutting down and takes no new work."""

    code = "draining"
    close_code = 1012  # IANA WebSocket close code registry: service restart


class ServerStopped(Overloaded):
    """The server stopped before an accepted job was finished: submit it again."""

    code = "server_stopped"


class DeadlineExceeded(AuricleError):
    """The caller's deadline passed before the answer was there."""

    code = "deadline_exceeded"
    http_status = 504
    retryable = True
    retry_after_s: int

    def __init__(self, message: str = "", retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Superseded(AuricleError):
    """A newer partial, or more urgent work, took this waiting job's place."""

    code = "superseded"


class WorkerError(AuricleError):
    """A worker died, hung, broke its protocol or could not start."""


class PoisonJob(WorkerError):
    """This audio killed the engine repeatedly and is refused for a while."""

    code = "poison_job"


class Unreachable(AuricleError):
    """No server answers a client, or it was gone for longer than the client's patience."""

    code = "unreachable"
    retryable = True


class SetupError(AuricleError):
    """The settings, the model or the port can't be used; the message says what to do."""

    code = "setup"
