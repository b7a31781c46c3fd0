"""What a pool starts its workers with, whether they recognise jobs or partials."""

from auricle.engine.placement import Placement
from auricle.engine.registry import working_directory_of
from auricle.workers.process.messages import StartAsr
from auricle.workers.process.supervisor import HARD_MEMORY_BYTES
from auricle.workers.sandbox.confinement import SandboxPolicy, program, readable_model


def worker_program(module: str, placement: Placement) -> tuple[str, ...]:
    """Return the command of a worker, sandboxed to the model's files unless that is off."""
    worker, settings = placement.worker, placement.settings
    if worker.sandbox == "off":
        return program(module, None)
    read = [*readable_model(placement.model.path), *working_directory_of(settings.engine)]
    write = map(str, worker.sandbox_folders)
    return program(module, SandboxPolicy(tuple(read), tuple(write), settings.device != "cpu"))


def start_message(placement: Placement, threads: int, slot: int) -> StartAsr:
    """Return the engine and model that a new worker loads.

    Args:
        placement: Where the model runs.
        threads: Threads of the worker.
        slot: Number of the worker in its pool; workers are spread over the GPUs by it.
    """
    worker, settings = placement.worker, placement.settings
    return StartAsr(
        engine=settings.engine,
        model=placement.model.path,
        device=settings.device,
        compute_type=settings.compute_type,
        threads=threads,
        hard_limit_bytes=int(worker.worker_hard_mb * 1e6) or HARD_MEMORY_BYTES,
        device_index=slot % max(1, settings.gpus),
    )
