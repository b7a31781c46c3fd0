"""Tools that wait send few requests, and end with what they have."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from auricle.client.api.calls import Call
from auricle.mcp import waiting
from auricle.mcp.waiting import wait_for
from auricle.values.errors import RateLimited

pytestmark = pytest.mark.unit

CALL: Call[str] = Call("GET", "/", bytes.decode)


class Answers:
    """An API with results in this order; the last one is repeated."""

    may_wait = True

    def __init__(self, *results: str | RateLimited) -> None:
        self.sent = 0
        self._results: Sequence[str | RateLimited] = results

    async def send(self, call: Call[Any]) -> Any:
        result = self._results[min(self.sent, len(self._results) - 1)]
        self.sent += 1
        if isinstance(result, RateLimited):
            raise result
        return result


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between requests, which pass at once."""
    now, found = [0.0], list[float]()

    async def sleep(seconds: float) -> None:
        found.append(seconds)
        now[0] += seconds
        await anyio.lowlevel.checkpoint()

    monkeypatch.setattr(waiting, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(waiting, "anyio", SimpleNamespace(sleep=sleep))
    return found


async def wait(api: Answers, wait_s: float = 45) -> str:
    return await wait_for(api, CALL, lambda result: result == "news", wait_s)


async def test_requests_become_rarer(pauses: list[float]) -> None:
    api = Answers("none")
    assert await wait(api) == "none"
    assert pauses == [1, 2, 4, *[5] * 7, 3]


async def test_news_end_the_wait(pauses: list[float]) -> None:
    api = Answers("none", "news")
    assert (await wait(api), api.sent, pauses) == ("news", 2, [1])
    assert await wait(Answers("none"), 0) == "none"


async def test_a_key_without_requests_gets_the_last_result(pauses: list[float]) -> None:
    limited = RateLimited("Too many requests.", 30)
    assert await wait(Answers("first", "second", limited)) == "second"
    with pytest.raises(RateLimited):
        await wait(Answers(limited))
