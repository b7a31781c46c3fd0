"""Run the life of something again and again, each in a process that is killed at a checkpoint.

A module with a life calls :func:`run_lives`, and tests start it with :func:`lives_of`. It reads
lines ``CHECKPOINT ARGUMENT ...``, separated by tabs. For each it prints the lines of the life, then
``end`` and whether it was complete.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def run_lives(live: Callable[..., None]) -> None:
    """Run lives, each in a separate process, until the input ends."""
    for line in sys.stdin:
        checkpoint, *arguments = line.rstrip("\n").split("\t")
        child = os.fork()
        if child == 0:
            live(int(checkpoint), *arguments)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print("end", "killed" if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status))
        sys.stdout.flush()


@contextmanager
def lives_of(module: str) -> Iterator[Callable[..., list[str]]]:
    """Yield a function that runs a life up to a checkpoint and returns what it printed."""
    with subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = process.stdin, process.stdout

        def run(checkpoint: int, *arguments: str) -> list[str]:
            stdin.write("\t".join((str(checkpoint), *arguments)) + "\n")
            stdin.flush()
            steps: list[str] = []
            while not steps or not steps[-1].startswith("end"):
                line = stdout.readline()
                assert line, "the process ended"
                steps.append(line.strip())
            return steps

        yield run
        stdin.close()
