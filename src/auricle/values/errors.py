"""The tree of errors.

The class says which side is at fault; its ``code`` is the stable identifier that clients receive in
every API.
"""

from typing import ClassVar


class AuricleError(Exception):
    """Base of every error that this package raises on purpose.

    * ProtocolError
        * LocalProtocolError      our own code violated a protocol: a bug
        * RemoteProtocolError     the peer violated it: close the connection
    * RequestError                the request is invalid or not permitted
        * BadRequest, Unauthorized, TokenExpired, ForbiddenOrigin, ForbiddenHost, NotFound,
          ModelNotFound, MethodNotAllowed, TooLarge, HeadTooLarge, TooLong, UnsupportedFormat,
          UnsupportedOption, RateLimited, IdleTimeout, TakenOver, JobConflict
    * AudioError                  this input can't be decoded or transcribed
        * EmptyAudio, OpusWithoutBoundaries
    * Overloaded                  a bounded queue is full: retry later
        * ServerFull, NoWorkerReady, Draining
            * ModelUnavailable        the requested model is loading, or can't be loaded
        * LedgerUnavailable, LedgerFull   a job can't be stored now
            * LedgerFailed                    the job database is damaged
    * DeadlineExceeded            the request's deadline passed
    * Superseded                  a newer partial replaced this one
    * TooLate                     a session drops speech whose text would be late
    * WorkerError                 a worker died, hung or could not start
        * PoisonJob               this audio killed workers repeatedly
        * SpeakersUnavailable, TurnsUnavailable   no worker of this kind answered
    * AudioMissing                the stored audio of a job is missing or damaged
    * ApiUnavailable              the API that accepted a job is no longer there
    * LeaseLost                   another gateway has taken over the job, or it was cancelled
    * Unreachable                 a client can't reach its server
    * SetupError                  the operator's settings, model or port can't be used
        * LedgerUnusable              and its kinds: the job database can't be opened

    ``str(error)`` is a sentence that says what to do next. Clients receive it for
    ``RequestError``, ``AudioError``, ``Overloaded``, ``DeadlineExceeded``, ``PoisonJob``,
    ``AudioMissing`` and ``ApiUnavailable``, so it must not contain speech, text, paths or keys.
    """

    code: ClassVar[str] = "internal"
    http_status: ClassVar[int] = 500
    close_code: ClassVar[int] = 1011  # RFC 6455 §7.4.1: internal error
    retryable: ClassVar[bool] = False
    retry_after_s: int | None = None
    """Seconds after which the same request may succeed; set where ``retryable`` is."""


class ProtocolError(AuricleError):
    """Either side violated a wire protocol."""


class LocalProtocolError(ProtocolError):
    """Our own code called a protocol object in the wrong order: a bug."""


class RemoteProtocolError(ProtocolError):
    """The peer sent data that violates the protocol."""

    code = "protocol_error"
    http_status = 400
    close_code = 1002  # RFC 6455 §7.4.1: protocol error


class RequestError(AuricleError):
    """The request is invalid or not permitted.

    ``field`` names the invalid field, for dialects that report it.
    """

    code = "bad_request"
    http_status = 400
    close_code = 1008
    field: str | None = None


class BadRequest(RequestError):
    """Invalid JSON, type or range, or an unknown language or task."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class Unauthorized(RequestError):
    """The key is missing or unknown; clients receive the same error for both."""

    code = "unauthorized"
    http_status = 401


class TokenExpired(RequestError):
    """The short-lived token has expired; the client must request a new one."""

    code = "token_expired"
    http_status = 401


class ForbiddenOrigin(RequestError):
    """The page's origin is not allowed."""

    code = "forbidden_origin"
    http_status = 403


class ForbiddenHost(RequestError):
    """The ``Host`` header of a request to a server without keys is not a known name."""

    code = "forbidden_host"
    http_status = 421  # RFC 9110 §15.5.20: misdirected request


class NotFound(RequestError):
    """The path, job, transcript or live session does not exist."""

    code = "not_found"
    http_status = 404


class ModelNotFound(BadRequest):
    """The requested model is not served."""

    code = "model_not_found"
    http_status = 404

    def __init__(self, message: str) -> None:
        super().__init__(message, "model")


class MethodNotAllowed(RequestError):
    """The path exists, but does not support this method."""

    code = "method_not_allowed"
    http_status = 405  # RFC 9110 §15.5.6


class TooLarge(RequestError):
    """The body is larger than the settings allow."""

    code = "too_large"
    http_status = 413
    close_code = 1009


class HeadTooLarge(RequestError):
    """The request line and headers are larger than the server accepts."""

    code = "head_too_large"
    http_status = 431  # RFC 6585 §5: request header fields too large


class TooLong(RequestError):
    """The audio is longer than the settings allow."""

    code = "too_long"
    http_status = 413
    close_code = 1009


class UnsupportedFormat(RequestError):
    """The audio format is unknown or not allowed."""

    code = "unsupported_format"
    http_status = 415


class UnsupportedOption(BadRequest):
    """The request has an option that this installation lacks."""

    code = "unsupported_option"


