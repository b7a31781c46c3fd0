"""What is written in the background: order, batches, waiting and giving up."""

from collections.abc import Callable, Sequence
from itertools import groupby

import anyio
import pytest
from anyio import CapacityLimiter

from auricle.server.live import background_writer
from auricle.server.live.background_writer import BackgroundWriter
from auricle.values.errors import AuricleError, LedgerUnavailable
from tests.support.poll import poll_until


class Database:
    """Stores texts, and fails with the errors that it has."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.stored: list[list[str]] = []
        self.done: list[str] = []
        self.refused: list[str] = []
        self.waits = 0
        self.writer = BackgroundWriter[str](
            write=self.write,
            done=self.done.extend,
            give_up=lambda part, error: self.refused.extend(part),
            wait=self.note_wait,
            threads=CapacityLimiter(1),
        )

    def write(self, part: Sequence[str]) -> None:
        """Store texts, or fail."""
        if self.errors:
            raise self.errors.pop(0)
        self.stored.append(list(part))

    def note_wait(self, error: AuricleError) -> None:
        """Count a wait."""
        self.waits += 1


async def run_until(database: Database, is_over: Callable[[], bool]) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(database.writer.run)
        await poll_until(is_over)
        group.cancel_scope.cancel()


async def test_items_are_written_in_order_and_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_writer, "MAX_BATCH", 2)
    database = Database()
    for item in "abc":
        database.writer.put(item)
    await run_until(database, lambda: not database.writer.pending)

    assert database.stored == [["a", "b"], ["c"]]
    assert database.done == ["a", "b", "c"]


async def test_items_wait_while_the_database_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background_writer, "RETRY_S", 0.01)
    database = Database()
    database.errors = [LedgerUnavailable("away", 1)] * 3
    database.writer.put("a")
    await run_until(database, lambda: not database.writer.pending)

    assert (database.stored, database.waits, database.refused) == ([["a"]], 3, [])


async def test_only_the_part_that_the_database_refuses_is_given_up() -> None:
    database = Database()
    database.errors = [ValueError("refused")]
    database.writer._parts = lambda batch: [list(part) for _, part in groupby(batch, str.lower)]
    for item in "aAb":
        database.writer.put(item)
    await run_until(database, lambda: not database.writer.pending)

    assert (database.refused, database.stored) == (["a", "A"], [["b"]])
    assert database.done == ["a", "A", "b"]


async def test_what_is_left_is_written_at_the_end() -> None:
    database = Database()
    database.writer.put("a")
    async with anyio.create_task_group() as group:
        group.start_soon(database.writer.run)
        group.cancel_scope.cancel()

    assert database.stored == [["a"]]


async def test_the_writer_is_full_with_many_pending_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_writer, "MAX_PENDING", 1)
    database = Database()
    assert not database.writer.is_full
    database.writer.put("a")
    assert database.writer.is_full


async def test_progress_is_reported_after_each_part() -> None:
    database = Database()
    async with anyio.create_task_group() as group:
        group.start_soon(database.writer.run)
        await anyio.lowlevel.checkpoint()
        database.writer.put("a")
        with anyio.fail_after(60):
            await database.writer.progress()
        assert database.done == ["a"]
        group.cancel_scope.cancel()
