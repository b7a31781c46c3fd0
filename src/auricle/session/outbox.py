"""Outputs in order: jobs always, events and warnings only while a connection is attached."""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from auricle.session.output import Cancel, Output, Prepare, Revised, Submit
from auricle.session.warnings import HeldWarnings
from auricle.values.events import EagerFinal, Warned

_WORK = (Submit, Cancel, Prepare, Revised)


class Outbox:
    """The outputs of a session that were not pulled yet.

    Args:
        has_words: Whether the client requested the words of finals.

    Attributes:
        is_attached: Whether a connection is attached. Finals that are emitted without one are in
            the journal; warnings are held.
    """

    def __init__(self, *, has_words: bool = False) -> None:
        self._has_words = has_words
        self.is_attached = False
        self._outputs: deque[Output] = deque()
        self._warnings = HeldWarnings()

    def put(self, output: Output) -> None:
        """Emit a job, or an event if a connection is attached."""
        if isinstance(output, EagerFinal) and not self._has_words:
            output = replace(output, words=None)
        if self.is_attached or isinstance(output, _WORK):
            self._outputs.append(output)

    def put_all(self, groups: Iterable[Iterable[Output]]) -> list[Output]:
        """Emit outputs in order, and return them."""
        outputs = [output for group in groups for output in group]
        for output in outputs:
            self.put(output)
        return outputs

    def next(self) -> Output | None:
        """Return the next output; ``None`` when there is none left."""
        return self._outputs.popleft() if self._outputs else None

    def hold(self, warning: Warned) -> None:
        """Hold a warning until :meth:`warn`; it replaces an unsent one with the same code."""
        self._warnings.add(warning)

    def warn(self, sample: float) -> None:
        """Emit the warnings that are due at a position; infinity emits all of them."""
        if self.is_attached:
            for warning in self._warnings.due(sample):
                self.put(warning)

    def drop_events(self) -> None:
        """Drop the events of an old connection."""
        self._outputs = deque(output for output in self._outputs if isinstance(output, _WORK))
