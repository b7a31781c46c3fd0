"""What a pool starts its workers with, whether they recognise jobs or partials."""

from auricle.engines.placement import Placement
from auricle.engines.registry import working_directory_of
from auricle.workers.kinds.asr.messages import StartAsr
from auricle.workers.process.launch import confined_program, hard_limit_bytes
from auricle.workers.sandbox.confinement import readable_model


def worker_program(module: str, placement: Placement) -> tuple[str, ...]:
    """Return the command of a worker, sandboxed to the model's files unless that is off."""
    settings = placement.settings
    read = (*readable_model(placement.model.path), *working_directory_of(settings.engine))
    return confined_program(module, placement.worker, read, has_gpu=settings.device != "cpu")


def start_message(placement: Placement, threads: int, slot: int) -> StartAsr:
    """Return the engine and model that a new worker loads.

    Args:
        placement: Where the model runs.
        threads: Threads of the worker.
        slot: Number of the worker in its pool; workers are spread over the GPUs by it.
    """
    settings = placement.settings
    return StartAsr(
        engine=settings.engine,
        model=placement.model.path,
        device=settings.device,
        compute_type=settings.compute_type,
        threads=threads,
        hard_limit_bytes=hard_limit_bytes(placement.worker),
        device_index=slot % max(1, settings.gpus),
    )