class RateLimited(RequestError):
    """The key or the address has reached a limit; ``retry_after_s`` says when to retry."""

    code = "rate_limited"
    http_status = 429
    retryable = True
    retry_after_s: int

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class IdleTimeout(RequestError):
    """No data was received on the connection for too long."""

    code = "idle_timeout"
    http_status = 408
    retryable = True
    retry_after_s = 1


class TakenOver(RequestError):
    """Another connection has resumed this live session."""

    code = "taken_over"
    http_status = 409


class JobConflict(RequestError):
    """This key has another job with the same ``job_id`` and different audio or options."""

    code = "job_conflict"
    http_status = 409


class AudioError(AuricleError):
    """The input can't be decoded or transcribed."""

    code = "bad_audio"
    http_status = 422
    close_code = 1007  # RFC 6455 §7.4.1: data inconsistent with its type


class EmptyAudio(AudioError):
    """The input contains no audio (silence is not empty)."""

    code = "empty_audio"


class OpusWithoutBoundaries(AudioError):
    """Raw Opus without packet boundaries can't be decoded."""

    code = "opus_without_boundaries"


class Overloaded(AuricleError):
    """A bounded queue is full; ``retry_after_s`` says when to retry."""

    code = "queue_full"
    http_status = 503
    close_code = 1013  # IANA WebSocket close code registry: try again later
    retryable = True
    retry_after_s: int

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ServerFull(Overloaded):
    """The machine holds no other speaker of live speech now.

    Attributes:
        speakers: People who are being transcribed.
        capacity: People that the machine holds.
    """

    code = "server_full"

    def __init__(self, message: str, retry_after_s: int, *, speakers: int, capacity: int) -> None:
        super().__init__(message, retry_after_s)
        self.speakers = speakers
        self.capacity = capacity


class NoWorkerReady(Overloaded):
    """Every worker is starting or restarting."""

    code = "no_worker_ready"


class ModelUnavailable(NoWorkerReady):
    """The requested model is being loaded, or can't be loaded now; other models serve."""

    code = "model_unavailable"


class Draining(Overloaded):
    """The server is shutting down and accepts no new work."""

    code = "draining"
    close_code = 1012  # IANA WebSocket close code registry: service restart

    def __init__(
        self, message: str = "The server is shutting down; try again.", retry_after_s: int = 5
    ) -> None:
        super().__init__(message, retry_after_s)


class LedgerUnavailable(Overloaded):
    """The job database or the audio store did not answer in time, or can't be reached."""

    code = "ledger_unavailable"


class LedgerFailed(LedgerUnavailable):
    """The job database is damaged or refuses writes, until the operator has repaired it."""

    code = "ledger_failed"


class LedgerFull(Overloaded):
    """The disk, the job database, the audio store or the key's quota of jobs is full."""

    code = "ledger_full"


class DeadlineExceeded(AuricleError):
    """The request's deadline passed before its result was available."""

    code = "deadline_exceeded"
    http_status = 504
    retryable = True
    retry_after_s: int

    def __init__(
        self,
        message: str = "The transcript was not ready within max_wait_s.",
        retry_after_s: int = 1,
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Superseded(AuricleError):
    """A newer partial or more urgent work replaced this queued job."""

    code = "superseded"


class TooLate(AuricleError):
    """The text of this speech would have come later than its session allows (``max_lag_s``)."""

    code = "too_late"


class WorkerError(AuricleError):
    """A worker died, hung, violated its protocol or could not start."""


class PoisonJob(WorkerError):
    """This audio killed workers repeatedly and is quarantined."""

    code = "poison_job"


class SpeakersUnavailable(WorkerError):
    """No speaker can be assigned now; the transcript is returned without speakers."""

    code = "speakers_unavailable"
    retryable = True


class TurnsUnavailable(WorkerError):
    """The end of a turn can't be judged now; silence ends the utterance."""

    code = "turns_unavailable"
    retryable = True


class AudioMissing(AuricleError):
    """The stored audio of a job is missing or damaged, so the job can't be done."""

    code = "audio_missing"


class ApiUnavailable(AuricleError):
    """The API that accepted a job is no longer part of this server, so nothing can answer it."""

    code = "api_unavailable"


class LeaseLost(AuricleError):
    """The job was taken over by another gateway, cancelled or deleted; stop working on it."""

    code = "lease_lost"


class Unreachable(AuricleError):
    """The server does not answer, or was unreachable for longer than the client waits."""

    code = "unreachable"
    retryable = True


class SetupError(AuricleError):
    """The settings, the model or the port can't be used; the message says what to do."""

    code = "setup"


class LedgerUnusable(SetupError):
    """The job database can't be opened or written."""

    code = "ledger_unusable"


class LedgerInUse(LedgerUnusable):
    """Another server uses the job database."""

    code = "ledger_in_use"


class LedgerCorrupt(LedgerUnusable):
    """The job database is damaged, or is not a database."""

    code = "ledger_corrupt"


class LedgerForeign(LedgerUnusable):
    """The database belongs to another program."""

    code = "ledger_foreign"


class LedgerNewer(LedgerUnusable):
    """A newer version of Auricle has written the job database."""

    code = "ledger_newer"


class LedgerReadOnly(LedgerUnusable):
    """The job database or its directory can't be written."""

    code = "ledger_read_only"
