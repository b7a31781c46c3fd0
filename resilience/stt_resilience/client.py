"""A client that speaks a talk at the pace of speech, and reconnects as clients do.

A lost session is resumed where the protocol can; audio that the server did not receive is then sent
again. Otherwise the client opens a new session and continues with what is spoken from then on,
including what was spoken while it connected.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from stt_resilience.drivers.base import Driver, Lost, Refused, Session, Text
from stt_resilience.speech import RATE_HZ, Talk
from stt_resilience.words import align, normalise

CHUNK = RATE_HZ // 10
CATCH_UP = 4
"""How much faster than real time audio is sent that was spoken while there was no connection."""
RETRY_S = 0.5
EventKind = Literal[
    "opened", "resumed", "refused", "unreachable", "lost", "error", "complete", "silent"
]


@dataclass(frozen=True, slots=True)
class Result:
    """A piece of text.

    Attributes:
        at_s: When it arrived, in seconds from the start of the talk.
        session: Number of the client's session, which a resumed connection does not increase.
    """

    at_s: float
    text: Text
    session: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to the connection, and when."""

    at_s: float
    kind: EventKind
    detail: str = ""


@dataclass(slots=True)
class Take:
    """What one client experienced.

    Attributes:
        results: All text that arrived.
        events: What happened to its connections.
        retry_after_s: What the server said with its refusal, if it refused.
    """

    results: list[Result] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    retry_after_s: float | None = None

    @property
    def text(self) -> str:
        """All finals."""
        return " ".join(each.text.text for each in self.finals)

    @property
    def finals(self) -> list[Result]:
        """The finals in the order of the speech."""
        finals = [each for each in self.results if each.text.kind == "final"]
        return sorted(finals, key=lambda each: (each.session, each.text.order))

    @property
    def last_partial(self) -> str:
        """The partial after the last final; an empty string if there is none."""
        kinds = [each.text.kind for each in self.results]
        return self.results[-1].text.text if kinds and kinds[-1] == "partial" else ""

    @property
    def is_complete(self) -> bool:
        """Whether the server ended the session with all results."""
        return self.last("complete") is not None

    @property
    def is_refused(self) -> bool:
        """Whether no session was ever opened."""
        return self.last("opened") is None

    def last(self, kind: EventKind) -> Event | None:
        """Return the last event of a kind."""
        return next((event for event in reversed(self.events) if event.kind == kind), None)

    def all(self, kind: EventKind) -> list[Event]:
        """Return all events of a kind."""
        return [event for event in self.events if event.kind == kind]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a client does besides speaking.

    Attributes:
        cut_at_s: When it cuts its connection.
        stop_at_s: When it stops sending, without closing.
        read_pause_s: From when until when it does not read.
        retries: Whether it opens another session after a loss or a refusal.
        patience_s: How long it waits for the last results after the end of the talk.
    """

    cut_at_s: float = math.inf
    stop_at_s: float | None = None
    read_pause_s: tuple[float, float] | None = None
    retries: bool = True
    patience_s: float = 45.0


class Client:
    """Speaks one talk to a server.

    Args:
        driver: The protocol.
        talk: What is said.
        behaviour: What else the client does.
    """

    def __init__(self, driver: Driver, talk: Talk, behaviour: Behaviour | None = None) -> None:
        self._driver = driver
        self.talk = talk
        self._behaviour = behaviour or Behaviour()
        self._start_s = time.monotonic()
        self._first: Session | None = None
        self._position = 0
        self._sent = 0
        self._ended: set[int] = set()
        self._is_finished = self._is_cut = False
        self.take = Take()

    @property
    def now_s(self) -> float:
        """Seconds since the start of the talk."""
        return time.monotonic() - self._start_s

    async def connect(self) -> None:
        """Open the first session; its time is not part of the talk."""
        self._start_s = time.monotonic()
        try:
            async with asyncio.timeout(self._behaviour.patience_s):
                self._first = await self._open(None)
        except TimeoutError:
            self._log("silent", f"no session after {self._behaviour.patience_s:.0f} s")

    async def run(self) -> Take:
        """Speak in the session that is open, and return what arrived.

        Never raises on behalf of the server.
        """
        self._start_s = time.monotonic()
        limit_s = self.talk.duration_s + self._behaviour.patience_s
        session, self._first = self._first, None
        try:
            async with asyncio.timeout(limit_s):
                while session is not None and not await self._converse(session):
                    await asyncio.sleep(RETRY_S)
                    session = await self._open(session)
        except TimeoutError:
            self._log("silent", f"results incomplete after {self._behaviour.patience_s:.0f} s")
        finally:
            if session is not None:
                await session.close()
        return self.take

    def _log(self, kind: EventKind, detail: str = "") -> None:
        self.take.events.append(Event(self.now_s, kind, detail))

    async def _open(self, lost: Session | None) -> Session | None:
        """Return a session; ``None`` if the client gives up."""
        can_resume = lost is not None and self._driver.can_resume
        while True:
            if self._is_finished and lost is not None and not can_resume:
                return None  # a new session has no results of the old one
            try:
                session = await self._driver.open(lost if can_resume else None)
            except Refused as refused:
                self._log("refused", refused.reason)
                self.take.retry_after_s = refused.retry_after_s
                if not self._behaviour.retries:
                    return None
                await asyncio.sleep(max(RETRY_S, min(refused.retry_after_s or 0.0, 10.0)))
            except Lost as error:
                self._log("unreachable", str(error))
                if not self._behaviour.retries:
                    return None
                await asyncio.sleep(RETRY_S)
            else:
                self._log("resumed" if can_resume else "opened")
                if can_resume:
                    self._position, self._is_finished = session.resume_at, False
                return session

    async def _converse(self, session: Session) -> bool:
        """Speak and listen; return whether this was the client's last session."""
        speaking = asyncio.create_task(self._speak(session))
        listening = asyncio.create_task(self._listen(session))
        tasks = {speaking, listening}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in tasks:
                if task.done():
                    task.result()
        except Lost as error:
            with suppress(TimeoutError, Lost):  # results that had arrived before
                await asyncio.wait_for(asyncio.shield(listening), 0.2)
            self._log("lost", str(error))
            return not self._behaviour.retries
        except Refused as refused:
            self._log("refused", refused.reason)
            self.take.retry_after_s = refused.retry_after_s
            return not self._behaviour.retries
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if not self.take.is_complete:
                await session.close()
        self._log("complete")
        return True

    async def _speak(self, session: Session) -> None:
        talk, behaviour = self.talk, self._behaviour
        pause = behaviour.read_pause_s
        while self._position < talk.pcm.size:
            end = min(self._position + CHUNK, talk.pcm.size)
            behind_s = self.now_s - end / RATE_HZ
            chunk_s = CHUNK / RATE_HZ
            await asyncio.sleep(-behind_s if behind_s < 0 else chunk_s / CATCH_UP)
            if pause is not None:
                session.set_reading(not pause[0] <= self.now_s < pause[1])
            if self._position >= behaviour.cut_at_s * RATE_HZ and not self._is_cut:
                self._is_cut = True
                session.cut()
                raise Lost("cut by the suite")
            if behaviour.stop_at_s is not None and self.now_s >= behaviour.stop_at_s:
                return
            await session.send(talk.pcm[self._position : end], self._position)
            for index, utterance in enumerate(talk.utterances):
                if self._position < utterance.until <= end and index not in self._ended:
                    await session.end_utterance()
                    self._ended.add(index)
            self._position = end
        self._is_finished = True
        if pause is not None:
            session.set_reading(True)
        await session.finish()

    async def _listen(self, session: Session) -> None:
        async for text in session.texts():
            number = len(self.take.all("opened"))
            self.take.results.append(Result(self.now_s, text, number))
            if text.kind == "error":
                self._log("error", text.text)


