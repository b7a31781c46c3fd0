"""Descriptors, child processes and tasks of a server, which must not grow."""

import asyncio
import time
from dataclasses import dataclass

from bench.lib.service import Server

SETTLE_LIMIT_S = 90.0


@dataclass(frozen=True)
class Count:
    """Resources of the server."""

    descriptors: int
    children: int
    tasks: int

    def is_back_to(self, before: "Count") -> bool:
        """Return whether nothing is left; something from before may have ended meanwhile."""
        return (
            self.children == before.children
            and self.descriptors <= before.descriptors
            and self.tasks <= before.tasks
        )


def count(server: Server) -> Count:
    tasks = int(server.metric("auricle_asyncio_tasks"))
    children = len(server.process.children(recursive=True))
    return Count(server.process.num_fds(), children, tasks)


async def settle(server: Server, before: Count) -> Count:
    """Wait until nothing more is there than before, or until the time limit."""
    deadline = time.monotonic() + SETTLE_LIMIT_S
    while not (after := await asyncio.to_thread(count, server)).is_back_to(before):
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(0.5)
    return after
