"""What a case is, and what all cases use."""

import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from stt_resilience.client import Action, Behaviour, Client, Event, Take, delays, together
from stt_resilience.drivers.base import Driver, FileDriver
from stt_resilience.health import Health, watched
from stt_resilience.process import ForeignServer, Server
from stt_resilience.speech import RATE_HZ, Talk
from stt_resilience.words import Count, count

Need = Literal["speech", "files", "stream", "starts"]


class NotApplicable(Exception):
    """Why a case can't be run with this server or protocol."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a case showed.

    Attributes:
        lines: For the table.
        data: For JSON.
    """

    lines: tuple[str, ...]
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Options:
    """What the user chose.

    Attributes:
        load: Sessions at once in the case ``load``.
        silence_s: Length of the case ``silence``.
        patience_s: How long results are waited for after the last word.
        idle_s: How long a silent connection is watched.
    """

    load: int = 20
    silence_s: float = 120.0
    patience_s: float = 45.0
    idle_s: float = 90.0


@dataclass(slots=True)
class Bench:
    """One server, one protocol and the speech; cases run on it one after the other.

    Attributes:
        live: Driver for live speech, if the protocol has one.
        files: Driver for files, if the protocol has one.
        talk: What the client says.
        neighbour: What the second client says at the same time.
        undisturbed: Texts of both without a fault, and that of the file.
    """

    server: Server | ForeignServer
    name: str
    live: Driver | None
    files: FileDriver | None
    talk: Talk
    neighbour: Talk
    options: Options
    undisturbed: dict[str, str] = field(default_factory=dict)

    def our_server(self) -> Server:
        """Return the server if the suite started it."""
        if isinstance(self.server, Server):
            return self.server
        raise NotApplicable("the server was not started by the suite")

    def stream(self) -> Driver:
        """Return the driver for live speech."""
        if self.live is None:
            raise NotApplicable("a protocol for files only")
        return self.live

    def file_driver(self) -> FileDriver:
        """Return the driver for files."""
        if self.files is None:
            raise NotApplicable("a protocol for live speech only")
        return self.files

    @property
    def struck(self) -> int:
        """Index of the utterance in which the fault happens: after a third of the talk."""
        return len(self.talk.utterances) // 3

    def fault_s(self) -> float:
        """Return the time in the middle of this utterance."""
        index = self.struck
        start = self.talk.utterances[index - 1].until if index else 0
        return (start + self.talk.utterances[index].end) / 2 / RATE_HZ

    def memory_mb(self) -> float | None:
        """Return the memory of the server's processes, if the suite started it."""
        return self.server.memory_mb() if isinstance(self.server, Server) else None


@dataclass(frozen=True, slots=True)
class Case:
    """A case.

    Attributes:
        question: What it answers.
        needs: What it cannot do without: ``speech`` or ``files`` of the protocol, a ``stream`` that
            is one connection, a server that ``starts`` by the suite.
    """

    name: str
    question: str
    run: Callable[[Bench], Awaitable[Outcome]]
    needs: frozenset[Need] = frozenset()

    def check(self, bench: Bench) -> None:
        """Raise NotApplicable if the bench lacks what the case needs."""
        if "starts" in self.needs:
            bench.our_server()
        if "speech" in self.needs:
            bench.stream()
        if "files" in self.needs:
            bench.file_driver()
        if "stream" in self.needs and not bench.stream().is_stream:
            raise NotApplicable("no connection while a person speaks")


@dataclass(slots=True)
class Disturbed:
    """A talk and a neighbour's talk, while something failed."""

    main: Take
    neighbour: Take
    health: Health


async def disturb(
    bench: Bench, action: Action | None = None, behaviour: Behaviour | None = None
) -> Disturbed:
    """Play the talk, with a neighbour's, and perform an action at the same time."""
    driver = bench.stream()
    calm = Behaviour(patience_s=bench.options.patience_s)
    clients = [
        Client(driver, bench.talk, behaviour or calm),
        Client(driver, bench.neighbour, calm),
    ]
    async with watched(bench.server.health_url, bench.server.address) as health:
        main, neighbour = await together(clients, action)
    return Disturbed(main, neighbour, health)


