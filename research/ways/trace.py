"""Read a trace, and find in it the way that something takes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Step(NamedTuple):
    """A line of a trace; see ``traced/sitecustomize.py``.

    Attributes:
        at_ns: When, by the system's monotonic clock.
        process: The process ID.
        kind: ``call``, ``resume``, ``buffer`` or ``value``.
        source: The function that does it, as ``module:function``; ``-`` is the event loop.
        target: What is called, put or made.
    """

    at_ns: int
    process: int
    kind: str
    source: str
    target: str


@dataclass(frozen=True)
class Way:
    """What happened between two times, each kind of step once, in the order of the first time.

    Attributes:
        steps: Calls and resumptions between modules.
        buffers: Functions that put something into a queue or buffer.
        values: Types of values that were made.
    """

    steps: Sequence[Step]
    buffers: Sequence[str]
    values: Sequence[str]

    @property
    def modules(self) -> list[str]:
        """The modules in the order in which they are entered."""
        names = (name for step in self.steps for name in (step.source, step.target))
        return list(dict.fromkeys(module_of(name) for name in names if name != "-"))

    @property
    def returns(self) -> int:
        """How many calls are to a module that has been entered before."""
        entered: set[str] = set()
        count = 0
        for step in self.steps:
            if step.kind == "call":
                count += module_of(step.target) in entered
            entered |= {module_of(step.source), module_of(step.target)}
        return count

    @property
    def figures(self) -> dict[str, int]:
        """The counts that ``make house`` prints."""
        return {
            "modules": len(self.modules),
            "calls": sum(step.kind == "call" for step in self.steps),
            "returns": self.returns,
            "buffers": len(self.buffers),
            "repackagings": len(self.values),
        }


def read(path: Path) -> list[Step]:
    """Read a trace of several processes, in the order of time."""
    rows = (line.split() for line in path.read_text("utf-8").splitlines())
    steps = (Step(int(row[0]), int(row[1]), *row[2:]) for row in rows if len(row) == 5)
    return sorted(steps, key=lambda step: step.at_ns)


def module_of(name: str) -> str:
    """Return the module of ``module:function``."""
    return name.partition(":")[0]


def between(steps: Iterable[Step], window: tuple[int, int]) -> list[Step]:
    """Return the steps of a window of time, in ns."""
    return [step for step in steps if window[0] <= step.at_ns < window[1]]


def way_of(steps: Iterable[Step], idle: Iterable[Step]) -> Way:
    """Return the way without what the server does on its own while nothing arrives."""
    own = {step[2:] for step in idle}
    first: dict[tuple[str, ...], Step] = {}
    for step in steps:
        if step[2:] not in own:
            first.setdefault(step[2:], step)

    def once(kind: str, name: Callable[[Step], str]) -> list[str]:
        return list(dict.fromkeys(name(step) for step in first.values() if step.kind == kind))

    return Way(
        [step for step in first.values() if step.kind in ("call", "resume")],
        once("buffer", lambda step: step.source),
        once("value", lambda step: step.target),
    )