def delays(talk: Talk, take: Take) -> list[float | None]:
    """Return how long after the speech of each utterance its last word is shown as final.

    The last word is the last one of the utterance that the finals have, among its last four; an
    utterance without any of these is ``None``. A final that arrived before the utterance began has
    none of its words, even if they are equal.
    """
    words: list[str] = []
    owners: list[float] = []
    for result in take.finals:
        new = normalise(result.text.text)
        words += new
        owners += [result.at_s] * len(new)
    matches = align(normalise(talk.text), words).matches
    out: list[float | None] = []
    position = began_at = 0
    for utterance in talk.utterances:
        size = len(normalise(utterance.text))
        tail = [
            owners[match]
            for match in matches[position : position + size][-4:]
            if match is not None and owners[match] >= began_at / RATE_HZ
        ]
        out.append(tail[-1] - utterance.end / RATE_HZ if tail else None)
        position, began_at = position + size, utterance.until
    return out


Action = Callable[[], Awaitable[None]]


async def together(clients: Sequence[Client], action: Action | None = None) -> list[Take]:
    """Connect clients, then let them speak at the same time; return the takes.

    Args:
        clients: The clients.
        action: Performed meanwhile; its time begins with that of the talks.
    """
    await asyncio.gather(*(client.connect() for client in clients))
    acting = asyncio.create_task(_perform(action))
    speaking = [asyncio.create_task(client.run()) for client in clients]
    tasks = [acting, *speaking]
    try:
        takes = list(await asyncio.gather(*speaking))
        if acting.done():
            acting.result()
        return takes
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _perform(action: Action | None) -> None:
    if action is not None:
        await action()