def counted(bench: Bench, take: Take, who: str = "main") -> Count:
    """Count the words of a take against the undisturbed run of the same talk."""
    talk = bench.talk if who == "main" else bench.neighbour
    return count(talk.text, bench.undisturbed[who], take.text)


def words_line(words: Count, who: str = "") -> str:
    """Return the counts as a line of the table."""
    named = {
        "lost": words.lost,
        "changed": words.changed,
        "doubled": words.doubled,
        "invented": words.invented,
    }
    parts = [f"{number} {name}" for name, number in named.items() if number]
    return f"{who}{', '.join(parts) or 'no word lost'} of {words.reference}"


def delay_line(values: Sequence[float | None]) -> str:
    """Return the delays as a line of the table."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return "no final"
    never = len(values) - len(known)
    missing = f", {never} never" if never else ""
    return f"delay p50 {statistics.median(known):.1f} s, max {known[-1]:.1f} s{missing}"


def neighbour_line(bench: Bench, take: Take) -> str:
    """Return what the second client saw as a line of the table."""
    parts = [
        words_line(counted(bench, take, "neighbour")),
        delay_line(delays(bench.neighbour, take)),
        connection_line(take),
    ]
    return f"neighbour: {'; '.join(filter(None, parts))}"


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest value that is not exceeded by a share of the values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def connection_line(take: Take) -> str:
    """Return what happened to the connection; an empty string if nothing did."""
    lost, opened, resumed = take.all("lost"), take.all("opened"), take.all("resumed")
    parts = [f"connection lost{_times(lost)}: {lost[0].detail}"] if lost else []
    again = resumed or opened[1:]
    if lost and again:
        how = "resumed" if resumed else "new session"
        parts.append(f"{how} after {again[0].at_s - lost[0].at_s:.1f} s")
    if failed := take.all("unreachable"):
        parts.append(f"unreachable{_times(failed)}")
    if refused := take.all("refused"):
        parts.append(f"refused{_times(refused)}: {refused[0].detail}")
    if errors := take.all("error"):
        parts.append(f"error{_times(errors)}: {errors[0].detail}")
    if silent := take.last("silent"):
        parts.append(silent.detail)
    return "; ".join(parts)


def _times(events: Sequence[Event]) -> str:
    return f" {len(events)} times" if len(events) > 1 else ""


def health_line(health: Health) -> str:
    """Return what the server said of itself."""
    return f"health: {health.summary()}"


def record(bench: Bench, seen: Disturbed) -> dict[str, Any]:
    """Return all figures of a disturbed talk for JSON."""
    return {
        "main": take_record(counted(bench, seen.main), bench.talk, seen.main),
        "neighbour": take_record(
            counted(bench, seen.neighbour, "neighbour"), bench.neighbour, seen.neighbour
        ),
        "health": seen.health.record(),
    }


def take_record(words: Count, talk: Talk, take: Take) -> dict[str, Any]:
    """Return the figures of a take for JSON."""
    return {
        "words": asdict(words),
        "delays_s": [None if each is None else round(each, 2) for each in delays(talk, take)],
        "events": [[round(event.at_s, 2), event.kind, event.detail] for event in take.events],
        "complete": take.is_complete,
        "text": take.text,
    }


def outcome(bench: Bench, seen: Disturbed, *extra: str, **data: Any) -> Outcome:
    """Return the usual lines of a disturbed talk, after those of the case."""
    lines = [
        *extra,
        words_line(counted(bench, seen.main)),
        delay_line(delays(bench.talk, seen.main)),
        connection_line(seen.main),
        neighbour_line(bench, seen.neighbour),
        health_line(seen.health),
    ]
    return Outcome(tuple(line for line in lines if line), record(bench, seen) | data)
