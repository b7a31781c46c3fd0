"""What the pools of all kinds start their workers with."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from auricle.config.sections.worker import WorkerSettings
from auricle.workers.sandbox.confinement import SandboxPolicy, program
from auricle.workers.wire.messages import Message

HARD_MEMORY_BYTES = 2000 * 10**6
"""Growth over the memory in use once ready, above which a worker is killed."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How the workers of a pool are started.

    Attributes:
        program: Returns the module of a new worker and its arguments.
        start_message: Returns the first message to a new worker in a slot (0-based; replacements
            keep it).
        environment: Environment of the workers.
        answers: Decodes their messages.
        gets_files: Whether open files are sent to them.
    """

    program: Callable[[], Sequence[str]]
    start_message: Callable[[int], Message]
    environment: Mapping[str, str]
    answers: msgspec.msgpack.Decoder[Any]
    gets_files: bool = False


def confined_program(
    module: str, worker: WorkerSettings, read: Iterable[str], *, has_gpu: bool = False
) -> tuple[str, ...]:
    """Return the command of a worker, sandboxed unless the settings say otherwise.

    Args:
        module: Module of the child.
        worker: Settings of the sandbox.
        read: Files and folders that it may read.
        has_gpu: Whether it uses a GPU.
    """
    if worker.sandbox == "off":
        return program(module, None)
    write = tuple(map(str, worker.sandbox_folders))
    return program(module, SandboxPolicy(tuple(read), write, has_gpu))


def hard_limit_bytes(worker: WorkerSettings) -> int:
    """Return the maximum growth of a worker over the memory in use once it is ready."""
    return int(worker.worker_hard_mb * 1e6) or HARD_MEMORY_BYTES
