"""Entry point of every worker: ``python -m auricle.workers.child.main MODULE [POLICY]``.

The process enters its sandbox before it imports MODULE, because libraries start threads on import
and the sandbox would not cover these. MODULE's ``serve`` then communicates with the pool. Without
a POLICY (:class:`auricle.workers.sandbox.confinement.SandboxPolicy`) there is no sandbox.
"""

import importlib
import sys

from auricle.workers.child.channel import Channel, run_child
from auricle.workers.sandbox.confinement import SandboxPolicy, enter, seal


def main(module: str, argument: str | None = None) -> None:
    """Run the worker in ``module``; ``argument`` is its sandbox policy."""

    def serve(channel: Channel) -> int:
        policy = None if argument is None else SandboxPolicy.from_argument(argument)
        lacking = () if policy is None else enter(policy)
        code: int = importlib.import_module(module).serve(
            channel, lambda: lacking + (() if policy is None else seal(policy))
        )
        return code

    run_child(serve)


if __name__ == "__main__":
    main(*sys.argv[1:])
