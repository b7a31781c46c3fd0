"""Errors of responses as errors of this package, and when to repeat a request. No I/O."""

import random
from collections.abc import Callable, Iterator, Mapping

import msgspec

from auricle.client.backoff import Backoff, ClientRules
from auricle.values.errors import (
    AuricleError,
    BadRequest,
    DeadlineExceeded,
    Overloaded,
    RateLimited,
    RemoteProtocolError,
    RequestError,
    Unreachable,
)

MAX_RETRY_AFTER_S = 120
"""Maximum delay that a server can request, in seconds."""
_RULES = ClientRules()
_GATEWAY_ERRORS = (502, 503, 504)
"""Statuses of a proxy whose server does not answer."""


class Problem(msgspec.Struct, frozen=True):
    """An error in a response: a stable code, and a sentence that says what to do."""

    code: str
    message: str
    retryable: bool = False
    retry_after_s: float | None = None


class _Refusal(msgspec.Struct):
    error: Problem


def error_of(problem: Problem) -> AuricleError:
    """Return the error that the server reports; of the class with its code, if there is one."""
    kind = _CLASSES.get(problem.code, RequestError)
    retry_after_s = min(round(problem.retry_after_s or 0), MAX_RETRY_AFTER_S)
    if issubclass(kind, RateLimited | Overloaded | DeadlineExceeded):
        return kind(problem.message, retry_after_s)
    text = problem.message if kind.code == problem.code else f"{problem.message} ({problem.code})"
    return kind(text)


def error_of_response(status: int, headers: Mapping[str, str], body: bytes) -> AuricleError:
    """Return the error for a response that is not successful.

    A response without the server's JSON is a proxy's, or of another program.
    """
    try:
        return error_of(msgspec.json.decode(body, type=_Refusal).error)
    except msgspec.DecodeError:
        if status not in _GATEWAY_ERRORS:
            return not_auricle(status)
    error = Unreachable(f"A proxy answers HTTP {status}: its server does not respond.")
    wait_s = headers.get("Retry-After", "")
    error.retry_after_s = min(int(wait_s), MAX_RETRY_AFTER_S) if wait_s.isdecimal() else None
    return error


def not_auricle(status: int) -> RemoteProtocolError:
    """Return the error for a response that no Auricle server sends."""
    return RemoteProtocolError(f"The response (HTTP {status}) is not from an Auricle server.")


class Retries:
    """Decides when to repeat a request that failed.

    An error with ``retryable`` is repeated after the delay that the server requests, or with
    exponential backoff, until the patience is over. A server that has never answered is not
    waited for: its URL is probably wrong.

    Args:
        patience_s: Time after the first failure at which to give up, in seconds.
        has_answered: Whether the server has answered before.
        is_repeatable: Whether the request may be sent again if its response was lost.
        random_fraction: Returns a random number from 0 to 1.
    """

    def __init__(
        self,
        patience_s: float,
        *,
        has_answered: bool,
        is_repeatable: bool = True,
        random_fraction: Callable[[], float] = random.random,
    ) -> None:
        self._backoff = Backoff(_RULES, random_fraction)
        self._patience_s = patience_s
        self._repeats_lost = has_answered and is_repeatable

    def delay_s(self, error: AuricleError, now: float) -> float:
        """Return the delay before the next attempt, in seconds.

        Args:
            error: The error of the last attempt.
            now: Monotonic time in seconds.

        Raises:
            AuricleError: ``error``: another attempt would fail, too, or the patience is over.
        """
        is_lost = isinstance(error, Unreachable)
        if not (self._repeats_lost if is_lost else error.retryable):
            raise error
        delay_s = self._backoff.next_delay_s(now, self._patience_s, error.retry_after_s or 0)
        if delay_s is None:
            raise error
        return delay_s


def _subclasses(kind: type[AuricleError]) -> Iterator[type[AuricleError]]:
    for each in kind.__subclasses__():
        yield each
        yield from _subclasses(each)


_CLASSES = {kind.code: kind for kind in _subclasses(AuricleError) if "code" in vars(kind)}
_CLASSES |= {AuricleError.code: AuricleError, BadRequest.code: BadRequest}
