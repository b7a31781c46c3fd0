"""What the pools of all kinds start their workers with."""

from collections.abc import Iterable

from auricle.config.settings import WorkerSettings
from auricle.workers.process.supervisor import HARD_MEMORY_BYTES
from auricle.workers.sandbox.confinement import SandboxPolicy, program


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
