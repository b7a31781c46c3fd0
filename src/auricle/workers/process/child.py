"""The program that every worker is: ``python -m auricle.workers.process.child MODULE [POLICY]``.

It confines itself before it imports MODULE, whose ``serve`` then speaks to the pool: libraries
start threads as soon as they are imported, and those would be left out. Without a POLICY
(:class:`auricle.workers.sandbox.confinement.Policy`) nothing is given up.
"""

import importlib
import sys

from auricle.workers.process.channel import Channel, run_child
from auricle.workers.sandbox.confinement import Policy, enter, seal


def main(module: str, argument: str | None = None) -> None:
    """Become the worker whose module this is."""

    def serve(channel: Channel) -> int:
        policy = None if argument is None else Policy.from_argument(argument)
        lacking = () if policy is None else enter(policy)
        code: int = importlib.import_module(module).serve(
            channel, lambda: lacking + (() if policy is None else seal(policy))
        )
        return code

    run_child(serve)


if __name__ == "__main__":
    main(*sys.argv[1:])
