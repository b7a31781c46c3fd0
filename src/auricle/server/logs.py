"""One log line for each request, with its ids, sizes, durations and code."""

from dataclasses import dataclass, field

from starlette.types import Scope

_KEY = "auricle.log"


@dataclass(slots=True)
class RequestLog:
    """What a request's one log line is to say; handlers fill it in."""

    job_id: str | None = None
    trace_id: str | None = None
    client: str | None = None
    code: str | None = None
    details: dict[str, float | int | str] = field(default_factory=dict)

    def ids(self) -> dict[str, str]:
        """Return the ids that are known."""
        known = {"job_id": self.job_id, "trace_id": self.trace_id, "client": self.client}
        return {name: value for name, value in known.items() if value is not None}

    def line(self) -> dict[str, object]:
        """Return all that is known."""
        code = {} if self.code is None else {"code": self.code}
        return {**self.ids(), **code, **self.details}


def request_log(scope: Scope) -> RequestLog:
    """Return the record of this request; the first call makes it."""
    record = scope.setdefault(_KEY, RequestLog())
    assert isinstance(record, RequestLog)
    return record
